// training.learning=fpcd: chains that move under the machine and its fast weights.
#include "tests/library/plain_boltzmann_machine.h"
#include "tests/library/runs.h"

namespace deepgen::rbm_fast_weights_test {
namespace {

using namespace machines;
using namespace runs;

RbmLearning rule(const std::string& how, double fast_rate, bool centring = false) {
  RbmLearning learning;
  learning.learning = how, learning.fast_rate = fast_rate, learning.centring = centring;
  learning.chains = 30, learning.gibbs_steps = "2";
  return learning;
}

// Plain descent.
void updates(Model& model, HasGradients& learner, const Tensor& x, std::int64_t count) {
  NoGradGuard no_graph;
  for (std::int64_t step = 0; step < count; ++step) {
    Rng rng(static_cast<std::uint64_t>(step + 5));
    learner.gradients({x, {}}, {.step = step, .steps = count}, rng);
    for (auto& item : model.named_parameters()) item.value().sub_(item.value().grad(), 0.05);
  }
}

void expect_equal_parameters(Model& a, Model& b) {
  const auto others = b.named_parameters();
  for (const auto& item : a.named_parameters())
    expect_bit_equal(item.value(), others[item.key()], item.key());
}

// Of any kind of columns, so that precisions and couplings go through the sums with fast weights of zero.
TEST(FastWeights, WithARateOfZeroArePcdBitForBit) {
  const UnitLayer mixed({{UnitKind::binary, 0, 3},
                         {UnitKind::softmax, 3, 3},
                         {UnitKind::gaussian, 6, 3},
                         {UnitKind::count, 9, 2}});
  for (const bool centring : {false, true}) {
    const auto fast = unit_rbm(mixed, "binary", 7, 0.4, 3, rule("fpcd", 0, centring));
    const auto plain = unit_rbm(mixed, "binary", 7, 0.4, 3, rule("pcd", 0, centring));
    Rng rng(7);
    const Tensor x = layer_rows(mixed, 60, rng);
    updates(*fast, *fast, x, 20), updates(*plain, *plain, x, 20);
    expect_equal_parameters(*fast, *plain);
    expect_bit_equal(fast->chains, plain->chains, "chains");
  }
}

TEST(FastWeights, OfTheGeneralMachineWithARateOfZeroArePcdBitForBit) {
  BoltzmannMachineLearning with;
  with.learning = "fpcd", with.fast_rate = 0, with.chains = 30;
  BoltzmannMachineLearning without = with;
  without.learning = "pcd";
  const auto fast = make_boltzmann_machine(5, 3, 0.5, 11, with),
             plain = make_boltzmann_machine(5, 3, 0.5, 11, without);
  Rng rng(13);
  const Tensor x = bits_tensor(40, 5, rng, 0.3);
  updates(*fast, *fast, x, 10), updates(*plain, *plain, x, 10);
  expect_equal_parameters(*fast, *plain);
  expect_bit_equal(fast->chains, plain->chains, "chains");
}

// fast <- 19/20 fast - rate * gradient, of every parameter; sparsity pulls at the machine alone.
TEST(FastWeights, FadeAndLearnTheGradient) {
  RbmLearning sparse = rule("fpcd", 0.3, true);
  sparse.sparsity = 0.1, sparse.sparsity_cost = 2;
  for (const bool pulled : {false, true}) {
    const auto rbm = make_rbm(6, 4, 0.7, 17, pulled ? sparse : rule("fpcd", 0.3, true));
    Rng rng(19);
    const Tensor x = bits_tensor(50, 6, rng, 0.3);
    rbm->fast_weights.copy_(normal_tensor({6, 4}, 0.5, rng));
    rbm->fast_visible_bias.copy_(normal_tensor({6}, 0.5, rng));
    rbm->fast_hidden_bias.copy_(normal_tensor({4}, 0.5, rng));
    const Tensor w = rbm->fast_weights.clone(), b = rbm->fast_visible_bias.clone(),
                 c = rbm->fast_hidden_bias.clone();
    rbm->gradients({x, {}}, {}, rng);
    expect_near(doubles(rbm->fast_weights), doubles(w * 0.95 - rbm->weights.grad() * 0.3), 1e-6, "weights");
    expect_near(doubles(rbm->fast_visible_bias), doubles(b * 0.95 - rbm->visible_bias.grad() * 0.3), 1e-6,
                "visible");
    const Tensor hidden = c * 0.95 - rbm->hidden_bias.grad() * 0.3;
    const double apart = (rbm->fast_hidden_bias - hidden).abs().max().item<double>();
    if (pulled)
      EXPECT_GT(apart, 1e-3);
    else
      EXPECT_LT(apart, 1e-6);
  }
}

TEST(FastWeights, FadeToNothingWithoutARate) {
  const auto rbm = make_rbm(6, 4, 0.7, 17, rule("fpcd", 0));
  Rng rng(19);
  const Tensor x = bits_tensor(50, 6, rng, 0.3);
  rbm->fast_weights.fill_(1), rbm->fast_hidden_bias.fill_(-1);
  for (int step = 0; step < 30; ++step) rbm->gradients({x, {}}, {.step = step, .steps = 30}, rng);
  const double left = std::pow(0.95, 30);
  EXPECT_NEAR(rbm->fast_weights.min().item<double>(), left, 1e-5);
  EXPECT_NEAR(rbm->fast_weights.max().item<double>(), left, 1e-5);
  EXPECT_NEAR(rbm->fast_hidden_bias.mean().item<double>(), -left, 1e-5);
  EXPECT_EQ(rbm->fast_visible_bias.abs().max().item<double>(), 0);
}

// Chains at p(h) of the machine whose parameters are the sums stay there; the machine's own p(h) is another.
TEST(FastWeights, MoveTheChainsUnderTheSums) {
  RbmLearning many = rule("fpcd", 0);
  many.chains = 40000;
  const auto rbm = make_rbm(5, 4, 0.6, 23, many), both = make_rbm(5, 4, 0.6, 23);
  Rng rng(29);
  rbm->fast_weights.copy_(normal_tensor({5, 4}, 0.8, rng));
  rbm->fast_visible_bias.copy_(normal_tensor({5}, 0.8, rng));
  rbm->fast_hidden_bias.copy_(normal_tensor({4}, 0.8, rng));
  {
    NoGradGuard no_graph;
    both->weights.add_(rbm->fast_weights);
    both->visible_bias.add_(rbm->fast_visible_bias);
    both->hidden_bias.add_(rbm->fast_hidden_bias);
  }
  auto p_hidden = [](const Rbm& machine) {
    const PlainRbm plain(machine);
    Doubles logs(16);
    for (std::int64_t h = 0; h < 16; ++h) {
      Doubles terms;
      for (std::int64_t v = 0; v < 32; ++v) terms.push_back(plain.log_joint(v, h));
      logs[size(h)] = log_sum_exp(terms);
    }
    return probabilities(logs);
  };
  const Doubles p = p_hidden(*both), own = p_hidden(*rbm);
  rbm->chains.copy_(exact_samples(p, 4, many.chains, rng));
  rbm->gradients({bits_tensor(20, 5, rng), {}}, {}, rng);
  expect_drawn_from(rbm->chains, p, "the sums");
  EXPECT_GT(chi_square_z(state_numbers(rbm->chains), own), one_in_a_million) << "the machine alone";
}

// Nothing of them in what the machine says.
TEST(FastWeights, AreInNoScore) {
  const auto rbm = make_rbm(6, 4, 0.7, 31, rule("fpcd", 0.1));
  const Tensor states = all_states(6);
  const Tensor before = rbm->free_energy(states), code = rbm->encode(states);
  const double log_z = *rbm->exact_log_partition();
  rbm->fast_weights.fill_(3), rbm->fast_visible_bias.fill_(-2), rbm->fast_hidden_bias.fill_(1);
  expect_bit_equal(rbm->free_energy(states), before, "free energy");
  expect_bit_equal(rbm->encode(states), code, "code");
  EXPECT_EQ(*rbm->exact_log_partition(), log_z);
}

// Two modes that the chains of pcd do not leave while the machine stands still: under fast weights they do.
TEST(FastWeights, DriveChainsOutOfTheirMode) {
  auto modes = [](const std::string& how) {
    RbmLearning learning = rule(how, 0.3);
    learning.chains = 20, learning.gibbs_steps = "1";
    auto rbm = make_rbm(12, 1, 0, 37, learning);
    NoGradGuard no_graph;
    rbm->weights.fill_(6), rbm->visible_bias.fill_(-3), rbm->hidden_bias.fill_(-36);
    rbm->chains.zero_();
    Tensor x = at::zeros({20, 12});  // half of the data in each mode
    x.narrow(0, 0, 10).fill_(1);
    double on = 0;
    for (std::int64_t step = 0; step < 300; ++step) {
      Rng rng(static_cast<std::uint64_t>(step));
      rbm->gradients({x, {}}, {.step = step, .steps = 300}, rng);
      on = std::max(on, rbm->chains.mean().item<double>());
    }
    return on;
  };
  EXPECT_LT(modes("pcd"), 0.2);
  EXPECT_NEAR(modes("fpcd"), 0.5, 0.15);  // the share of the data: what drives the chains ends there
}

TEST(FastWeights, AreResumedBitForBit) {
  const Assignments assignments = {"model.hidden=5",        "training.epochs=3",  "training.batch=5",
                                   "training.rate=0.2",     "training.chains=11", "training.learning=fpcd",
                                   "training.fast_rate=0.1"};
  const Dataset set = random_bits(23, 7);
  const Checkpoint whole = straight(assignments, set);
  EXPECT_GT(whole.tensors.at("model.fast_weights").abs().max().item<double>(), 0);
  for (const std::int64_t stop : {1, 4, 5, 9})
    expect_equal_runs(in_sittings(assignments, set, {stop}), whole, std::to_string(stop));
}

TEST(FastWeights, AreRefusedWhereUnitsOfBothLayersGrowWithoutBound) {
  RbmOptions options;
  options.hidden_units = "rectified";
  expect_says(error_of(ErrorKind::usage,
                       [&] { Rbm(options, rule("fpcd", 0.1), UnitLayer::of(UnitKind::gaussian, 4)); }),
              {"fpcd", "gain"});
}

TEST(FastWeights, AreNoBufferOfOtherRules) {
  EXPECT_FALSE(make_rbm(4, 3, 0.1, 1)->fast_weights.defined());
  EXPECT_FALSE(make_boltzmann_machine(4, 2, 0.1, 1)->fast_biases.defined());
}

}  // namespace
}  // namespace deepgen::rbm_fast_weights_test
