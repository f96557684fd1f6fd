// The gradient of the binary machine against sums over all states, finite differences and automatic
// differentiation; the centred one against the published formula; the sampled ones against the exact one.
#include "deepgen/train/optimiser.h"
#include "tests/library/machines.h"

namespace deepgen::rbm_gradient_test {
namespace {

using namespace machines;

// A gradient by parameter, to be descended.
struct Gradient {
  Doubles weights, visible_bias, hidden_bias;
  Doubles all() const {
    Doubles joined = weights;
    joined.insert(joined.end(), visible_bias.begin(), visible_bias.end());
    joined.insert(joined.end(), hidden_bias.begin(), hidden_bias.end());
    return joined;
  }
};

Gradient gradient_of(Rbm& rbm, const Tensor& x, Rng& rng, const Turn& turn = {}) {
  rbm.gradients({x, {}}, turn, rng);
  return {doubles(rbm.weights.grad()), doubles(rbm.visible_bias.grad()), doubles(rbm.hidden_bias.grad())};
}

// <.>_model - <.>_data, by enumeration of both layers.
Gradient plain_gradient(const Rbm& rbm, const Tensor& x) {
  const PlainRbm plain(rbm);
  const Statistics model = plain.model_statistics(), data = plain.data_statistics(x);
  Gradient g{model.vh, model.v, model.h};
  for (std::size_t i = 0; i < g.weights.size(); ++i) g.weights[i] -= data.vh[i];
  for (std::size_t i = 0; i < g.visible_bias.size(); ++i) g.visible_bias[i] -= data.v[i];
  for (std::size_t i = 0; i < g.hidden_bias.size(); ++i) g.hidden_bias[i] -= data.h[i];
  return g;
}

// Melchior, Fischer, Wiskott 2016: <(v - mu)(h - lambda)^T>, then the biases corrected for the offsets.
Gradient centred_gradient(const Rbm& rbm, const Tensor& x, const Doubles& mu, const Doubles& lambda) {
  const PlainRbm plain(rbm);
  const Statistics model = plain.model_statistics(), data = plain.data_statistics(x);
  Gradient g = plain_gradient(rbm, x);
  const std::size_t H = lambda.size();
  auto centred = [&](const Statistics& s, std::size_t i, std::size_t j) {
    return s.vh[i * H + j] - mu[i] * s.h[j] - s.v[i] * lambda[j] + mu[i] * lambda[j];
  };
  for (std::size_t i = 0; i < mu.size(); ++i)
    for (std::size_t j = 0; j < H; ++j) {
      const double dw = centred(model, i, j) - centred(data, i, j);
      g.weights[i * H + j] = dw;
      g.visible_bias[i] -= dw * lambda[j];
      g.hidden_bias[j] -= dw * mu[i];
    }
  return g;
}

void expect_gradient(const Gradient& ours, const Gradient& wanted, double tolerance) {
  expect_near(ours.weights, wanted.weights, tolerance, "weights");
  expect_near(ours.visible_bias, wanted.visible_bias, tolerance, "visible_bias");
  expect_near(ours.hidden_bias, wanted.hidden_bias, tolerance, "hidden_bias");
}

RbmLearning learning(const std::string& how, bool centring, const std::string& steps = "1") {
  RbmLearning l;
  l.learning = how, l.centring = centring, l.gibbs_steps = steps;
  return l;
}

struct Shape {
  std::int64_t visible, hidden;
  double scale;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.visible << " x " << s.hidden << " at scale " << s.scale;
}

// Both orders of the layers, equal ones, a layer of one unit; weak, middling and strong weights.
class ExactGradient : public ::testing::TestWithParam<Shape> {
 protected:
  std::shared_ptr<Rbm> make(bool centring) const {
    return make_rbm(GetParam().visible, GetParam().hidden, GetParam().scale, 71, learning("exact", centring));
  }
  Tensor data() const {
    Rng own(73);
    return bits_tensor(13, GetParam().visible, own, 0.4);
  }
  Rng rng{79};
};
INSTANTIATE_TEST_SUITE_P(Shapes, ExactGradient,
                         ::testing::Values(Shape{6, 4, 0.3}, Shape{4, 7, 0.3}, Shape{5, 5, 1}, Shape{6, 3, 4},
                                           Shape{3, 6, 4}, Shape{1, 4, 1}, Shape{5, 1, 1}, Shape{1, 1, 1}));

TEST_P(ExactGradient, EqualsSumsOverAllStates) {
  const auto rbm = make(false);
  expect_gradient(gradient_of(*rbm, data(), rng), plain_gradient(*rbm, data()), 2e-6);
}

// The gradient is written, not added to what is there.
TEST_P(ExactGradient, ForgetsTheLastTurn) {
  const auto rbm = make(false);
  const Doubles once = gradient_of(*rbm, data(), rng).all();
  gradient_of(*rbm, data().narrow(0, 0, 3), rng);
  expect_near(gradient_of(*rbm, data(), rng).all(), once, 0, "third call");
}

// Every parameter of the model by name, through the library's own scores; Richardson's extrapolation over two
// widths leaves the noise of float32.
TEST_P(ExactGradient, EqualsFiniteDifferencesOfTheLogLikelihood) {
  const auto rbm = make(false);
  const Tensor x = data();
  gradient_of(*rbm, x, rng);
  auto objective = [&] { return rbm->free_energy(x).mean().item<double>() + *rbm->exact_log_partition(); };
  NoGradGuard no_graph;
  std::vector<std::string> names;
  for (auto& item : rbm->named_parameters()) {
    names.push_back(item.key());
    const Tensor flat = item.value().view({-1}), gradient = item.value().grad().view({-1});
    ASSERT_TRUE(gradient.defined());
    float* p = flat.data_ptr<float>();
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
      const float kept = p[i];
      auto slope = [&](float width) {
        p[i] = kept + width;
        const double above = objective(), to = p[i];
        p[i] = kept - width;
        const double below = objective(), from = p[i];
        p[i] = kept;
        return (above - below) / (to - from);
      };
      const double wanted = (4 * slope(1.0F / 32) - slope(1.0F / 16)) / 3;
      ASSERT_NEAR(gradient[i].item<double>(), wanted, 3e-4 * std::max(1.0, GetParam().scale / 2))
          << item.key() << " [" << i << "]";
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"weights", "visible_bias", "hidden_bias"}));
}

TEST_P(ExactGradient, EqualsAutomaticDifferentiation) {
  const auto rbm = make(false);
  const Gradient ours = gradient_of(*rbm, data(), rng);
  auto leaf = [](const Tensor& t) { return t.detach().to(at::kDouble).clone().requires_grad_(true); };
  Tensor w = leaf(rbm->weights), b = leaf(rbm->visible_bias), c = leaf(rbm->hidden_bias);
  auto free_energy = [&](const Tensor& v) { return -v.mv(b) - at::softplus(v.mm(w) + c, 1, 40).sum(1); };
  const Tensor states = all_states(rbm->visible()).to(at::kDouble);
  (free_energy(data().to(at::kDouble)).mean() + at::logsumexp(-free_energy(states), 0)).backward();
  expect_gradient(ours, {doubles(w.grad()), doubles(b.grad()), doubles(c.grad())}, 2e-6);
}

// The offsets follow the data first (mu <- (1 - nu) mu + nu <v>), and the gradient is taken with what they
// become.
TEST_P(ExactGradient, CentredEqualsThePublishedFormula) {
  const auto rbm = make(true);
  const Tensor x = data();
  Rng noise(83);
  rbm->visible_offset.copy_(normal_tensor({rbm->visible()}, 0.3, noise) + 0.5);
  rbm->hidden_offset.copy_(normal_tensor({rbm->hidden()}, 0.3, noise) + 0.5);
  Doubles mu = doubles(rbm->visible_offset), lambda = doubles(rbm->hidden_offset);
  const Statistics data_means = PlainRbm(*rbm).data_statistics(x);
  for (std::size_t i = 0; i < mu.size(); ++i) mu[i] = 0.99 * mu[i] + 0.01 * data_means.v[i];
  for (std::size_t j = 0; j < lambda.size(); ++j) lambda[j] = 0.99 * lambda[j] + 0.01 * data_means.h[j];
  const Gradient ours = gradient_of(*rbm, x, rng);
  expect_near(doubles(rbm->visible_offset), mu, 1e-6, "visible_offset");
  expect_near(doubles(rbm->hidden_offset), lambda, 1e-6, "hidden_offset");
  expect_gradient(ours, centred_gradient(*rbm, x, mu, lambda), 1e-5);
}

// A step along it changes the plain energy as a plain step of the centred parameters would: with
// b = b' - W lambda and c = c' - W^T mu the energies differ by a constant.
TEST_P(ExactGradient, CentredIsAGradientOfTheCentredParameters) {
  const auto rbm = make(true);
  const Gradient ours = gradient_of(*rbm, data(), rng);
  auto leaf = [](const Tensor& t) { return t.detach().to(at::kDouble).clone().requires_grad_(true); };
  const Tensor mu = rbm->visible_offset.to(at::kDouble), lambda = rbm->hidden_offset.to(at::kDouble);
  const Tensor w = leaf(rbm->weights);
  const Tensor b = leaf(rbm->visible_bias + rbm->weights.mv(rbm->hidden_offset));
  const Tensor c = leaf(rbm->hidden_bias + rbm->weights.t().mv(rbm->visible_offset));
  // log sum_h exp((v - mu).b' + (h - lambda).c' + (v - mu) W (h - lambda)).
  auto log_p = [&](const Tensor& v) {
    const Tensor centred = v - mu, input = centred.mm(w) + c;
    return centred.mv(b) + at::softplus(input, 1, 40).sum(1) - input.mv(lambda);
  };
  const Tensor states = all_states(rbm->visible()).to(at::kDouble);
  (at::logsumexp(log_p(states), 0) - log_p(data().to(at::kDouble)).mean()).backward();
  expect_near(ours.weights, doubles(w.grad()), 1e-5, "weights");
  expect_near(ours.visible_bias, doubles(b.grad() - w.grad().mv(lambda)), 1e-5, "visible_bias");
  expect_near(ours.hidden_bias, doubles(c.grad() - w.grad().t().mv(mu)), 1e-5, "hidden_bias");
}

TEST_P(ExactGradient, CentredWithOffsetsOfZeroIsThePlainOne) {
  RbmLearning still = learning("exact", true);
  still.offset_rate = 0;
  const auto rbm = make_rbm(GetParam().visible, GetParam().hidden, GetParam().scale, 71, still);
  rbm->visible_offset.zero_();
  rbm->hidden_offset.zero_();
  expect_gradient(gradient_of(*rbm, data(), rng), plain_gradient(*rbm, data()), 2e-6);
}

// ---------------------------------------------------------------- sampled gradients

// The mean of gradients over many generators against the exact one, in standard errors. With 400 draws and at
// most 34 parameters one check in a million exceeds 6.
constexpr double bound = 6;
constexpr int draws = 400;

class SampledGradient : public ::testing::TestWithParam<bool> {
 protected:
  // Offsets stand still, so that every draw has the same expectation.
  static RbmLearning still(const std::string& how, const std::string& steps) {
    RbmLearning l = learning(how, GetParam(), steps);
    l.offset_rate = 0, l.chains = 50;
    return l;
  }
  static Doubles wanted(const Rbm& rbm, const Tensor& x) {
    if (!GetParam()) return plain_gradient(rbm, x).all();
    return centred_gradient(rbm, x, doubles(rbm.visible_offset), doubles(rbm.hidden_offset)).all();
  }
  static Tensor data() {
    Rng rng(89);
    return bits_tensor(30, 5, rng, 0.3);
  }
  static double distance_of_cd(const std::string& steps) {
    const auto rbm = make_rbm(5, 4, 0.9, 97, still("cd", steps));
    Moments moments;
    for (std::uint64_t seed = 0; seed < draws; ++seed) {
      Rng rng(seed);
      moments.add(gradient_of(*rbm, data(), rng).all());
    }
    return moments.largest_z(wanted(*rbm, data()), 1e-6);
  }
};
INSTANTIATE_TEST_SUITE_P(Centring, SampledGradient, ::testing::Bool(),
                         [](const auto& about) { return about.param ? "centred" : "plain"; });

TEST_P(SampledGradient, LongContrastiveDivergenceIsExact) { EXPECT_LT(distance_of_cd("150"), bound); }

// One step is biased: the check above has the power to see it.
TEST_P(SampledGradient, OneStepOfContrastiveDivergenceIsNot) { EXPECT_GT(distance_of_cd("1"), bound); }

TEST_P(SampledGradient, PersistentChainsInEquilibriumAreExactAndStaySo) {
  for (const char* steps : {"1", "3"}) {
    const auto rbm = make_rbm(5, 4, 0.9, 97, still("pcd", steps));
    const PlainRbm plain(*rbm);
    const Doubles p = probabilities(plain.log_unnormalised());
    Doubles hidden_logs(16);
    for (std::int64_t h = 0; h < 16; ++h) {
      Doubles terms;
      for (std::int64_t v = 0; v < 32; ++v) terms.push_back(plain.log_joint(v, h));
      hidden_logs[size(h)] = log_sum_exp(terms);
    }
    const Doubles p_hidden = probabilities(hidden_logs);
    Moments moments;
    std::vector<Tensor> after;
    for (std::uint64_t seed = 0; seed < draws; ++seed) {
      Rng rng(seed);
      rbm->chains.copy_(exact_samples(p_hidden, 4, 50, rng));
      moments.add(gradient_of(*rbm, data(), rng).all());
      after.push_back(rbm->chains.clone());
    }
    EXPECT_LT(moments.largest_z(wanted(*rbm, data()), 1e-6), bound) << steps;
    expect_drawn_from(at::cat(after), p_hidden, std::string("chains after ") + steps);
  }
}

TEST(PersistentChains, MoveOnFromWhereTheyWere) {
  const auto rbm = make_rbm(6, 4, 0.5, 101, learning("pcd", true));
  Rng rng(1);
  const Tensor x = bits_tensor(20, 6, rng), before = rbm->chains.clone();
  EXPECT_EQ(rbm->chains.sizes(), at::IntArrayRef({100, 4}));
  EXPECT_TRUE(at::logical_or(before == 0, before == 1).all().item<bool>());
  gradient_of(*rbm, x, rng);
  EXPECT_TRUE(at::logical_or(rbm->chains == 0, rbm->chains == 1).all().item<bool>());
  EXPECT_FALSE(at::equal(rbm->chains, before));
}

Doubles first_gradient(const std::string& steps, std::int64_t step) {
  const auto rbm = make_rbm(6, 4, 0.7, 103, learning("cd", false, steps));
  Rng rng(7);
  const Tensor x = bits_tensor(20, 6, rng);
  return gradient_of(*rbm, x, rng, {0, 0, 0, step, 30}).all();
}

// With steps "2..4" the first update has two, the last four: told by equality with fixed numbers of steps.
TEST(GibbsSteps, RiseOverTheRun) {
  EXPECT_EQ(first_gradient("2..4", 0), first_gradient("2", 0));
  EXPECT_EQ(first_gradient("2..4", 15), first_gradient("3", 0));
  EXPECT_EQ(first_gradient("2..4", 29), first_gradient("4", 0));
  EXPECT_NE(first_gradient("2", 0), first_gradient("4", 0));
  for (const char* wrong : {"", "0", "-1", "1.5", "1..", "..3", "1..0", "a", "1...3", "100001"})
    error_of(ErrorKind::usage, [&] { make_rbm(4, 2, 0, 1, learning("cd", false, wrong)); });
}

// "A..B to raise it": a range that falls is refused, or goes from A to B as evenly as one that rises.
TEST(GibbsSteps, FallingRangesReachTheirEndOrAreRefused) {
  try {
    make_rbm(4, 2, 0, 1, learning("cd", false, "4..2"));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return;
  }
  EXPECT_EQ(first_gradient("4..2", 0), first_gradient("4", 0));
  EXPECT_EQ(first_gradient("4..2", 15), first_gradient("3", 0));
  EXPECT_EQ(first_gradient("4..2", 29), first_gradient("2", 0));
}

// ---------------------------------------------------------------- sparsity and decay

// Hinton 2010, section 11: the cross entropy between wanted and mean activity has the derivative q - p with
// respect to the total input, so q - p goes to the hidden bias and <v> (q - p) to the weights.
TEST(Sparsity, PullsTowardsTheWantedActivity) {
  RbmLearning with = learning("exact", false);
  with.sparsity = 0.1, with.sparsity_cost = 2;
  const auto sparse = make_rbm(6, 4, 0.5, 107, with),
             plain = make_rbm(6, 4, 0.5, 107, learning("exact", false));
  Rng rng(5);
  const Tensor x = bits_tensor(4000, 6, rng, 0.3);
  sparse->initialise({x, {}},
                     rng);  // its <v> may be that of the training data or of the batch: here they agree
  NoGradGuard no_graph;
  for (auto& item : sparse->named_parameters()) item.value().copy_(plain->named_parameters()[item.key()]);
  const Gradient a = gradient_of(*sparse, x, rng), b = gradient_of(*plain, x, rng);
  const Statistics data = PlainRbm(*plain).data_statistics(x);
  expect_near(a.visible_bias, b.visible_bias, 1e-6, "visible_bias");
  for (std::size_t j = 0; j < 4; ++j) {
    const double pull = 2 * (data.h[j] - 0.1);
    EXPECT_NEAR(a.hidden_bias[j] - b.hidden_bias[j], pull, 1e-5);
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_NEAR(a.weights[i * 4 + j] - b.weights[i * 4 + j], data.v[i] * pull, 1e-3) << i << " " << j;
  }
}

TEST(Sparsity, LowersActivityUnderCentringToo) {
  RbmLearning with = learning("exact", true);
  with.sparsity = 0.05, with.sparsity_cost = 5;
  const auto rbm = make_rbm(6, 4, 0.5, 109, with);
  Rng rng(5);
  const Tensor x = bits_tensor(200, 6, rng, 0.3);
  NoGradGuard no_graph;
  for (int step = 0; step < 500; ++step) {
    gradient_of(*rbm, x, rng);
    for (Tensor& p : rbm->parameters()) p.sub_(p.grad(), 0.1);
  }
  for (const double activity : doubles(rbm->mean_h_given_v(x).mean(0))) EXPECT_NEAR(activity, 0.05, 0.05);
}

TEST(WeightDecay, ActsOnWeightsAlone) {
  const auto rbm = make_rbm(6, 4, 1, 113);
  const Doubles w = doubles(rbm->weights), b = doubles(rbm->visible_bias), c = doubles(rbm->hidden_bias);
  FlatParameters flat(*rbm);
  for (const Slice& slice : flat.slices()) EXPECT_EQ(slice.decays, slice.name == "weights") << slice.name;
  TrainingOptions options;
  options.decay = 0.25;
  Optimiser(options, flat).update(flat.slices(), 0.5);
  const Doubles after = doubles(rbm->weights);
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(after[i], w[i] * (1 - 0.5 * 0.25), 1e-6);
  EXPECT_EQ(doubles(rbm->visible_bias), b);
  EXPECT_EQ(doubles(rbm->hidden_bias), c);
}

TEST(ExactLearning, RefusesWhatCannotBeEnumerated) {
  const std::string message =
      error_of(ErrorKind::usage, [] { make_rbm(26, 26, 0, 1, learning("exact", false)); });
  expect_says(message, {"26", "25"});
  EXPECT_NO_THROW(make_rbm(26, 25, 0, 1, learning("exact", false)));
}

}  // namespace
}  // namespace deepgen::rbm_gradient_test
