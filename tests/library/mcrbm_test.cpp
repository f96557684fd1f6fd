// Mean-covariance machines (mcrbm, mpot) against their energies written plainly: sums over the hidden units,
// slopes and gradients by automatic differentiation, log Z and chains in one column by integration, the
// gauge. (Annealing increments, clamping, threads: energy_laws_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/mean_covariance.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::mcrbm_test {
namespace {

using namespace machines;

struct Sizes {
  std::int64_t columns = 4, factors = 5, units = 3, mean_units = 2;
};

template <class Machine>
std::shared_ptr<MeanCovarianceMachine> machine(const Sizes& sizes, double scale, std::uint64_t seed) {
  MeanCovarianceOptions options;
  options.factors = sizes.factors, options.covariance_units = sizes.units,
  options.mean_units = sizes.mean_units;
  MeanCovarianceLearning how;
  how.chains = 30, how.leapfrogs = 6;
  const DataShape data{sizes.columns, {sizes.columns}, 0, ValueKind::real, {}};
  auto model = std::make_shared<Machine>(options, how, data);
  Rng rng(seed);
  model->initialise({normal_tensor({80, sizes.columns}, 1.3, rng) + 0.3, {}}, rng);
  randomise(*model, scale, rng);
  return model;
}

std::vector<std::shared_ptr<MeanCovarianceMachine>> both(const Sizes& sizes, double scale,
                                                         std::uint64_t seed) {
  return {machine<Mcrbm>(sizes, scale, seed), machine<Mpot>(sizes, scale, seed)};
}

bool is_student(const MeanCovarianceMachine& model) { return dynamic_cast<const Mpot*>(&model) != nullptr; }

// F in float64 with a graph.
struct Twin {
  explicit Twin(const MeanCovarianceMachine& model)
      : student(is_student(model)), mean(model.data_mean.to(at::kDouble)) {
    for (const Tensor& p : model.parameters())
      leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
  }
  Tensor free_energy(const Tensor& v) const {
    const Tensor &filters = leaves[0], &pool = leaves[1], &gate = leaves[2], &w = leaves[3], &b = leaves[4],
                 &c = leaves[5];
    const Tensor u = v.to(at::kDouble) - mean, q = u.mm(filters).square().mm(pool.clamp_min(0)) / 2;
    const Tensor own = (leaves[6].exp() * u.square() / 2 - c * u).sum(1);
    const Tensor gated = student ? (gate.exp() * at::log1p(q)).sum(1) : -at::softplus(gate - q, 1, 40).sum(1);
    return own + gated - at::softplus(u.mm(w) + b, 1, 40).sum(1);
  }
  bool student;
  Tensor mean;
  std::vector<Tensor> leaves;  // factors, pooling, gate, weights, hidden_bias, visible_bias, log_precision
};

TEST(MeanCovariance, EnergyAndSlopeEqualTheTwin) {
  for (const double scale : {0.2, 1.0})
    for (const auto& model : both({}, scale, 3)) {
      Rng rng(5);
      const Twin twin(*model);
      const Tensor v = normal_tensor({40, 4}, 1.5, rng);
      const Tensor wide = v.to(at::kDouble).requires_grad_(true);
      const Tensor wanted = twin.free_energy(wide);
      EXPECT_LT((model->free_energy({v, {}}) - wanted).abs().max().item<double>(), 2e-4);
      const Tensor slope = torch::autograd::grad({wanted.sum()}, {wide})[0];
      expect_near(doubles(model->slope(v)), doubles(slope), 5e-4, "slope");
    }
}

// The hidden units of either kind, written out: binary ones summed over their states, Gamma ones integrated.
TEST(MeanCovariance, HiddenUnitsSummedOutGiveTheFreeEnergy) {
  const Sizes sizes{.columns = 2, .factors = 2, .units = 2, .mean_units = 1};
  for (const auto& model : both(sizes, 0.6, 7)) {
    const Doubles filters = doubles(model->factors), pool = doubles(model->pooling.clamp_min(0)),
                  gate = doubles(model->covariance_bias), w = doubles(model->weights),
                  c = doubles(model->visible_bias), lambda = doubles(model->log_precision.exp()),
                  m = doubles(model->data_mean);
    const double b = model->hidden_bias.item<double>();
    auto log_weight = [&](const Doubles& v) {
      const Doubles u = {v[0] - m[0], v[1] - m[1]};
      double sum = 0, mean_input = b;
      for (std::size_t d = 0; d < 2; ++d)
        sum += c[d] * u[d] - lambda[d] * u[d] * u[d] / 2, mean_input += w[d] * u[d];
      sum += std::log1p(std::exp(mean_input));
      for (std::size_t k = 0; k < 2; ++k) {
        double q = 0;
        for (std::size_t f = 0; f < 2; ++f) {
          const double y = filters[f] * u[0] + filters[2 + f] * u[1];
          q += pool[2 * f + k] * y * y / 2;
        }
        if (!is_student(*model)) {
          sum += log_sum_exp({0, gate[k] - q});
          continue;
        }
        // int_0^inf t^(g - 1) e^(-t (1 + q)) dt = Gamma(g) (1 + q)^-g, over x = log t.
        const double g = std::exp(gate[k]);
        double integral = 0;
        for (double x = -60; x < 8; x += 0.005) integral += 0.005 * std::exp(g * x - std::exp(x) * (1 + q));
        sum += std::log(integral) - std::lgamma(g);
      }
      return sum;
    };
    for (const Doubles& v : {Doubles{0.1, 0.2}, Doubles{-1.5, 2.5}, Doubles{3, 0}}) {
      const Tensor row = at::tensor({v[0], v[1]}, at::kFloat).unsqueeze(0);
      EXPECT_NEAR(-model->free_energy({row, {}}).item<double>(), log_weight(v), 1e-4);
    }
  }
}

TEST(MeanCovariance, GradientEqualsAutomaticDifferentiation) {
  for (const double scale : {0.2, 0.8})
    for (const auto& model : both({}, scale, 11)) {
      Rng rng(13);
      const Tensor x = normal_tensor({25, 4}, 1.2, rng);
      model->gradients({x, {}}, {}, rng);
      const Twin twin(*model);
      const Tensor loss = twin.free_energy(x).mean() - twin.free_energy(model->chains).mean();
      const auto wanted = torch::autograd::grad({loss}, twin.leaves);
      const auto ours = model->named_parameters();
      ASSERT_EQ(ours.size(), wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i)
        expect_near(doubles(ours[i].value().grad()), doubles(wanted[i]), 5e-4, ours[i].key());
    }
}

TEST(MeanCovariance, ProjectBringsFiltersToOneLengthAndKeepsTheEnergy) {
  for (const auto& model : both({}, 0.7, 17)) {
    Rng rng(19);
    const Tensor v = normal_tensor({30, 4}, 1.5, rng), before = model->free_energy({v, {}});
    model->project({});
    EXPECT_LT((model->free_energy({v, {}}) - before).abs().max().item<double>(), 5e-4);
    const Tensor lengths = (model->factors.square() * model->data_variance.unsqueeze(1)).sum(0);
    EXPECT_LT((lengths - 1).abs().max().item<double>(), 1e-5);
    EXPECT_GE(model->pooling.min().item<double>(), 0);
  }
}

// ---------------------------------------------------------------- chains and annealing in one column

// The density of a machine of one column on a grid.
struct Line {
  explicit Line(const MeanCovarianceMachine& model) {
    x = (at::arange(points, at::kFloat) + 0.5) * cell - reach;
    const Tensor logs = -model.free_energy({x.unsqueeze(1), {}});
    log_z = at::logsumexp(logs, 0).item<double>() + std::log(cell);
    p = (logs - log_z).exp() * cell;
  }
  Tensor draws(std::int64_t count, Rng& rng) const {
    const Doubles cumulative = doubles(p.cumsum(0));
    Tensor rows = at::empty({count, 1});
    for (std::int64_t r = 0; r < count; ++r) {
      const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, rng.uniform());
      const double place = x[found - cumulative.begin()].item<double>() + (rng.uniform() - 0.5) * cell;
      rows.data_ptr<float>()[r] = static_cast<float>(place);
    }
    return rows;
  }
  double moment(int power) const { return (x.to(at::kDouble).pow(power) * p).sum().item<double>(); }
  void expect_moments(const Tensor& rows, const std::string& what) const {
    Moments moments;
    for (const double v : doubles(rows)) moments.add({v, v * v, v * v * v * v});
    EXPECT_LT(moments.largest_z({moment(1), moment(2), moment(4)}, 1e-4), 5.1) << what;
  }
  static constexpr std::int64_t points = 20000;
  static constexpr double reach = 25, cell = 2 * reach / points;
  Tensor x, p;
  double log_z = 0;
};

constexpr Sizes one_column{.columns = 1, .factors = 3, .units = 2, .mean_units = 2};

TEST(MeanCovariance, AChainStartedAtTheModelStaysThere) {
  for (const auto& model : both(one_column, 0.8, 23)) {
    NoGradGuard no_graph;
    model->log_precision.zero_();
    const Line line(*model);
    Rng rng(29);
    model->step_length[0] = 0.4;
    const Tensor start = line.draws(40000, rng);
    line.expect_moments(start, "the start");
    line.expect_moments(model->chain_steps(start, 4, rng), "4 moves");
    const auto chains = model->anneal_from(start);
    Tensor weights = at::zeros({40000}, at::kDouble);
    chains->step(1, 1, weights, rng);
    EXPECT_EQ(weights.abs().max().item<double>(), 0);
    line.expect_moments(chains->states(rng), "annealed");
  }
}

TEST(MeanCovariance, AnnealingIsUnbiasedForThePartition) {
  for (const auto& model : both(one_column, 0.8, 31)) {
    NoGradGuard no_graph;
    model->log_precision.zero_();
    const Line line(*model);
    Rng rng(37);
    constexpr std::int64_t count = 20000;
    const auto chains = model->anneal_from_base(count, rng);
    Tensor weights = at::zeros({count}, at::kDouble);
    const Doubles betas = {0, 0.1, 0.3, 0.6, 1};
    for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], weights, rng);
    Moments moments;
    for (const double value : doubles(weights))
      moments.add({std::exp(value + model->log_base_partition() - line.log_z)});
    EXPECT_LT(moments.largest_z({1}, 1e-5), 5.5);  // skewed: normal quantiles would be too narrow
  }
}

// Held cells and the base's density of them.
TEST(MeanCovariance, TheBaseGivenSomeCellsIsAGaussianOfTheRest) {
  const auto model = machine<Mcrbm>({}, 0.5, 41);
  Tensor x = at::zeros({1, 4});
  x[0][1] = 2, x[0][2] = std::nanf("");
  const Doubles m = doubles(model->data_mean), variance = doubles(model->data_variance);
  double wanted = std::log(2 * M_PI * variance[2]) / 2;
  for (const std::size_t d : {0U, 1U, 3U}) {
    const double u = (d == 1 ? 2 : 0) - m[d];
    wanted -= u * u / (2 * variance[d]);
  }
  EXPECT_NEAR(model->log_base_partition_given(x).item<double>(), wanted, 1e-5);
}

// ---------------------------------------------------------------- learning

// Directions of two scales: a Gaussian knows their mean variance alone.
Dataset sparse_directions(std::int64_t rows) {
  Dataset data;
  data.spec = data.name = "sparse directions";
  data.shape = {3}, data.values = ValueKind::real, data.binarize = "none";
  Rng rng(43);
  const Tensor mixing = normal_tensor({3, 3}, 1, rng);
  Tensor sources = at::empty({rows, 3});
  for (std::int64_t i = 0; i < sources.numel(); ++i)
    sources.data_ptr<float>()[i] = static_cast<float>(rng.normal() * (rng.uniform() < 0.2 ? 3 : 0.3));
  const Tensor x = sources.mm(mixing);
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = x.narrow(0, 0, rows / 2).clone(), data.valid.x = x.narrow(0, rows / 2, rows / 2).clone();
  return data;
}

const runs::Assignments few = {"model.factors=4",   "model.covariance_units=3", "model.mean_units=2",
                               "training.batch=20", "training.chains=15",       "training.leapfrogs=5"};

TEST(MeanCovarianceTraining, StoppedAndResumedIsTheSame) {
  const Dataset data = sparse_directions(160);
  for (const char* model : {"mcrbm", "mpot"})
    for (const char* learning : {"pcd", "cd"}) {
      runs::Assignments how = few;
      how.push_back("training.epochs=3"), how.push_back(std::string("training.learning=") + learning);
      runs::expect_equal_runs(runs::straight(how, data, 7, model),
                              runs::in_sittings(how, data, {2, 4}, 7, model), model);
    }
}

// The step length is moved while training, and the energies of rows and chains come together.
TEST(MeanCovarianceTraining, ChainsStayWithTheData) {
  const Dataset data = sparse_directions(1000);
  for (const char* name : {"mcrbm", "mpot"}) {
    runs::Assignments how = few;
    how.push_back("training.epochs=15"), how.push_back("training.rate=0.01");
    const auto trainer = runs::trainer_for(how, data, 5, name);
    runs::StopAfter curve;
    trainer->run(curve);
    const Metrics& last = curve.curve.back();
    EXPECT_LT(std::abs(runs::metric(last, "chain_free_energy_gap")), 2) << name;
    EXPECT_GT(runs::metric(last, "acceptance"), 0.7) << name;
    EXPECT_NE(runs::metric(last, "step_length"), 0.1) << name;
  }
}

}  // namespace
}  // namespace deepgen::mcrbm_test
