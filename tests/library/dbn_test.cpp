// The deep belief network against enumeration of all its units.
#include <numbers>

#include "tests/library/small_dbns.h"

namespace deepgen::dbn_test {
namespace {

using namespace small_dbns;

TEST(Dbn, ProbabilitiesOfItsCasesSumToOne) {
  for (const Wanted& wanted : stacks) {
    const PlainDbn plain(*random_dbn(wanted, 1, 3));
    EXPECT_NEAR(std::exp(log_sum_exp(plain.cases)), 1, 1e-9) << wanted.layers;
  }
}

// The weights' mean is p(v), one case at a time.
TEST(Dbn, ImportanceWeightsAreRightOnAverage) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 0.4, 5);
    const Tensor truth = at::tensor(PlainDbn(*dbn).cases, at::kDouble);
    Rng rng(7);
    Moments moments;
    for (int repeat = 0; repeat < 60; ++repeat)
      moments.add(doubles((bound_of_states(*dbn, 200, rng) - truth).exp()));
    EXPECT_LT(moments.largest_z(Doubles(64, 1), 1e-4), 5.5) << wanted.layers;  // 64 at once
  }
}

TEST(Dbn, TheEstimateOfManyDrawsComesToTheTruth) {
  const auto dbn = random_dbn({.layers = "5,4,3"}, 0.7, 9);
  const Doubles truth = PlainDbn(*dbn).cases;
  Rng rng(11);
  const Doubles few = doubles(bound_of_states(*dbn, 10, rng)),
                many = doubles(bound_of_states(*dbn, 20000, rng));
  double far = 0, near = 0;
  for (std::size_t s = 0; s < truth.size(); ++s)
    far += std::abs(few[s] - truth[s]), near += std::abs(many[s] - truth[s]);
  EXPECT_LT(near / 64, 0.1);
  EXPECT_LT(near, far / 5);
}

TEST(Dbn, OneDrawIsTheVariationalBound) {
  for (const Wanted& wanted : {stacks[0], stacks[1]}) {
    const auto dbn = random_dbn(wanted, 1, 13);
    const PlainDbn plain(*dbn);
    Doubles bounds;
    for (std::int64_t v = 0; v < 64; ++v) {
      bounds.push_back(plain.bound(v));
      EXPECT_LE(bounds.back(), plain.cases[size(v)] + 1e-9) << v;
    }
    EXPECT_LT(sum_of(bounds) / 64, sum_of(plain.cases) / 64 - 0.01) << "the case shows nothing";
    Rng rng(17);
    Moments moments;
    for (int repeat = 0; repeat < 400; ++repeat) moments.add(doubles(bound_of_states(*dbn, 1, rng)));
    EXPECT_LT(moments.largest_z(bounds, 1e-4), 5.5) << wanted.layers;
  }
}

// ---------------------------------------------------------------- layer by layer

// The network of which layer 1 alone has begun is its machine, and scored as such.
TEST(Dbn, OneLayerIsItsMachine) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 19);
  Rng rng(1);
  dbn->begin_stage({.stage = 0}, some_rows(60, 1), rng);
  EXPECT_EQ(dbn->depth(), 1U);
  const Tensor bound = dbn->log_prob_bound(all_states(columns), 3, rng);
  expect_near(doubles(bound), doubles(-dbn->machine(0).free_energy(all_states(columns))), 1e-9, "one layer");
  EXPECT_EQ(*dbn->exact_log_partition(), *dbn->machine(0).exact_log_partition());
}

// Layer 1 of random weights, and layer 2 as it begins upon it.
std::shared_ptr<Dbn> begun_dbn(const Wanted& wanted, const Tensor& rows, std::uint64_t seed) {
  const auto dbn = new_dbn(wanted, rows, seed);
  Rng rng(seed + 1);
  dbn->begin_stage({.stage = 0}, rows, rng);
  randomise_layer(*dbn, "layer1", 1, rng);
  dbn->begin_stage({.stage = 1}, rows, rng);
  return dbn;
}

TEST(Dbn, ALayerThatBeginsAsTheTransposeLeavesTheBoundAsItIs) {
  for (const std::string layers : {"4,6", "4,9"}) {
    const auto dbn = begun_dbn({.layers = layers, .weight_scale = 0}, some_rows(60, 2), 23);
    ASSERT_EQ(dbn->depth(), 2U);
    const PlainRbm below(dbn->machine(0));
    Doubles truth = below.log_unnormalised();
    const double log_z = below.log_z();
    for (double& each : truth) each -= log_z;
    const PlainDbn plain(*dbn);
    expect_near(plain.cases, truth, 1e-9, "log p");
    Rng rng(29);
    for (const std::int64_t draws : {1, 3})  // whatever is drawn
      expect_near(doubles(bound_of_states(*dbn, draws, rng)), truth, 1e-4, layers);
    for (std::int64_t v = 0; v < 64; ++v) ASSERT_NEAR(plain.bound(v), truth[size(v)], 1e-9);
  }
}

TEST(Dbn, ALayerThatBeginsAtRandomLowersIt) {
  for (const Wanted& wanted : {Wanted{.layers = "4,6", .start = "random"}, Wanted{.layers = "4,5"}}) {
    const auto dbn = begun_dbn(wanted, some_rows(60, 2), 23);
    const PlainRbm below(dbn->machine(0));
    const PlainDbn plain(*dbn);
    const Doubles logs = below.log_unnormalised(), p = probabilities(logs);
    double lost = 0;  // of rows of the machine itself
    for (std::size_t v = 0; v < p.size(); ++v)
      lost += p[v] * (logs[v] - below.log_z() - plain.bound(static_cast<std::int64_t>(v)));
    EXPECT_GT(lost, 0.01) << wanted.layers;
  }
}

// A draw for each of 300 copies of a row stands for q; what is left of its noise moves the bound by less than
// the slack.
TEST(Dbn, ExactLearningOfALayerNeverLowersTheBound) {
  constexpr double slack = 2e-3;
  const Tensor rows = some_rows(40, 31), copies = rows.repeat({300, 1});
  const auto dbn = begun_dbn({.layers = "4,6", .learning = "exact", .weight_scale = 0}, rows, 37);
  const double first = PlainDbn(*dbn).mean_bound(rows),
               of_machine = PlainRbm(dbn->machine(0)).mean_log_prob(rows);
  EXPECT_NEAR(first, of_machine, 1e-6);
  const Phase layer = dbn->stages()[1].phases[0];
  Rng rng(41);
  double before = first;
  for (int step = 0; step < 100; ++step) {
    const Turn turn{.stage = 1, .step = step, .steps = 100};
    dbn->gradients(copies, turn, rng);
    NoGradGuard no_graph;
    for (Tensor parameter : layer.parameters) parameter.sub_(parameter.grad(), 0.1);
    dbn->project(turn);
    if (step % 10 != 9) continue;
    const double now = PlainDbn(*dbn).mean_bound(rows);
    EXPECT_GT(now, before - slack) << step;
    before = now;
  }
  EXPECT_GT(before, first + 0.02);
}

// ---------------------------------------------------------------- other units

double log_normal(double x, double mean, double variance) {
  return -(std::log(2 * std::numbers::pi * variance) + (x - mean) * (x - mean) / variance) / 2;
}

// Summed over all states of layer 1: the mean of a case is b + sigma W h, its variance sigma^2 = exp(z).
TEST(Dbn, GaussianCasesHaveTheDensityOfTheirDefinition) {
  DbnOptions options;
  options.layers = "4,3";
  Dbn dbn(options, {}, {3, {3}, 0, ValueKind::real, {}});
  Rng rng(73);
  dbn.initialise(normal_tensor({60, 3}, 1.3, rng), rng);
  randomise(dbn, 0.4, rng);
  const PlainRbm top(dbn.machine(1));
  const Doubles logs = top.log_unnormalised(), w = doubles(dbn.machine(0).weights),
                b = doubles(dbn.machine(0).visible_bias), z = doubles(dbn.machine(0).visible_log_variance);
  const Tensor x = normal_tensor({8, 3}, 1, rng);
  Doubles truth;
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    const Doubles row = doubles(x[r]);
    Doubles terms;
    for (std::size_t h = 0; h < logs.size(); ++h) {
      double sum = logs[h] - top.log_z();
      for (std::size_t i = 0; i < 3; ++i) {
        double input = 0;
        for (std::size_t j = 0; j < 4; ++j) input += (h >> j & 1) != 0 ? w[i * 4 + j] : 0;
        sum += log_normal(row[i], b[i] + std::exp(z[i] / 2) * input, std::exp(z[i]));
      }
      terms.push_back(sum);
    }
    truth.push_back(log_sum_exp(terms));
  }
  const Tensor estimate = dbn.log_prob_bound(x, 20000, rng) - *dbn.exact_log_partition();
  expect_near(doubles(estimate), truth, 0.05, "log p");
}

// Without weights, and with layer 1 alike in both machines, cases are independent units whatever is drawn.
TEST(Dbn, CasesOfAnyUnitsAreIndependentWithoutWeights) {
  const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 2},
                                          {ColumnKind::softmax, 2, 3},
                                          {ColumnKind::gaussian, 5, 2},
                                          {ColumnKind::count, 7, 1},
                                          {ColumnKind::mean_field, 8, 1}};
  const DataShape shape{9, {9}, 0, ValueKind::mixed, table};
  for (const std::string kind : {"binary", "softmax", "stepped", "mean_field"}) {
    DbnOptions options;
    options.layers = "4,4", options.hidden_units = kind, options.start = "random", options.weight_scale = 0;
    Dbn dbn(options, {}, shape);
    Rng rng(79);
    const Tensor x = rows_of_shape(shape, 50, rng);
    dbn.initialise(x, rng);
    NoGradGuard no_graph;
    Tensor(dbn.machine(0).hidden_bias).copy_(dbn.machine(1).visible_bias);
    Tensor(dbn.machine(0).visible_log_variance).fill_(0.3);
    const NaturalParameters p = dbn.machine(0).visible_natural();
    const UnitLayer& layer = dbn.machine(0).visible_layer();
    const Tensor truth = layer.log_weight(x, p.theta, p.gamma) - layer.log_partition(p.theta, p.gamma);
    const UnitLayer& below = dbn.top().visible_layer();
    const double log_z = below.log_partition(dbn.top().visible_bias, {}).item<double>() +
                         dbn.top().hidden_layer().log_partition(at::zeros({4}), {}).item<double>();
    expect_near(doubles(dbn.log_prob_bound(x, 3, rng) - log_z), doubles(truth), 1e-4, kind);
  }
}

// Layers of kinds of their own: counts of copies below, bits above.
TEST(Dbn, WeightsOfAllCasesSumToOneUnderRectifiedUnits) {
  DbnOptions options;
  options.layers = "3,4", options.hidden_units = "rectified,binary";
  Dbn dbn(options, {}, bits_shape(columns));
  EXPECT_TRUE(dbn.machine(1).visible_layer().all(UnitKind::rectified));
  EXPECT_TRUE(dbn.machine(1).hidden_layer().all(UnitKind::binary));
  Rng rng(83);
  dbn.initialise(some_rows(60, 83), rng);
  randomise(dbn, 0.2, rng);
  Moments moments;
  for (int repeat = 0; repeat < 200; ++repeat)
    moments.add({bound_of_states(dbn, 20, rng).exp().sum().item<double>()});
  EXPECT_LT(moments.largest_z({1}, 1e-4), 5.5);
}

}  // namespace
}  // namespace deepgen::dbn_test
