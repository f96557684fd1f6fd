// The spike-and-slab machine against sums and integrals of its energy: free energy, log Z, conditionals, the
// gradient, chains and what keeps Z finite. (Annealing increments, clamping, threads: energy_laws_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/spike_slab_rbm.h"

#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::spike_slab_rbm_test {
namespace {

using namespace machines;

DataShape real_shape(std::int64_t columns) { return {columns, {columns}, 0, ValueKind::real, {}}; }

// Parameters at random, made proper by project().
std::shared_ptr<SpikeSlabRbm> machine(std::int64_t columns, std::int64_t hidden, std::uint64_t seed,
                                      double scale = 0.7, const std::string& learning = "pcd") {
  SpikeSlabRbmOptions options;
  options.hidden = hidden;
  SpikeSlabRbmLearning how;
  how.learning = learning, how.chains = 30;
  auto model = std::make_shared<SpikeSlabRbm>(options, how, real_shape(columns));
  Rng rng(seed);
  model->initialise({normal_tensor({60, columns}, 1.3, rng) + 0.4, {}}, rng);
  randomise(*model, scale, rng);
  model->project({});
  return model;
}

// The parameters in double precision.
struct Plain {
  explicit Plain(const SpikeSlabRbm& model)
      : D(model.visible()),
        H(model.hidden()),
        w(doubles(model.weights)),
        phi(doubles(model.contraction)),
        mu(doubles(model.slab_means)),
        b(doubles(model.spike_bias)),
        c(doubles(model.visible_bias)),
        lambda(doubles(model.log_precision)),
        m(doubles(model.data_mean)) {
    for (double& each : phi) each *= each;
    for (double& each : lambda) each = std::exp(each);
  }

  // -E(v, s, h) less H / 2 log(2 pi), by the definition; h the bits of a number.
  double log_joint(const Doubles& v, const Doubles& s, std::int64_t h) const {
    double sum = -0.5 * real(H) * std::log(2 * M_PI);
    for (std::size_t d = 0; d < v.size(); ++d) {
      const double u = v[d] - m[d];
      sum += c[d] * u - lambda[d] * u * u / 2;
    }
    for (std::int64_t i = 0; i < H; ++i) {
      const double on = real(h >> i & 1), slab = s[size(i)], gap = slab - mu[size(i)] * on;
      sum += b[size(i)] * on - gap * gap / 2;
      for (std::size_t d = 0; d < v.size(); ++d) {
        const double u = v[d] - m[d];
        const std::size_t at = d * size(H) + size(i);
        sum += on * (slab * w[at] * u - phi[at] * u * u / 2);
      }
    }
    return sum;
  }
  std::int64_t D, H;
  Doubles w, phi, mu, b, c, lambda, m;
};

constexpr double reach = 20, width = 0.02;  // of integrals over a slab or a column, by the midpoint rule

// log of the integral over the slab of a machine of one unit, for a state of its spike.
double log_slab_integral(const Plain& plain, const Doubles& v, std::int64_t h) {
  Doubles terms;
  for (double s = -reach + width / 2; s < reach; s += width) terms.push_back(plain.log_joint(v, {s}, h));
  return log_sum_exp(terms) + std::log(width);
}

TEST(SpikeSlabRbm, FreeEnergyIsTheIntegralOverSlabsAndTheSumOverSpikes) {
  const auto model = machine(2, 1, 3);
  const Plain plain(*model);
  for (const Doubles& v : {Doubles{0.3, -0.8}, Doubles{1.7, 0.1}, Doubles{-2, 2}}) {
    const double wanted = log_sum_exp({log_slab_integral(plain, v, 0), log_slab_integral(plain, v, 1)});
    const Tensor row = at::tensor({v[0], v[1]}, at::kFloat).unsqueeze(0);
    EXPECT_NEAR(-model->free_energy({row, {}}).item<double>(), wanted, 2e-5);
  }
}

// Means and variances of v given h and s, and of s given v and h, against the joint by quadrature.
TEST(SpikeSlabRbm, ConditionalsAreThoseOfTheJoint) {
  const auto model = machine(1, 1, 5);
  const Plain plain(*model);
  for (const double h : {0.0, 1.0}) {
    const auto spike = static_cast<std::int64_t>(h);
    const double s = 0.9, at_v = -0.6;
    double total = 0, first = 0, second = 0, slab_total = 0, slab_first = 0;
    for (double x = -reach + width / 2; x < reach; x += width) {
      const double p = std::exp(plain.log_joint({x}, {s}, spike));
      total += p, first += p * x, second += p * x * x;
      const double q = std::exp(plain.log_joint({at_v}, {x}, spike));
      slab_total += q, slab_first += q * x;
    }
    const auto given = model->visible_given(at::full({1, 1}, h), at::full({1, 1}, h * s));
    EXPECT_NEAR(given.mean.item<double>(), first / total, 3e-5);
    EXPECT_NEAR(1 / given.precision.item<double>(), second / total - first * first / (total * total), 3e-5);
    const auto input = model->spike_input(at::full({1, 1}, at_v));
    Rng rng(7);
    const Tensor drawn =
        model->draw_slabs(input.filtered.expand({100000, 1}).contiguous(), at::full({100000, 1}, h), rng);
    EXPECT_NEAR(drawn.mean().item<double>(), h * slab_first / slab_total, 4.9 / std::sqrt(1e5));
    // The spike's odds are the ratio of the two integrals.
    const double odds = log_slab_integral(plain, {at_v}, 1) - log_slab_integral(plain, {at_v}, 0);
    EXPECT_NEAR(input.total.item<double>(), odds, 3e-5);
  }
}

// log of the integral of exp(-F) over the plane.
double log_plane_integral(const SpikeSlabRbm& model) {
  constexpr std::int64_t points = 900;
  constexpr double far = 45, cell = 2 * far / points;
  const Tensor line = (at::arange(points, at::kFloat) + 0.5) * cell - far;
  LogSumExp total;
  for (std::int64_t i = 0; i < points; ++i)
    total.add(-model.free_energy({at::stack({line[i].expand({points}), line}, 1), {}}));
  return total.value() + 2 * std::log(cell);
}

TEST(SpikeSlabRbm, LogZIsTheIntegralOfTheDensity) {
  for (const std::uint64_t seed : {11, 12, 13}) {
    const auto model = machine(2, 3, seed, 0.5);
    // Away from the edge of what is proper, where a Gaussian reaches beyond the grid.
    NoGradGuard no_graph;
    model->weights.mul_(0.8);
    const auto log_z = model->exact_log_partition();
    ASSERT_TRUE(log_z);
    EXPECT_NEAR(*log_z, log_plane_integral(*model), 1e-4);
  }
}

TEST(SpikeSlabRbm, WhatHasNoIntegralSaysSo) {
  const auto model = machine(2, 3, 17);
  ASSERT_TRUE(std::isfinite(*model->exact_log_partition()));
  NoGradGuard no_graph;
  model->contraction.zero_();
  model->log_precision.zero_();
  model->weights.zero_();
  model->weights[0][1] = 1.1;
  EXPECT_EQ(*model->exact_log_partition(), std::numeric_limits<double>::infinity());
  model->weights[0][1] = 0.9;
  EXPECT_TRUE(std::isfinite(*model->exact_log_partition()));
}

// Whatever the parameters, after project() no set of spikes takes the precision away.
TEST(SpikeSlabRbm, ProjectKeepsZFinite) {
  for (std::uint64_t seed = 20; seed < 30; ++seed)
    for (const double scale : {0.2, 1.0, 3.0}) {
      const auto model = machine(4, 6, seed, scale);
      EXPECT_TRUE(std::isfinite(*model->exact_log_partition())) << seed << " at " << scale;
      const Tensor before = model->weights.detach().clone();
      model->project({});
      EXPECT_TRUE(at::allclose(before, model->weights, 1e-5)) << "projecting again";
    }
}

TEST(SpikeSlabRbm, TooManyStatesAreNotEnumerated) {
  EXPECT_FALSE(machine(60, 30, 31, 0.05)->exact_log_partition());
  EXPECT_FALSE(machine(60, 20, 31, 0.05)->exact_log_partition()) << "each state is a factor of 60 x 60";
}

// ---------------------------------------------------------------- gradient

// F in float64 with a graph.
struct Twin {
  explicit Twin(const SpikeSlabRbm& model) : mean(model.data_mean.to(at::kDouble)) {
    for (const Tensor& p : model.parameters())
      leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
  }
  Tensor free_energy(const Tensor& v) const {
    const Tensor &w = leaves[0], &root = leaves[1], &mu = leaves[2], &b = leaves[3], &c = leaves[4];
    const Tensor u = v.to(at::kDouble) - mean, lambda = leaves[5].exp(), a = u.mm(w);
    const Tensor t = a * a / 2 + mu * a - u.square().mm(root.square()) / 2 + b;
    return (lambda * u.square() / 2 - c * u).sum(1) - at::softplus(t, 1, 40).sum(1);
  }
  Tensor mean;
  std::vector<Tensor> leaves;
};

TEST(SpikeSlabRbm, GradientEqualsAutomaticDifferentiation) {
  for (const double scale : {0.1, 0.6}) {
    const auto model = machine(5, 7, 37, scale);
    Rng rng(41);
    const Tensor x = normal_tensor({25, 5}, 1.2, rng);
    model->gradients({x, {}}, {}, rng);
    const Twin twin(*model);
    const Tensor loss = twin.free_energy(x).mean() - twin.free_energy(model->chains).mean();
    const auto wanted = torch::autograd::grad({loss}, twin.leaves);
    const auto ours = model->named_parameters();
    for (std::size_t i = 0; i < wanted.size(); ++i)
      expect_near(doubles(ours[i].value().grad()), doubles(wanted[i]), 1e-4, ours[i].key());
    EXPECT_NEAR((model->free_energy({x, {}}) - twin.free_energy(x)).abs().max().item<double>(), 0, 1e-4);
  }
}

// ---------------------------------------------------------------- chains

// Draws of the model by its mixture of Gaussians in one column and one unit.
Tensor exact_draws(const SpikeSlabRbm& model, std::int64_t count, Rng& rng) {
  const Plain plain(model);
  const double off = plain.lambda[0], on = off + plain.phi[0] - plain.w[0] * plain.w[0];
  const double pull = plain.c[0] + plain.w[0] * plain.mu[0];
  const double log_off = plain.c[0] * plain.c[0] / (2 * off) - std::log(off) / 2;
  const double log_on = plain.b[0] + pull * pull / (2 * on) - std::log(on) / 2;
  const double chance = 1 / (1 + std::exp(log_off - log_on));
  Tensor x = at::empty({count, 1});
  for (std::int64_t r = 0; r < count; ++r) {
    const bool h = rng.uniform() < chance;
    const double mean = h ? pull / on : plain.c[0] / off, deviation = 1 / std::sqrt(h ? on : off);
    x.data_ptr<float>()[r] = static_cast<float>(plain.m[0] + mean + deviation * rng.normal());
  }
  return x;
}

// The first, second and fourth powers of two sets of draws agree within their errors.
void expect_same_moments(const Tensor& a, const Tensor& b, const std::string& what) {
  for (const int power : {1, 2, 4}) {
    const Tensor x = a.to(at::kDouble).pow(power), y = b.to(at::kDouble).pow(power);
    const double error =
        std::sqrt(x.var().item<double>() / real(x.numel()) + y.var().item<double>() / real(y.numel()));
    EXPECT_LT(std::abs((x.mean() - y.mean()).item<double>()), 5.1 * error) << what << ", power " << power;
  }
}

TEST(SpikeSlabRbm, AChainStartedAtTheModelStaysThere) {
  const auto model = machine(1, 1, 43, 0.8);
  NoGradGuard no_graph;
  model->weights.fill_(0.9), model->contraction.fill_(0.8), model->slab_means.fill_(0.7);
  model->project({});
  Rng rng(47);
  const Tensor start = exact_draws(*model, 60000, rng), other = exact_draws(*model, 60000, rng);
  expect_same_moments(model->chain_steps(start, 5, rng), other, "5 steps");
  // Annealed chains at an inverse temperature of 1 make the model's transitions.
  Tensor weights = at::zeros({60000}, at::kDouble);
  const auto chains = model->anneal_from(start);
  chains->step(1, 1, weights, rng);
  EXPECT_EQ(weights.abs().max().item<double>(), 0);
  expect_same_moments(chains->states(rng), other, "annealed");
}

// E[w] = Z_1 / Z_0, over chains whose transitions are tempered.
TEST(SpikeSlabRbm, AnnealingIsUnbiasedForThePartition) {
  const auto model = machine(3, 4, 53, 0.5);
  NoGradGuard no_graph;
  model->weights.mul_(0.6);  // tails that a few temperatures can reach
  Rng rng(59);
  constexpr std::int64_t count = 40000;
  const auto chains = model->anneal_from_base(count, rng);
  Tensor weights = at::zeros({count}, at::kDouble);
  const Doubles betas = {0, 0.1, 0.25, 0.45, 0.7, 1};
  for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], weights, rng);
  const double log_ratio = *model->exact_log_partition() - model->log_base_partition();
  Moments moments;
  for (const double value : doubles(weights)) moments.add({std::exp(value - log_ratio)});
  EXPECT_LT(moments.largest_z({1}, 1e-5), 5.5);  // skewed: normal quantiles would be too narrow
}

// ---------------------------------------------------------------- learning and data

Dataset two_scales(std::int64_t rows) {
  Dataset data;
  data.spec = data.name = "two scales";
  data.shape = {3}, data.values = ValueKind::real, data.binarize = "none";
  Rng rng(61);
  Tensor x = normal_tensor({rows, 3}, 1, rng);
  for (std::int64_t r = 0; r < rows; ++r)
    if (rng.uniform() < 0.5) x[r].mul_(at::tensor({4.0F, 0.2F, 0.2F}));
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = x.narrow(0, 0, rows / 2), data.valid.x = x.narrow(0, rows / 2, rows / 2).clone();
  return data;
}

double mean_log_prob(const SpikeSlabRbm& model, const Tensor& x) {
  return -model.free_energy({x, {}}).mean().item<double>() - *model.exact_log_partition();
}

// The log-density of the Gaussian with these rows' moments, which is the best without hidden units.
double gaussian_log_prob(const Tensor& x) {
  const Tensor variance = x.to(at::kDouble).var(0, false);
  return -0.5 * (variance.log() + 1 + std::log(2 * M_PI)).sum().item<double>();
}

TEST(SpikeSlabRbmTraining, LearnsASetOfTwoScalesBetterThanAGaussian) {
  const Dataset data = two_scales(2000);
  const runs::Assignments how = {"model.hidden=4", "model.weight_scale=0.3", "training.epochs=60",
                                 "training.batch=50", "training.rate=0.01"};
  const Settings settings = runs::settings_of(how, "spike_slab_rbm");
  const auto model = std::dynamic_pointer_cast<SpikeSlabRbm>(make_model(settings, data));
  ASSERT_TRUE(model);
  Trainer trainer(model, data, runs::settings_of(how, "spike_slab_rbm"), 3);
  runs::StopAfter never;
  trainer.run(never);
  EXPECT_GT(mean_log_prob(*model, data.valid.x), gaussian_log_prob(data.valid.x) + 0.2);
}

TEST(SpikeSlabRbmTraining, StoppedAndResumedIsTheSame) {
  const Dataset data = two_scales(120);
  for (const char* learning : {"pcd", "cd"}) {
    const runs::Assignments how = {"model.hidden=5", "training.batch=20", "training.epochs=3",
                                   "training.chains=7", std::string("training.learning=") + learning};
    runs::expect_equal_runs(runs::straight(how, data, 7, "spike_slab_rbm"),
                            runs::in_sittings(how, data, {2, 3}, 7, "spike_slab_rbm"), learning);
  }
}

TEST(SpikeSlabRbmTraining, NeedsNoValidationRows) {
  const auto model = machine(3, 2, 73);
  Rng rng(79);
  const Metrics metrics = model->diagnose({normal_tensor({20, 3}, 1, rng), {}}, {}, rng);
  EXPECT_TRUE(std::isfinite(runs::metric(metrics, "chain_free_energy_gap")));
  for (const auto& [name, value] : metrics) EXPECT_EQ(name.find("valid"), std::string::npos);
  EXPECT_EQ(model->diverged(metrics), "");
  EXPECT_NE(model->diverged({{"chain_free_energy_gap", std::nan("")}}), "");
}

TEST(SpikeSlabRbmData, MissingCellsAreFilledForTrainingAndOwedToTheScores) {
  const auto model = machine(3, 2, 67);
  Rng rng(71);
  Tensor x = normal_tensor({10, 3}, 1, rng);
  x[2][1] = std::nanf("");
  model->check_data(x, "rows");
  model->gradients({x, {}}, {}, rng);
  for (const Tensor& p : model->parameters()) EXPECT_TRUE(p.grad().isfinite().all().item<bool>());
  EXPECT_FALSE(model->marginal_free_energy({x, {}}));
  EXPECT_TRUE(x[2][1].isnan().item<bool>()) << "the argument was changed";
  x[2][1] = std::numeric_limits<float>::infinity();
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "rows"); }), {"row 2", "column 1"});
}

}  // namespace
}  // namespace deepgen::spike_slab_rbm_test
