// Learning of the general Boltzmann machine: gradients against automatic differentiation and plain sums, the
// local rule, missing cells, and learning from chains against learning by enumeration.
// (boltzmann_sweeps_test.cpp: its chains and annealing.)
#include "tests/library/plain_boltzmann_machine.h"

#include "deepgen/train/flat.h"
#include "deepgen/train/optimiser.h"

namespace deepgen::boltzmann_machine_test {
namespace {

using namespace machines;

struct Leaves {
  Tensor pairs, biases;
};
Leaves leaves_of(const BoltzmannMachine& machine) {
  auto leaf = [](const Tensor& t) { return t.detach().to(at::kDouble).clone().requires_grad_(true); };
  return {leaf(machine.pair_weights), leaf(machine.biases)};
}
Doubles gradient_of(const Leaves& leaves) {
  Doubles all = doubles(leaves.pairs.grad());
  for (const double value : doubles(leaves.biases.grad())) all.push_back(value);
  return all;
}

// -E of every row of states [n, D] float64, by the sum over pairs.
Tensor log_joint(const Leaves& leaves, const Tensor& states) {
  const std::int64_t D = states.size(1);
  Tensor sum = states.mv(leaves.biases);
  std::int64_t pair = 0;
  for (std::int64_t i = 0; i < D; ++i)
    for (std::int64_t j = i + 1; j < D; ++j, ++pair)
      sum = sum + leaves.pairs[pair] * states.select(1, i) * states.select(1, j);
  return sum;
}

// log p(x) of each row, its missing cells summed out: over all states of all units that fit it.
Tensor log_likelihood(const Leaves& leaves, std::int64_t visible, const Tensor& x) {
  const Tensor states = all_states(leaves.biases.size(0)).to(at::kDouble);
  const Tensor exponents = log_joint(leaves, states);
  std::vector<Tensor> logs;
  for (const Tensor& row : x.unbind(0)) {
    const Tensor wide = row.to(at::kDouble);
    const Tensor fits = at::logical_or(states.narrow(1, 0, visible) == wide, wide.isnan()).all(1);
    logs.push_back(at::logsumexp(exponents.masked_select(fits), 0));
  }
  return at::stack(logs) - at::logsumexp(exponents, 0);
}

struct Shape {
  std::int64_t visible, hidden;
  double scale;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.visible << " visible, " << s.hidden << " hidden at scale " << s.scale;
}

class ExactBoltzmannGradient : public ::testing::TestWithParam<Shape> {
 protected:
  std::shared_ptr<BoltzmannMachine> machine = make_boltzmann_machine(
      GetParam().visible, GetParam().hidden, GetParam().scale, 71, learning_by("exact"));
  Rng rng{73};
  Tensor x = bits_tensor(13, GetParam().visible, rng, 0.4);
};
INSTANTIATE_TEST_SUITE_P(Shapes, ExactBoltzmannGradient,
                         ::testing::Values(Shape{5, 3, 0.3}, Shape{5, 3, 2}, Shape{6, 0, 1}, Shape{1, 4, 1},
                                           Shape{2, 5, 1}));

TEST_P(ExactBoltzmannGradient, EqualsAutomaticDifferentiation) {
  const Leaves leaves = leaves_of(*machine);
  (-log_likelihood(leaves, GetParam().visible, x).mean()).backward();
  expect_near(boltzmann_gradient(*machine, x, rng), gradient_of(leaves), 2e-6, "gradient");
}

TEST_P(ExactBoltzmannGradient, OfRowsWithMissingCellsSumsThemOut) {
  const Tensor gaps = bits_tensor(13, GetParam().visible, rng, 0.4) > 0.5;
  ASSERT_TRUE(gaps.any().item<bool>());
  x.masked_fill_(gaps, std::nan(""));
  const Leaves leaves = leaves_of(*machine);
  const Tensor log_p = log_likelihood(leaves, GetParam().visible, x);
  const auto free_energy = machine->marginal_free_energy(x);
  ASSERT_TRUE(free_energy);
  expect_near(doubles(-*free_energy - *machine->exact_log_partition()), doubles(log_p), 1e-9, "log p(known)");
  (-log_p.mean()).backward();
  expect_near(boltzmann_gradient(*machine, x, rng), gradient_of(leaves), 2e-6, "gradient");
}

TEST_P(ExactBoltzmannGradient, ForgetsTheLastTurn) {
  const Doubles once = boltzmann_gradient(*machine, x, rng);
  boltzmann_gradient(*machine, x.narrow(0, 0, 3), rng);
  expect_near(boltzmann_gradient(*machine, x, rng), once, 0, "third call");
}

TEST(BoltzmannPseudoLikelihood, GradientEqualsAutomaticDifferentiation) {
  for (const double scale : {0.0, 0.5, 2.0}) {
    const auto machine = make_boltzmann_machine(7, 0, scale, 5, learning_by("pseudo_likelihood"));
    Rng rng(7);
    const Tensor x = bits_tensor(11, 7, rng, 0.4);
    const Leaves leaves = leaves_of(*machine);
    Tensor sum = at::zeros({11}, at::kDouble);
    for (std::int64_t i = 0; i < 7; ++i) {  // each unit against the row in which it is flipped
      Tensor flipped = x.to(at::kDouble).clone();
      flipped.select(1, i).mul_(-1).add_(1);
      const Tensor here = log_joint(leaves, x.to(at::kDouble)), there = log_joint(leaves, flipped);
      sum = sum + here - at::logaddexp(here, there);
    }
    expect_near(doubles(*machine->pseudo_log_likelihood(x)), doubles(sum), 1e-9, "score");
    (-sum.mean()).backward();
    expect_near(boltzmann_gradient(*machine, x, rng), gradient_of(leaves), 5e-6, "gradient");
  }
}

// ---------------------------------------------------------------- the local rule

// The number of the pair i < j among D units.
std::size_t pair_number(std::int64_t i, std::int64_t j, std::int64_t D) {
  return size(i * D - i * (i + 1) / 2 + j - i - 1);
}

// What all other visible units do in the batch is nothing to the update of a pair and its biases.
TEST(LocalRule, AVisiblePairIsMovedByItsTwoUnitsAlone) {
  for (const char* how : {"exact", "pcd"}) {
    const std::int64_t V = 5, H = 3, D = V + H, i = 1, j = 3;
    Rng rng(11);
    const Tensor x = bits_tensor(40, V, rng, 0.4);
    Tensor others = bits_tensor(40, V, rng, 0.6);
    others.select(1, i).copy_(x.select(1, i)), others.select(1, j).copy_(x.select(1, j));
    auto gradient = [&](const Tensor& rows) {
      const auto machine = make_boltzmann_machine(V, H, 0.8, 13, learning_by(how));
      Rng own(17);
      return boltzmann_gradient(*machine, rows, own);
    };
    const Doubles a = gradient(x), b = gradient(others);
    const std::size_t pair = pair_number(i, j, D), biases = a.size() - size(D);
    EXPECT_NEAR(a[pair], b[pair], 1e-7) << how;
    EXPECT_NEAR(a[biases + size(i)], b[biases + size(i)], 1e-7) << how;
    EXPECT_NEAR(a[biases + size(j)], b[biases + size(j)], 1e-7) << how;
    EXPECT_GT(std::abs(a[pair_number(0, 2, D)] - b[pair_number(0, 2, D)]), 1e-3) << "the others were moved";
  }
}

// With hidden units too: the moments under the data are means over states of all units, the hidden ones by
// p(h | x), and an entry is that of its two units.
TEST(LocalRule, MomentsOfTheDataAreMeansOverThePosterior) {
  const auto machine = make_boltzmann_machine(4, 3, 1, 19);
  const PlainBoltzmannMachine plain(*machine);
  Rng rng(23);
  const Tensor x = bits_tensor(9, 4, rng);
  Doubles wanted(49);
  for (const std::int64_t v : state_numbers(x))
    for (std::int64_t h = 0; h < 8; ++h) {
      const std::int64_t s = v | h << 4;
      const double p = std::exp(plain.log_joint(s) - plain.log_unnormalised(v)) / 9;
      for (std::int64_t i = 0; i < 7; ++i)
        for (std::int64_t j = 0; j < 7; ++j)
          if ((s >> i & 1) && (s >> j & 1)) wanted[size(i * 7 + j)] += p;
    }
  const Tensor shares = at::full({9}, 1.0 / 9, at::kDouble);
  expect_near(doubles(machine->data_moments(x, shares)), wanted, 1e-12, "moments");
}

// ---------------------------------------------------------------- sampled learning

// Chains in equilibrium give the exact gradient on average and stay where they are.
TEST(PersistentBoltzmannChains, InEquilibriumAreExactAndStaySo) {
  BoltzmannMachineLearning by_chains = learning_by("pcd");
  by_chains.chains = 50;
  const auto machine = make_boltzmann_machine(4, 3, 0.8, 61, by_chains);
  const auto exact = make_boltzmann_machine(4, 3, 0.8, 61, learning_by("exact"));
  {
    NoGradGuard no_graph;
    exact->pair_weights.copy_(machine->pair_weights), exact->biases.copy_(machine->biases);
  }
  const Doubles p = probabilities(PlainBoltzmannMachine(*machine).log_joints());
  Rng rng(67);
  const Tensor x = bits_tensor(20, 4, rng, 0.3);
  const Doubles wanted = boltzmann_gradient(*exact, x, rng);
  Moments moments;
  std::vector<Tensor> after;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng own(seed);
    machine->chains.copy_(exact_samples(p, 7, 50, own));
    moments.add(boltzmann_gradient(*machine, x, own));
    after.push_back(machine->chains.clone());
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-6), 6);  // 28 numbers
  expect_drawn_from(at::cat(after), p, "chains");
}

TEST(ManyHiddenUnits, AreSampledGivenTheData) {
  BoltzmannMachineLearning by_chains = learning_by("pcd");
  by_chains.chains = 10, by_chains.data_steps = 30;
  const std::int64_t V = 3, H = BoltzmannMachine::summed_hidden + 1;
  const auto machine = make_boltzmann_machine(V, H, 0.4, 71, by_chains);
  Rng rng(73);
  const Tensor x = bits_tensor(50, V, rng, 0.5), states = machine->chains.clone();
  const Tensor exact = machine->data_moments(x, at::full({50}, 0.02, at::kDouble));
  Moments moments;
  const Tensor pairs = at::triu_indices(V + H, V + H, 1, at::kLong);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng own(seed);
    machine->chains.copy_(states);
    boltzmann_gradient(*machine, x, own);
    const Tensor chains = machine->chains.to(at::kDouble);
    const Tensor model = chains.t().mm(chains) / 10;
    moments.add(doubles(model.index({pairs[0], pairs[1]}) - machine->pair_weights.grad()));
  }
  EXPECT_LT(moments.largest_z(doubles(exact.index({pairs[0], pairs[1]})), 1e-6), 6);
}

void descend(BoltzmannMachine& machine, const Tensor& x, double rate, double momentum, double decay,
             const std::string& optimiser, int steps, Rng& rng) {
  TrainingOptions options;
  options.optimiser = optimiser, options.momentum = momentum, options.decay = decay;
  FlatParameters flat(machine);
  Optimiser update(options, flat);
  for (int k = 0; k < steps; ++k) {
    machine.gradients({x, {}}, {}, rng);
    update.update(flat.slices(), rate * (1 - static_cast<double>(k) / steps));
  }
}

TEST(BoltzmannWeights, StaySymmetricWithoutADiagonal) {
  for (const char* how : {"exact", "pcd", "pseudo_likelihood"}) {
    const auto machine =
        make_boltzmann_machine(6, how == std::string("pseudo_likelihood") ? 0 : 2, 0.3, 79, learning_by(how));
    Rng rng(83);
    const Tensor x = bits_tensor(30, 6, rng, 0.4), before = machine->weights();
    descend(*machine, x, 0.1, 0.9, 0.01, "sgd", 30, rng);
    const Tensor w = machine->weights();
    expect_bit_equal(w, w.t().contiguous(), how);
    EXPECT_EQ(w.diagonal().abs().max().item<float>(), 0) << how;
    EXPECT_FALSE(at::equal(w, before)) << how;
  }
}

// Rows of a machine of six visible and three hidden units. Both learners begin at the same weights.
TEST(StochasticLearning, EndsNearTheOptimumOfTheExactGradient) {
  const auto teacher = make_boltzmann_machine(6, 3, 1.2, 89);
  Rng rng(97);
  const Doubles p = probabilities(PlainBoltzmannMachine(*teacher).log_unnormalised());
  const Tensor x = exact_samples(p, 6, 400, rng);
  auto learnt = [&](const std::string& how, double rate, int steps) {
    BoltzmannMachineLearning learning = learning_by(how);
    learning.chains = 400;
    const auto machine = make_boltzmann_machine(6, 3, 0, 101, learning);
    Rng start(103), own(107);
    machine->initialise({x, {}}, start);
    {
      NoGradGuard no_graph;
      machine->pair_weights.mul_(10);
    }
    const double before = -(machine->free_energy(x).mean().item<double>() + *machine->exact_log_partition());
    descend(*machine, x, rate, 0, 0, "adam", steps, own);
    const double after = -(machine->free_energy(x).mean().item<double>() + *machine->exact_log_partition());
    EXPECT_GT(after, before + 0.05) << how;
    return after;
  };
  const double best = learnt("exact", 0.05, 1000);
  EXPECT_NEAR(learnt("pcd", 0.05, 3000), best, 0.05);
}

// ---------------------------------------------------------------- choices

TEST(BoltzmannRule, GoesByTheSizeOfTheMachine) {
  auto rule = [](std::int64_t visible, std::int64_t hidden) {
    return make_boltzmann_machine(visible, hidden, 0, 1)->rule();
  };
  EXPECT_EQ(rule(16, 0), "exact");
  EXPECT_EQ(rule(10, 6), "exact");
  EXPECT_EQ(rule(17, 0), "pseudo_likelihood");
  EXPECT_EQ(rule(10, 7), "pcd");
  auto refused = [](std::int64_t visible, std::int64_t hidden, const char* how) {
    return error_of(ErrorKind::usage,
                    [&] { make_boltzmann_machine(visible, hidden, 0, 1, learning_by(how)); });
  };
  expect_says(refused(18, 3, "exact"), {"training.learning", "20", "18", "3", "pcd"});
  expect_says(refused(6, 3, "pseudo_likelihood"), {"training.learning", "hidden", "3"});
  expect_says(refused(1, 0, "auto"), {"model.hidden", "two units"});
  EXPECT_NO_THROW(make_boltzmann_machine(1, 1, 0, 1));
}

TEST(BoltzmannData, CellsThatAreNoBitsAreRefused) {
  const auto machine = make_boltzmann_machine(4, 2, 0, 1);
  Tensor x = at::zeros({3, 4});
  x[1][2] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { machine->check_data(x, "rows", 10); }),
              {"rows", "binary units", "row 11, column 2"});
}

}  // namespace
}  // namespace deepgen::boltzmann_machine_test
