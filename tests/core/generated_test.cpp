// The generated sets: what they say about their own distribution must be true.
//
// Statistical tests use fixed seeds; for a fresh seed each would fail by chance with a probability of about
// 1e-6.
#include "deepgen/data/generated/generated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/core/machine.h"
#include "deepgen/data/generated/ising.h"

namespace deepgen::generated_test {
namespace {

using Options = std::map<std::string, std::string>;

constexpr double sigmas = 4.9;         // two-sided 1e-6 of a normal variable
constexpr double upper_sigmas = 4.76;  // one-sided 1e-6

Options small(Options options = {}) {
  options.insert({{"train", "300"}, {"valid", "40"}, {"test", "50"}});
  return options;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const GeneratedInfo& info : generated_sets())
    if (!info.table) all.push_back(info.name);  // tables: table_test.cpp
  return all;
}

std::int64_t case_items(const GeneratedSet& set) {
  std::int64_t items = 1;
  for (const std::int64_t size : set.case_shape) items *= size;
  return items;
}

// The binary case whose bit i is bit i of `state`.
std::vector<float> state_case(std::uint64_t state, std::int64_t bits) {
  std::vector<float> x(static_cast<std::size_t>(bits));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(state >> i & 1U);
  return x;
}

std::vector<double> log_prob_of_states(const GeneratedSet& set) {
  const std::int64_t bits = case_items(set);
  std::vector<double> all(std::size_t{1} << bits);
  for (std::size_t state = 0; state < all.size(); ++state) {
    all[state] = set.log_prob(state_case(state, bits).data());
  }
  return all;
}

void expect_distribution(const GeneratedSet& set, double tolerance) {
  double sum = 0, entropy = 0;
  for (const double log_prob : log_prob_of_states(set)) {
    if (std::isinf(log_prob)) continue;
    sum += std::exp(log_prob);
    entropy -= std::exp(log_prob) * log_prob;
  }
  EXPECT_NEAR(sum, 1, tolerance);
  ASSERT_TRUE(set.entropy.has_value());
  EXPECT_NEAR(*set.entropy, entropy, tolerance);
}

// Pearson's statistic against its quantile (Wilson and Hilferty's approximation). States expected fewer than
// ten times share one bin; a state of probability zero must not occur.
testing::AssertionResult frequencies_match(const std::vector<double>& counts,
                                           const std::vector<double>& log_prob) {
  double total = 0;
  for (const double count : counts) total += count;
  double statistic = 0, rest_expected = 0, rest_count = 0;
  int bins = 0;
  const auto add = [&](double count, double expected) {
    statistic += (count - expected) * (count - expected) / expected;
    ++bins;
  };
  for (std::size_t state = 0; state < counts.size(); ++state) {
    const double expected = total * std::exp(log_prob[state]);
    if (expected == 0 && counts[state] > 0)
      return testing::AssertionFailure() << "impossible state " << state;
    if (expected >= 10) {
      add(counts[state], expected);
    } else {
      rest_expected += expected;
      rest_count += counts[state];
    }
  }
  if (rest_expected >= 10) add(rest_count, rest_expected);
  const double freedom = bins - 1, part = 2 / (9 * freedom);
  const double bound = freedom * std::pow(1 - part + upper_sigmas * std::sqrt(part), 3);
  if (statistic < bound) return testing::AssertionSuccess() << statistic << " < " << bound;
  return testing::AssertionFailure() << "chi-square " << statistic << " of " << bins << " bins is above "
                                     << bound;
}

std::vector<double> state_counts(const GeneratedSet& set) {
  const std::int64_t bits = case_items(set);
  std::vector<double> counts(std::size_t{1} << bits);
  for (std::int64_t row = 0; row < set.train.rows(); ++row) {
    std::size_t state = 0;
    for (std::int64_t i = 0; i < bits; ++i) {
      state |= static_cast<std::size_t>(set.train.bytes[static_cast<std::size_t>(row * bits + i)]) << i;
    }
    counts[state] += 1;
  }
  return counts;
}

void expect_set_frequencies(const GeneratedSet& set) {
  EXPECT_TRUE(frequencies_match(state_counts(set), log_prob_of_states(set)));
}

// Mean and standard error of -log p over the training cases.
std::pair<double, double> mean_surprise(const GeneratedSet& set) {
  const std::int64_t columns = case_items(set);
  std::vector<float> x(static_cast<std::size_t>(columns));
  double sum = 0, squares = 0;
  for (std::int64_t row = 0; row < set.train.rows(); ++row) {
    for (std::int64_t i = 0; i < columns; ++i) {
      const std::int64_t at = row * columns + i;
      x[static_cast<std::size_t>(i)] = set.values == ValueKind::real
                                           ? set.train.as<float>()[at]
                                           : static_cast<float>(set.train.as<std::uint8_t>()[at]);
    }
    const double surprise = -set.log_prob(x.data());
    sum += surprise;
    squares += surprise * surprise;
  }
  const auto rows = static_cast<double>(set.train.rows());
  const double mean = sum / rows;
  return {mean, std::sqrt((squares / rows - mean * mean) / rows)};
}

template <class Call>
void expect_usage_error(const Call& call, const std::string& part) {
  try {
    call();
    FAIL() << "nothing was thrown; expected an error with '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Generated, EverySetHasTheShapesItStates) {
  for (const std::string& name : names()) {
    const GeneratedSet set = generate(name, small());
    EXPECT_EQ(set.name, name);
    EXPECT_FALSE(set.description.empty());
    std::vector<std::int64_t> shape = {300};
    shape.insert(shape.end(), set.case_shape.begin(), set.case_shape.end());
    EXPECT_EQ(set.train.shape, shape) << name;
    EXPECT_EQ(set.valid.rows(), 40) << name;
    EXPECT_EQ(set.test.rows(), 50) << name;
    EXPECT_EQ(set.train_labels.shape, std::vector<std::int64_t>{300}) << name;
    EXPECT_EQ(set.train.type, set.values == ValueKind::real ? DType::f32 : DType::u8) << name;
    EXPECT_EQ(set.factor_names.size(), set.factor_ranges.size()) << name;
    if (set.values == ValueKind::binary) {
      for (const std::uint8_t value : set.train.bytes) ASSERT_LE(value, 1) << name;
    }
  }
}

TEST(Generated, TheSeedAloneDecides) {
  for (const std::string& name : names()) {
    const GeneratedSet set = generate(name, small({{"seed", "5"}}));
    const GeneratedSet same = generate(name, small({{"seed", "5"}}));
    const GeneratedSet other = generate(name, small({{"seed", "6"}}));
    EXPECT_EQ(set.train.bytes, same.train.bytes) << name;
    EXPECT_EQ(set.test_labels.bytes, same.test_labels.bytes) << name;
    EXPECT_EQ(set.train_factors.bytes, same.train_factors.bytes) << name;
    EXPECT_NE(set.train.bytes, other.train.bytes) << name;
  }
}

TEST(Generated, TheNumberOfCasesChangesNoCase) {
  for (const std::string& name : names()) {
    const GeneratedSet more = generate(name, small());
    const GeneratedSet fewer = generate(name, {{"train", "7"}, {"valid", "0"}, {"test", "9"}});
    EXPECT_TRUE(std::equal(fewer.train.bytes.begin(), fewer.train.bytes.end(), more.train.bytes.begin()))
        << name;
    EXPECT_TRUE(std::equal(fewer.test.bytes.begin(), fewer.test.bytes.end(), more.test.bytes.begin()))
        << name;
    EXPECT_EQ(fewer.valid.rows(), 0) << name;
  }
}

TEST(Generated, TheNumberOfThreadsChangesNothing) {
  for (const std::string& name : names()) {
    set_worker_threads(1);
    const GeneratedSet one = generate(name, small());
    set_worker_threads(3);
    const GeneratedSet three = generate(name, small());
    EXPECT_EQ(one.train.bytes, three.train.bytes) << name;
    EXPECT_EQ(one.train_labels.bytes, three.train_labels.bytes) << name;
    EXPECT_EQ(one.test_factors.bytes, three.test_factors.bytes) << name;
  }
  set_worker_threads(0);
}

TEST(Generated, SplitsAreDrawnFromDifferentStreams) {
  const GeneratedSet set = generate("glyphs", small());
  std::set<std::string> seen;
  std::int64_t rows = 0;
  for (const Array* split : {&set.train, &set.valid, &set.test}) {
    for (std::int64_t row = 0; row < split->rows(); ++row, ++rows) {
      seen.emplace(reinterpret_cast<const char*>(split->bytes.data()) + row * 784, 784);
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), rows);
}

TEST(Generated, BadOptionsAreRefused) {
  expect_usage_error([] { generate("glyph"); }, "glyphs");
  expect_usage_error([] { generate("glyphs", {{"sede", "1"}}); }, "'seed'");
  expect_usage_error([] { generate("ising", {{"temprature", "1"}}); }, "'temperature'");
  for (const char* size : {"1", "29", "4.5", "four", "", "4 ", "nan"}) {
    expect_usage_error([&] { generate("bars_and_stripes", {{"size", size}}); }, "2..28");
  }
  expect_usage_error([] { generate("glyphs", {{"train", "0"}}); }, "train");
  expect_usage_error([] { generate("grid", {{"noise", "-1"}}); }, "0.01..1");
}

TEST(Generated, EveryOptionSaysItsRange) {
  for (const GeneratedInfo& info : generated_sets()) {
    for (const GeneratedOption& option : info.options) {
      EXPECT_LE(option.low, option.initial);
      EXPECT_LE(option.initial, option.high);
      EXPECT_EQ(option_text(option).rfind(option.name + "=", 0), 0U);
    }
  }
}

TEST(BarsAndStripes, ProbabilitiesSumToOne) {
  for (const char* size : {"2", "3", "4"}) {
    expect_distribution(generate("bars_and_stripes", small({{"size", size}})), 1e-12);
  }
}

TEST(BarsAndStripes, EmptyAndFullImagesComeFromBothOrientations) {
  const GeneratedSet set = generate("bars_and_stripes", small());
  EXPECT_NEAR(set.log_prob(state_case(0, 16).data()), std::log(1.0 / 16), 1e-12);
  EXPECT_NEAR(set.log_prob(state_case(0xFFFF, 16).data()), std::log(1.0 / 16), 1e-12);
  EXPECT_NEAR(set.log_prob(state_case(0x000F, 16).data()), std::log(1.0 / 32), 1e-12);
  EXPECT_TRUE(std::isinf(set.log_prob(state_case(0x0001, 16).data())));
}

TEST(BarsAndStripes, FrequenciesMatch) {
  for (const char* size : {"3", "4"}) {
    expect_set_frequencies(generate("bars_and_stripes", {{"size", size}, {"train", "30000"}, {"seed", "1"}}));
  }
}

TEST(Shifter, ProbabilitiesSumToOne) { expect_distribution(generate("shifter", small()), 1e-9); }

TEST(Shifter, FrequenciesMatch) {
  expect_set_frequencies(generate("shifter", {{"train", "50000"}, {"seed", "2"}}));
}

TEST(Shifter, TheLabelIsTheShift) {
  const GeneratedSet set = generate("shifter", small());
  for (std::size_t row = 0; row < 300; ++row) {
    const std::uint8_t* x = set.train.bytes.data() + row * 19;
    const std::size_t label = set.train_labels.bytes[row];
    EXPECT_EQ(x[16 + label], 1);
    // Label 0: what was at place 1 is now at place 0.
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(x[8 + i], x[(i + 9 - label) % 8]);
  }
}

TEST(Ising, ProbabilitiesSumToOne) {
  for (const char* size : {"3", "4"}) {
    // Below, at and above the critical temperature 2 / log(1 + sqrt 2).
    for (const char* temperature : {"0.8", "2.269185314213022", "5"}) {
      SCOPED_TRACE(temperature);
      expect_distribution(generate("ising", small({{"size", size}, {"temperature", temperature}})), 1e-8);
    }
  }
}

TEST(Ising, FrequenciesMatch) {
  for (const char* temperature : {"1.5", "4"}) {
    SCOPED_TRACE(temperature);
    expect_set_frequencies(
        generate("ising", {{"size", "3"}, {"temperature", temperature}, {"train", "100000"}, {"seed", "3"}}));
    expect_set_frequencies(
        generate("ising", {{"size", "4"}, {"temperature", temperature}, {"train", "300000"}, {"seed", "4"}}));
  }
}

TEST(Ising, TheTestOfFrequenciesSeesAWrongTemperature) {
  const GeneratedSet samples =
      generate("ising", {{"size", "4"}, {"temperature", "2.5"}, {"train", "300000"}, {"seed", "4"}});
  const GeneratedSet other = generate("ising", small({{"temperature", "2.55"}}));
  EXPECT_FALSE(frequencies_match(state_counts(samples), log_prob_of_states(other)));
}

// The samplers know nothing of the closed form of log Z, so this checks each against the other.
TEST(Ising, LargerSizesAgreeWithTheClosedForm) {
  for (const char* size : {"6", "10", "12"}) {
    for (const char* temperature : {"1.7", "2.269", "4"}) {
      SCOPED_TRACE(std::string(size) + " at " + temperature);
      const GeneratedSet set = generate(
          "ising", {{"size", size}, {"temperature", temperature}, {"train", "3000"}, {"valid", "0"}});
      const auto [mean, error] = mean_surprise(set);
      EXPECT_NEAR(mean, *set.entropy, sigmas * error);
    }
  }
}

TEST(Ising, ClusterSamplesMatchWhereTheTruthIsKnown) {
  const double temperature = 2.3;
  const GeneratedSet exact = generate("ising", small({{"size", "3"}, {"temperature", "2.3"}}));
  std::vector<double> counts(512);
  for (std::uint64_t row = 0; row < 20000; ++row) {
    Rng rng = Rng(8).fork({row});
    std::array<std::uint8_t, 9> spins{};
    generated::ising_cluster_sample(3, 1 / temperature, 64, rng, spins.data());
    std::size_t state = 0;
    for (std::size_t i = 0; i < 9; ++i) state |= static_cast<std::size_t>(spins[i]) << i;
    counts[state] += 1;
  }
  EXPECT_TRUE(frequencies_match(counts, log_prob_of_states(exact)));
}

// On a lattice finer than half a standard deviation the sum is the integral, to far below the tolerance.
TEST(Planar, DensitiesIntegrateToOneAndMatchTheSamples) {
  for (const char* name : {"rings", "spirals", "grid"}) {
    SCOPED_TRACE(name);
    const GeneratedSet set = generate(name, {{"train", "20000"}, {"seed", "9"}});
    const double step = 0.02, reach = 1.5;
    const int cells = static_cast<int>(2 * reach / step);
    double sum = 0, entropy = 0;
    for (int i = 0; i <= cells; ++i) {
      for (int j = 0; j <= cells; ++j) {
        const std::array<float, 2> x = {static_cast<float>(i * step - reach),
                                        static_cast<float>(j * step - reach)};
        const double log_density = set.log_prob(x.data());
        sum += std::exp(log_density) * step * step;
        entropy -= std::exp(log_density) * log_density * step * step;
      }
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    const auto [mean, error] = mean_surprise(set);
    EXPECT_NEAR(mean, entropy, sigmas * error);
  }
}

TEST(Planar, OneGaussianKnowsItsEntropy) {
  const GeneratedSet set = generate("grid", {{"size", "1"}, {"noise", "0.3"}});
  const auto [mean, error] = mean_surprise(set);
  ASSERT_TRUE(set.entropy.has_value());
  EXPECT_NEAR(mean, *set.entropy, sigmas * error);
  EXPECT_FALSE(generate("rings", small()).entropy.has_value());
}

TEST(Planar, LabelsNameTheNearestRing) {
  const GeneratedSet set = generate("rings", {{"noise", "0.02"}});
  for (std::int64_t row = 0; row < set.train.rows(); ++row) {
    const float* x = set.train.as<float>() + 2 * row;
    const double radius = std::hypot(x[0], x[1]);
    EXPECT_EQ(std::lround(3 * radius) - 1, set.train_labels.bytes[static_cast<std::size_t>(row)]) << radius;
  }
}

}  // namespace
}  // namespace deepgen::generated_test
