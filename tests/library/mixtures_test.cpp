// What only mixtures can get wrong: densities against plain double precision and quadrature, objectives that
// fall from pass to pass, fixed points that are none, floors, priors and weights.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include <cmath>
#include <numbers>

#include "deepgen/models/mixtures/bernoulli_mixture.h"
#include "deepgen/models/mixtures/gaussian_mixture.h"
#include "deepgen/models/mixtures/latent_class.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::mixtures_test {
namespace {

using namespace machines;

DataShape reals(std::int64_t columns) { return {columns, {columns}, 0, ValueKind::real, {}}; }

// A category and a number.
DataShape table(std::int64_t columns) {
  return {columns,
          {columns},
          0,
          ValueKind::mixed,
          {{ColumnKind::softmax, 0, columns - 1}, {ColumnKind::gaussian, columns - 1, 1}}};
}

std::shared_ptr<Mixture> mixture(const std::string& kind, std::int64_t count, std::int64_t columns,
                                 double pseudo_count, double smallest_deviation = 0.01) {
  if (kind == "bernoulli") {
    MixtureOptions options;
    options.components = count;
    MixtureLearning learning;
    learning.pseudo_count = pseudo_count;
    return std::make_shared<BernoulliMixture>(options, learning, bits_shape(columns));
  }
  GaussianMixtureLearning learning;
  learning.pseudo_count = pseudo_count, learning.smallest_deviation = smallest_deviation;
  if (kind == "table") {
    LatentClassOptions options;
    options.components = count;
    return std::make_shared<LatentClass>(options, learning, table(columns));
  }
  GaussianMixtureOptions options;
  options.components = count, options.covariance = kind;
  return std::make_shared<GaussianMixture>(options, learning, reals(columns));
}

// Rows of two clusters: with correlated columns, of bits, or of a category and a number.
Tensor rows_for(const std::string& kind, std::int64_t rows, std::int64_t columns, Rng& rng) {
  if (kind == "bernoulli") {
    Tensor x = bits_tensor(rows, columns, rng, 0.2);
    x.narrow(0, 0, rows / 2).copy_(bits_tensor(rows / 2, columns, rng, 0.7));
    return x;
  }
  Tensor x = normal_tensor({rows, columns}, 1, rng);
  if (kind == "table") {
    x.narrow(1, 0, columns - 1).zero_();
    for (std::int64_t i = 0; i < rows; ++i) {
      const bool likely = rng.uniform() < (i < rows / 2 ? 0.7 : 0.2);
      x[i][likely ? 0 : static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(columns - 1)))] = 1;
    }
    x.narrow(0, 0, rows / 2).select(1, columns - 1).add_(2.5);
    return x;
  }
  for (std::int64_t j = 1; j < columns; ++j) x.select(1, j).add_(x.select(1, j - 1), 0.7);
  x.narrow(0, 0, rows / 2).add_(2.5);
  return x;
}

Tensor with_gaps(const std::string& kind, const Tensor& x, double share, Rng& rng) {
  const Tensor missing = bits_tensor(x.size(0), x.size(1), rng, share) > 0.5;
  if (kind == "table")  // a category lacks all of its columns
    missing.narrow(1, 0, x.size(1) - 1).copy_(missing.narrow(1, 0, 1).clone());
  return x.masked_fill(missing, std::nanf(""));
}

double pass(Mixture& model, const Tensor& x, std::int64_t chunk = 37) {
  for (std::int64_t first = 0; first < x.size(0); first += chunk)
    model.gather({x.narrow(0, first, std::min(chunk, x.size(0) - first)), {}});
  return runs::metric(model.finish_pass(), "objective");
}

// The objective of the present parameters, which stay.
double objective_of(Mixture& model, const Tensor& x) {
  NoGradGuard no_graph;
  std::vector<Tensor> kept;
  for (const Tensor& each : model.parameters()) kept.push_back(each.detach().clone());
  const double value = pass(model, x, x.size(0));
  std::vector<Tensor> changed = model.parameters();
  for (std::size_t i = 0; i < kept.size(); ++i) changed[i].copy_(kept[i]);
  return value;
}

double mean_log_prob(Mixture& model, const Tensor& x) {
  double sum = 0;
  for (const double each : doubles(model.log_prob(x))) sum += each;
  return sum / real(x.size(0));
}

const std::vector<std::string> kinds = {"bernoulli", "diagonal", "full", "table"};

// ---------------------------------------------------------------- densities

TEST(MixtureDensity, OfBitsIsThatOfPlainDoublePrecision) {
  Rng rng(1);
  const auto model = mixture("bernoulli", 3, 6, 0);
  randomise(*model, 1.5, rng);
  const Doubles mixing = doubles(model->mixing),
                logits = doubles(model->named_parameters()["components.logits"]);
  const Tensor states = all_states(6);
  const Doubles ours = doubles(model->log_prob(states));
  for (std::int64_t s = 0; s < 64; ++s) {
    Doubles terms;
    for (std::int64_t k = 0; k < 3; ++k) {
      double sum = mixing[size(k)] - log_sum_exp(mixing);
      for (std::int64_t i = 0; i < 6; ++i) {
        const double p = 1 / (1 + std::exp(-logits[size(k * 6 + i)]));
        sum += std::log((s >> i & 1) == 1 ? p : 1 - p);
      }
      terms.push_back(sum);
    }
    ASSERT_NEAR(ours[size(s)], log_sum_exp(terms), 3e-6) << "state " << s;
  }
}

// A grid over [-12, 12]^2; the trapezoid rule is exact to 1e-9 for densities this smooth.
Tensor plane(std::int64_t points) {
  const Tensor line = at::linspace(-12, 12, points);
  return at::stack({line.repeat_interleave(points), line.repeat({points})}, 1).contiguous();
}

class GaussianDensity : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    Rng rng(3);
    model = mixture(GetParam(), 3, 2, 0);
    randomise(*model, 0.5, rng);
    grid = plane(points);
    log_prob = model->log_prob(grid);
  }
  static constexpr std::int64_t points = 241;
  const double cell = 24.0 / 240;
  std::shared_ptr<Mixture> model;
  Tensor grid, log_prob;
};

INSTANTIATE_TEST_SUITE_P(Kinds, GaussianDensity, ::testing::Values("diagonal", "full"),
                         [](const auto& about) { return about.param; });

TEST_P(GaussianDensity, IntegratesToOne) {
  EXPECT_NEAR(log_prob.exp().sum().item<double>() * cell * cell, 1, 1e-5);
}

TEST_P(GaussianDensity, OfAPartIsTheIntegralOverTheRest) {
  for (const std::int64_t missing : {0, 1}) {
    for (const double value : {-0.7, 0.2, 1.1}) {
      Tensor line = at::empty({points, 2});
      line.select(1, missing).copy_(at::linspace(-12, 12, points));
      line.select(1, 1 - missing).fill_(value);
      Tensor part = line.narrow(0, 0, 1).clone();
      part.select(1, missing).fill_(std::nanf(""));
      const double integral = model->log_prob(line).exp().sum().item<double>() * cell;
      EXPECT_NEAR(model->log_prob(part).item<double>(), std::log(integral), 1e-5) << missing << " " << value;
    }
  }
}

TEST_P(GaussianDensity, SamplesHaveItsMoments) {
  const Tensor p = log_prob.exp() * (cell * cell), wide = grid.to(at::kDouble);
  const Tensor mean = (wide * p.unsqueeze(1)).sum(0),
               cross = (wide.select(1, 0) * wide.select(1, 1) * p).sum();
  const Tensor squares = (wide.square() * p.unsqueeze(1)).sum(0);
  Doubles wanted = doubles(mean);
  for (const double each : doubles(squares)) wanted.push_back(each);
  wanted.push_back(cross.item<double>());
  Rng rng(5);
  const Tensor x = model->sample(40000, rng);
  Moments moments;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const double a = x[i][0].item<double>(), b = x[i][1].item<double>();
    moments.add({a, b, a * a, b * b, a * b});
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.1);  // five moments
}

TEST_P(GaussianDensity, CompletionsHaveTheMomentsOfTheConditional) {
  const double value = 0.4;
  Tensor line = at::empty({points, 2});
  line.select(1, 0).fill_(value), line.select(1, 1).copy_(at::linspace(-12, 12, points));
  Tensor p = model->log_prob(line).exp();
  p = p / p.sum();
  const Tensor missing = line.select(1, 1).to(at::kDouble);
  const double mean = (missing * p).sum().item<double>(),
               square = (missing.square() * p).sum().item<double>();
  Tensor x = at::full({40000, 2}, std::nanf(""));
  x.select(1, 0).fill_(value);
  Rng rng(7);
  const Tensor done = model->complete(x, rng);
  expect_bit_equal(done.select(1, 0).contiguous(), x.select(1, 0).contiguous(), "known cells");
  Moments moments;
  for (const double each : doubles(done.select(1, 1))) moments.add({each, each * each});
  EXPECT_LT(moments.largest_z({mean, square}, 1e-5), 5);  // two moments
}

// ---------------------------------------------------------------- fitting

TEST(MixtureFit, ObjectiveNeverFalls) {
  for (const std::string& kind : kinds)
    for (const double share : {0.0, 0.3})
      for (const double prior : {0.0, 0.1, 2.0}) {
        Rng rng(11);
        const Tensor x = with_gaps(kind, rows_for(kind, 150, 4, rng), share, rng);
        const auto model = mixture(kind, 4, 4, prior);
        model->initialise({x, {}}, rng);
        double before = pass(*model, x), first = before;
        for (int i = 0; i < 40; ++i) {
          const double now = pass(*model, x);
          // Parameters are float32: an objective at its maximum moves by the rounding of its logarithms.
          ASSERT_GE(now, before - 1e-6)
              << kind << ", gaps " << share << ", prior " << prior << ", pass " << i;
          before = now;
        }
        EXPECT_GT(before, first + 0.01) << kind;
      }
}

TEST(MixtureFit, TheObjectiveIsTheMeanLogProbabilityWithoutAPrior) {
  for (const std::string& kind : kinds) {
    Rng rng(13);
    const Tensor x = with_gaps(kind, rows_for(kind, 80, 3, rng), 0.2, rng);
    const auto model = mixture(kind, 2, 3, 0);
    model->initialise({x, {}}, rng);
    for (int i = 0; i < 3; ++i) {
      const double wanted = mean_log_prob(*model, x);
      EXPECT_NEAR(pass(*model, x), wanted, 1e-6) << kind;
    }
  }
}

// Where EM comes to rest no parameter can be moved to gain: its derivative, by central differences, is zero.
TEST(MixtureFit, EndsWhereTheGradientIsZero) {
  for (const std::string& kind : kinds)
    for (const double prior : {0.0, 5.0}) {
      Rng rng(17);
      const Tensor x = with_gaps(kind, rows_for(kind, 120, 3, rng), 0.25, rng);
      const auto model = mixture(kind, 2, 3, prior, 1e-4);
      model->initialise({x, {}}, rng);
      for (int i = 0; i < 1500; ++i) pass(*model, x, 120);
      NoGradGuard no_graph;
      for (auto& item : model->named_parameters()) {
        Tensor flat = item.value().view(-1);
        for (std::int64_t i = 0; i < flat.numel(); ++i) {
          const float kept = flat[i].item<float>();
          if (std::abs(kept) > 8) continue;  // a bit that is as good as certain
          flat[i] = kept + 0.01F;
          const double above = objective_of(*model, x);
          flat[i] = kept - 0.01F;
          const double below = objective_of(*model, x);
          flat[i] = kept;
          ASSERT_NEAR((above - below) / 0.02, 0, 2e-3)
              << kind << " " << item.key() << " " << i << ", prior " << prior;
        }
      }
    }
}

TEST(MixtureFit, AWeightOfTwoIsTheRowTwice) {
  for (const std::string& kind : kinds) {
    Rng rng(19);
    const Tensor x = with_gaps(kind, rows_for(kind, 60, 3, rng), 0.2, rng);
    Tensor weights = at::ones({60});
    weights.narrow(0, 0, 20).fill_(2);
    weights.narrow(0, 50, 10).fill_(0);
    const auto one = mixture(kind, 3, 3, 0.5), other = mixture(kind, 3, 3, 0.5);
    Rng a(23), b(23);
    one->initialise({x, {}}, a), other->initialise({x, {}}, b);
    const Tensor repeated = at::cat({x.narrow(0, 0, 20), x.narrow(0, 0, 20), x.narrow(0, 20, 30)});
    for (int i = 0; i < 5; ++i) {
      one->gather({x, {}, weights});
      EXPECT_NEAR(runs::metric(one->finish_pass(), "objective"), pass(*other, repeated, 70), 1e-5) << kind;
    }
    const auto ours = one->named_parameters(), theirs = other->named_parameters();
    for (const auto& item : ours)
      EXPECT_TRUE(at::allclose(item.value(), theirs[item.key()], 1e-3, 1e-4)) << kind << " " << item.key();
  }
}

TEST(MixtureFit, NoDeviationFallsBelowTheFloor) {
  for (const std::string kind : {"diagonal", "full"}) {
    Rng rng(29);
    Tensor x = normal_tensor({40, 2}, 3, rng);
    x.narrow(0, 0, 20).copy_(x.narrow(0, 0, 1).expand({20, 2}));  // twenty equal rows
    const auto model = mixture(kind, 3, 2, 0, 0.1);
    model->initialise({x, {}}, rng);
    for (int i = 0; i < 50; ++i) pass(*model, x);
    const Tensor spread = model->named_buffers()["components.spread"].sqrt() * 0.1;
    const auto name = kind == "full" ? "components.log_diagonal" : "components.log_deviation";
    const Tensor smallest = model->named_parameters()[name].detach().exp().to(at::kDouble);
    // Of a full covariance the diagonal of L is at least the root of the least eigenvalue, which has the
    // floor.
    EXPECT_TRUE((smallest >= spread * 0.999).all().item<bool>()) << kind;
    EXPECT_TRUE((smallest <= spread * 1.01).any().item<bool>()) << kind << ": the floor was never reached";
    EXPECT_TRUE(model->log_prob(x).isfinite().all().item<bool>()) << kind;
  }
}

TEST(MixtureFit, FindsClustersThatAreFarApart) {
  for (const std::string kind : {"diagonal", "full"}) {
    Rng rng(31);
    Tensor x = normal_tensor({300, 2}, 1, rng);
    x.narrow(0, 0, 100).select(1, 0).add_(30);
    x.narrow(0, 100, 100).select(1, 1).add_(-30);
    const auto model = mixture(kind, 3, 2, 0.1);
    model->initialise({x, {}}, rng);
    for (int i = 0; i < 100; ++i) pass(*model, x);
    const Tensor code = as<CanEncode>(*model)->encode(x);
    for (std::int64_t first : {0, 100, 200}) {
      const Tensor share = code.narrow(0, first, 100).mean(0);
      EXPECT_GT(share.max().item<double>(), 0.99) << kind << ": rows from " << first;
    }
  }
}

TEST(MixtureFit, MoreComponentsThanRowsAreNoTrouble) {
  for (const std::string& kind : kinds)
    for (const double prior : {0.0, 0.1}) {
      Rng rng(37);
      const Tensor x = rows_for(kind, 3, 2, rng);
      const auto model = mixture(kind, 8, 2, prior);
      model->initialise({x, {}}, rng);
      for (int i = 0; i < 20; ++i) pass(*model, x);
      EXPECT_TRUE(model->log_prob(x).isfinite().all().item<bool>()) << kind << ", prior " << prior;
    }
}

TEST(MixtureFit, RestartsKeepTheBestBeginning) {
  Rng rng(41);
  const Tensor x = rows_for("diagonal", 200, 2, rng);
  GaussianMixtureOptions options;
  options.components = 5;
  auto value_with = [&](std::int64_t restarts) {
    GaussianMixtureLearning learning;
    learning.restarts = restarts;
    GaussianMixture model(options, learning, reals(2));
    Rng own(43);
    model.initialise({x, {}}, own);
    return pass(model, x);
  };
  const double two = value_with(2), many = value_with(12);  // the first two of the many are the two
  EXPECT_GE(many, two - 1e-9);
  EXPECT_GT(two, value_with(1));  // one has had no passes yet
}

}  // namespace
}  // namespace deepgen::mixtures_test
