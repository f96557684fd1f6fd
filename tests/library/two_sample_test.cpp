// Two-sample tests: false alarms as often as stated, alarms where there is a difference, and their statistics
// by the definition. Each statistical check fails by chance once in a million runs of a fresh seed.
#include "deepgen/evaluate/two_sample.h"

#include "tests/library/machines.h"

namespace deepgen::two_sample_test {
namespace {

using namespace machines;

// How many of `draws` p-values lie at or below `level`, against the binomial distribution this has under the
// null: its normal approximation at one in a million.
void expect_share_below(const Doubles& p_values, double level, bool exactly) {
  double count = 0;
  for (const double p : p_values) count += p <= level ? 1 : 0;
  const double n = static_cast<double>(p_values.size());
  const double deviation = std::sqrt(n * level * (1 - level));
  EXPECT_LT(count, n * level + one_in_a_million * deviation) << "at " << level;
  EXPECT_TRUE(!exactly || count > n * level - one_in_a_million * deviation) << count << " at " << level;
}

double plain_mmd2(const Tensor& a, const Tensor& b, double width) {
  const auto mean = [&](const Tensor& x, const Tensor& y, bool same) {
    double sum = 0, pairs = 0;
    for (std::int64_t i = 0; i < x.size(0); ++i)
      for (std::int64_t j = 0; j < y.size(0); ++j) {
        if (same && i == j) continue;
        const double square = (x[i] - y[j]).to(at::kDouble).square().sum().item<double>();
        sum += std::exp(-square / (2 * width * width)), pairs += 1;
      }
    return sum / pairs;
  };
  return mean(a, a, true) + mean(b, b, true) - 2 * mean(a, b, false);
}

TEST(Mmd, EqualsItsDefinition) {
  Rng rng(1), own(2);
  const Tensor a = normal_tensor({17, 5}, 1, rng), b = normal_tensor({23, 5}, 1, rng) + 0.7;
  const TestResult result = mmd_test(a, b, 50, own);
  EXPECT_NEAR(result.statistic, plain_mmd2(a, b, result.scale), 1e-5);
  const Tensor all = at::cat({a, b});
  Doubles distances;
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = 0; j < i; ++j) distances.push_back((all[i] - all[j]).norm().item<double>());
  std::sort(distances.begin(), distances.end());
  EXPECT_NEAR(result.scale, distances[distances.size() / 2], 1e-4);
}

TEST(Mmd, RaisesAsManyFalseAlarmsAsItSays) {
  Rng rng(3);
  Doubles p_values;
  double sum = 0;
  for (int i = 0; i < 300; ++i) {
    const TestResult result =
        mmd_test(normal_tensor({25, 4}, 1, rng), normal_tensor({35, 4}, 1, rng), 99, rng);
    p_values.push_back(result.p_value), sum += result.statistic;
  }
  for (const double level : {0.05, 0.1, 0.5, 0.9}) expect_share_below(p_values, level, true);
  EXPECT_NEAR(sum / 300, 0, 0.003) << "unbiased";  // single estimates have a deviation of some 0.01
}

TEST(Mmd, SeesAShiftAndAnotherSpread) {
  Rng rng(4);
  const Tensor a = normal_tensor({200, 10}, 1, rng), b = normal_tensor({200, 10}, 1, rng);
  EXPECT_EQ(mmd_test(a, b + 0.5, 999, rng).p_value, 0.001);
  EXPECT_EQ(mmd_test(a, b * 1.5, 999, rng).p_value, 0.001);
  EXPECT_GT(mmd_test(a, b + 0.5, 10, rng).statistic, 0.01);
}

TEST(Mmd, TellsNothingOfRowsThatAreAllEqual) {
  Rng rng(5);
  const TestResult result = mmd_test(at::ones({9, 3}), at::ones({9, 3}), 20, rng);
  EXPECT_EQ(result.p_value, 1);
  EXPECT_EQ(result.statistic, 0);
}

TEST(Mmd, DoesNotDependOnTheNumberOfThreads) {
  Rng rng(6);
  const Tensor a = normal_tensor({300, 40}, 1, rng), b = normal_tensor({310, 40}, 1.1, rng);
  std::vector<TestResult> results;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng own(7);
    results.push_back(mmd_test(a, b, 200, own));
  }
  EXPECT_EQ(results[0].statistic, results[1].statistic);
  EXPECT_EQ(results[0].p_value, results[1].p_value);
}

// Sixty small networks: the rate of false alarms of the classifier test.
TEST(ClassifierTest, RaisesNoMoreFalseAlarmsThanItSays) {
  Rng rng(8);
  Observer silent;
  Doubles p_values;
  double sum = 0;
  for (int i = 0; i < 60; ++i) {
    const TestResult result =
        classifier_test(normal_tensor({60, 4}, 1, rng), normal_tensor({80, 4}, 1, rng), rng, silent);
    p_values.push_back(result.p_value), sum += result.statistic;
    EXPECT_EQ(result.held_out, 70);
  }
  for (const double level : {0.05, 0.1, 0.5}) expect_share_below(p_values, level, level > 0.4);
  EXPECT_NEAR(sum / 60, 0.5, 5 * 0.06 / std::sqrt(60));
}

TEST(ClassifierTest, SeesAShiftAndAnotherSpread) {
  Rng rng(9);
  Observer silent;
  const Tensor a = normal_tensor({400, 10}, 1, rng), b = normal_tensor({400, 10}, 1, rng);
  const TestResult shifted = classifier_test(a, b + 0.7, rng, silent);
  EXPECT_LT(shifted.p_value, 1e-6);
  EXPECT_GT(shifted.statistic, 0.75);
  EXPECT_LT(classifier_test(a, b * 2, rng, silent).p_value, 1e-4) << "no line tells these apart";
  expect_says(error_of(ErrorKind::data, [&] { classifier_test(a.narrow(0, 0, 9), b, rng, silent); }),
              {"10 rows"});
}

TEST(ClassifierTest, EqualGeneratorEqualAnswer) {
  Rng rng(10), one(11), two(11);
  Observer silent;
  const Tensor a = normal_tensor({100, 10}, 1, rng), b = normal_tensor({100, 10}, 1, rng);
  EXPECT_EQ(classifier_test(a, b, one, silent).statistic, classifier_test(a, b, two, silent).statistic);
}

TEST(NearestDistances, AreThoseOfTheDefinition) {
  Rng rng(12);
  const Tensor known = normal_tensor({150, 6}, 1, rng), x = normal_tensor({20, 6}, 1, rng);
  const Tensor before = known.clone();
  x[4].copy_(known[77]);
  const Doubles ours = doubles(nearest_distances(x, known));
  for (std::int64_t i = 0; i < 20; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t n = 0; n < 150; ++n)
      least = std::min(least, (x[i] - known[n]).to(at::kDouble).norm().item<double>());
    EXPECT_NEAR(ours[size(i)], least, 1e-6);
  }
  EXPECT_EQ(ours[4], 0) << "a copy";
  expect_bit_equal(known, before, "the argument");
}

}  // namespace
}  // namespace deepgen::two_sample_test
