// The optimiser, the softmax regression and the standardisation that judge features.
#include "deepgen/evaluate/linear_classifier.h"

#include "tests/library/machines.h"

namespace deepgen::linear_classifier_test {
namespace {

using namespace machines;

struct Problem {
  Tensor x;
  std::vector<std::int64_t> labels;
};

// Clouds around corners `distance` apart, class by class in turn.
Problem clouds(std::int64_t rows, std::int64_t columns, std::int64_t classes, double distance,
               std::uint64_t seed) {
  Rng rng(seed);
  Problem p{normal_tensor({rows, columns}, 1, rng), {}};
  for (std::int64_t i = 0; i < rows; ++i) {
    p.labels.push_back(i % classes);
    p.x.data_ptr<float>()[i * columns + i % classes] += static_cast<float>(distance);
  }
  return p;
}

double error_of(const LinearClassifier& classifier, const Problem& p) {
  const Tensor wrong = classifier.predict(p.x).ne(at::tensor(p.labels, at::kLong));
  return wrong.to(at::kDouble).mean().item<double>();
}

TEST(Minimise, FindsTheMinimumOfACurvedValley) {
  const Objective rosenbrock = [](const Doubles& x, Doubles& g) {
    const double a = 1 - x[0], b = x[1] - x[0] * x[0];
    g = {-2 * a - 400 * x[0] * b, 200 * b};
    return a * a + 100 * b * b;
  };
  const Minimum minimum =
      minimise(rosenbrock, {-1.2, 1}, {.tolerance = 1e-9, .most_steps = 200, .after = {}});
  EXPECT_TRUE(minimum.converged);
  EXPECT_NEAR(minimum.x[0], 1, 1e-8);
  EXPECT_NEAR(minimum.x[1], 1, 1e-8);
  EXPECT_LT(minimum.steps, 60);
}

TEST(Minimise, LearnsTheCurvature) {
  const Objective bowl = [](const Doubles& x, Doubles& g) {  // curvatures from 1 to 1000
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double curvature = std::pow(1000.0, real(static_cast<std::int64_t>(i)) / 19);
      g[i] = curvature * x[i];
      value += curvature * x[i] * x[i] / 2;
    }
    return value;
  };
  // Steepest descent would need some ten thousand steps.
  const Minimum minimum =
      minimise(bowl, Doubles(20, 1.0), {.tolerance = 1e-6, .most_steps = 300, .after = {}});
  EXPECT_TRUE(minimum.converged) << minimum.gradient_size;
}

TEST(Minimise, SaysWhenItDidNotConverge) {
  const Objective slope = [](const Doubles& x, Doubles& g) {  // no minimum: it falls for ever
    g = {-std::exp(-x[0])};
    return std::exp(-x[0]);
  };
  EXPECT_FALSE(minimise(slope, {0}, {.tolerance = 1e-30, .most_steps = 7, .after = {}}).converged);
  const Objective kink = [](const Doubles& x, Doubles& g) {  // its gradient never shrinks
    g = {x[0] < 0.3 ? -1.0 : 1.0};
    return std::abs(x[0] - 0.3);
  };
  const Minimum minimum = minimise(kink, {5});
  EXPECT_FALSE(minimum.converged);
  EXPECT_LT(minimum.value, 4.7);
}

TEST(Minimise, StaysOutsideWhereTheFunctionIsNotFinite) {
  const Objective barrier = [](const Doubles& x, Doubles& g) {  // x - log x, undefined at 0 and below
    g = {1 - 1 / x[0]};
    return x[0] - std::log(x[0]);
  };
  EXPECT_NEAR(minimise(barrier, {30}).x[0], 1, 1e-4);
  EXPECT_THROW(minimise(barrier, {-1}), Error);
}

TEST(LinearClassifier, GradientAgreesWithDifferences) {
  const Problem p = clouds(40, 5, 3, 1, 3);
  SoftmaxObjective objective(p.x, p.labels, 3, 0.1);
  Doubles at(size(objective.parameters())), gradient(at.size()), other(at.size());
  ASSERT_EQ(at.size(), 18U);
  Rng rng(4);
  for (double& w : at) w = rng.normal();
  const double value = objective(at, gradient);
  EXPECT_GT(value, 0);
  // The values have seven digits: steps of 1e-2 leave some 1e-5 of rounding and 1e-4 of curvature.
  const double step = 1e-2;
  for (std::size_t i = 0; i < at.size(); ++i) {
    Doubles up = at, down = at;
    up[i] += step, down[i] -= step;
    const double slope = (objective(up, other) - objective(down, other)) / (2 * step);
    EXPECT_NEAR(gradient[i], slope, 3e-4) << i;
  }
}

TEST(LinearClassifier, ValueIsThePenalisedMeanOverRows) {
  const Problem p = clouds(6, 2, 2, 1, 5);
  SoftmaxObjective objective(p.x, p.labels, 2, 0.5);
  Doubles gradient(6);
  EXPECT_NEAR(objective(Doubles(6), gradient), std::log(2.0), 1e-12);
  const Doubles w = {0.5, -1, 2, 0.25, 0.1, -0.3};
  double wanted = 0.25 * (0.25 + 1 + 4 + 0.0625);  // biases go free
  const Doubles x = doubles(p.x);
  for (std::size_t n = 0; n < 6; ++n) {
    const Doubles logits = {w[0] * x[2 * n] + w[1] * x[2 * n + 1] + w[4],
                            w[2] * x[2 * n] + w[3] * x[2 * n + 1] + w[5]};
    wanted += (log_sum_exp(logits) - logits[size(p.labels[n])]) / 6;
  }
  EXPECT_NEAR(objective(w, gradient), wanted, 1e-6);
}

TEST(LinearClassifier, TheOptimumIsStationary) {
  const Problem p = clouds(500, 20, 4, 1.5, 6);
  for (const double penalty : {1e-1, 1e-3, 1e-5}) {
    const LinearClassifier fitted = fit_linear_classifier(p.x, p.labels, 4, penalty);
    EXPECT_TRUE(fitted.converged) << penalty;
    Doubles at = doubles(fitted.weights);
    const Doubles biases = doubles(fitted.biases);
    at.insert(at.end(), biases.begin(), biases.end());
    Doubles gradient(at.size());
    const double least = SoftmaxObjective(p.x, p.labels, 4, penalty)(at, gradient);
    for (const double slope : gradient) ASSERT_NEAR(slope, 0, 2e-5) << penalty;
    // Nowhere near is it lower.
    Rng rng(7);
    for (int trial = 0; trial < 5; ++trial) {
      Doubles near = at;
      for (double& w : near) w += 0.05 * rng.normal();
      EXPECT_GT(SoftmaxObjective(p.x, p.labels, 4, penalty)(near, gradient), least);
    }
  }
}

TEST(LinearClassifier, AWarmStartReachesTheSameOptimumSooner) {
  const Problem p = clouds(500, 20, 4, 1.5, 8);
  const LinearClassifier strong = fit_linear_classifier(p.x, p.labels, 4, 1e-2);
  const LinearClassifier cold = fit_linear_classifier(p.x, p.labels, 4, 9e-3);
  const LinearClassifier warm = fit_linear_classifier(p.x, p.labels, 4, 9e-3, {}, &strong);
  EXPECT_LT(warm.steps, cold.steps);
  expect_near(doubles(warm.weights), doubles(cold.weights), 5e-3, "weights");
}

TEST(LinearClassifier, SeparableCloudsLeaveNoError) {
  const Problem p = clouds(300, 4, 3, 30, 9);
  EXPECT_EQ(error_of(fit_linear_classifier(p.x, p.labels, 3, 1e-4), p), 0);
}

TEST(LinearClassifier, FindsTheBestErrorOfTwoClouds) {
  // Two clouds sqrt(2) * 2 apart: no rule errs less than Phi(-sqrt(2)) = 7.865 %. 20,000 fresh rows: a
  // deviation of 0.19 %; four of them and 0.1 % for what 20,000 training rows cannot tell.
  const Problem learning = clouds(20000, 2, 2, 2, 10), fresh = clouds(20000, 2, 2, 2, 11);
  const LinearClassifier fitted = fit_linear_classifier(learning.x, learning.labels, 2, 1e-5);
  EXPECT_NEAR(100 * error_of(fitted, fresh), 7.865, 4 * 0.19 + 0.1);
}

TEST(LinearClassifier, ThreadsChangeNothing) {
  const Problem p = clouds(3000, 300, 7, 1, 12);
  auto fit = [&](int count) {
    const Threads some(count);
    return fit_linear_classifier(p.x, p.labels, 7, 1e-3);
  };
  const LinearClassifier one = fit(1), three = fit(3);
  EXPECT_EQ(one.steps, three.steps);
  expect_bit_equal(one.weights, three.weights, "weights");
  expect_bit_equal(one.biases, three.biases, "biases");
}

TEST(Standardiser, MeansDeviationsAndConstantColumns) {
  Tensor x = at::tensor({1.0F, 1e6F, 0.1F, 3.0F, 1e6F + 2, 0.1F, 5.0F, 1e6F + 4, 0.1F}).view({3, 3});
  const Standardiser standardiser(x);
  standardiser.apply(x);
  const double unit = std::sqrt(1.5);  // 2 over the deviation sqrt(8 / 3)
  expect_near(doubles(x), {-unit, -unit, 0, 0, 0, 0, unit, unit, 0}, 1e-6, "standardised");
  Tensor other = at::tensor({3.0F, 1e6F, 1.1F}).view({1, 3});
  standardiser.apply(other);
  expect_near(doubles(other), {0, -unit, 1}, 1e-6, "by the statistics of the first rows");
}

}  // namespace
}  // namespace deepgen::linear_classifier_test
