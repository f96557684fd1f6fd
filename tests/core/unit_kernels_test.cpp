// The layers of normal and rectified units of every variant, against the reference and against long double.
//
// Statistical tests use a fixed seed and say how often they would fail by chance under a fresh one.
#include <algorithm>
#include <numbers>

#include "tests/core/kernel_inputs.h"

namespace deepgen::unit_kernels_test {
namespace {

using namespace kernel_tests;

// The formula of kernels.h, written a second time.
long double normal(const Stream& stream, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t block = row * 16 * ((columns + 63) / 64) + 16 * (column / 64) + column % 16;
  const PhiloxBlock words = stream.block(static_cast<std::uint64_t>(block));
  const bool second_pair = column % 64 >= 32, is_sine = column % 32 >= 16;
  const long double u0 = unit_float(words[second_pair ? 2 : 0]), u1 = unit_float(words[second_pair ? 3 : 1]);
  const long double angle = 2 * std::numbers::pi_v<long double> * u1;
  return std::sqrt(-2 * std::log1p(-u0)) * (is_sine ? std::sin(angle) : std::cos(angle));
}

Floats normals(const KernelTable& table, std::int64_t rows, std::int64_t columns, Stream stream) {
  Floats result(size(rows * columns));
  table.normal_layer({.columns = columns, .sample = result.data(), .stream = stream}, 0, rows);
  return result;
}

class UnitLayers : public KernelVariant {
 protected:
  // A row's weighted sum, added to 0.5.
  void expect_row_sums(const Doubles& sums, const Floats& sample, const Floats& weight) {
    const std::int64_t columns = static_cast<std::int64_t>(weight.size());
    for (std::int64_t r = 0; r < static_cast<std::int64_t>(sums.size()); ++r) {
      double sum = 0.5, size_of_sum = 1;
      for (std::int64_t j = 0; j < columns; ++j) {
        const double term = static_cast<double>(sample[size(guard + r * columns + j)]) * weight[size(j)];
        sum += term;
        size_of_sum += std::abs(term);
      }
      EXPECT_NEAR(sums[size(r)], sum, 3e-7 * size_of_sum);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Kernels, UnitLayers, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

// 350,000 numbers, so that the far tail, where ln(1 - u) has lost nothing, and its centre are among them.
TEST_P(UnitLayers, NormalNumbersFollowTheirFormula) {
  const std::int64_t rows = 700, columns = 500;
  const Stream stream{11, 12};
  const Floats n = normals(table, rows, columns, stream);
  long double worst = 0;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const long double expected = normal(stream, i / columns, i % columns, columns);
    // cos passes through zero at angles that a double or a float cannot hold: so not purely relative.
    worst = std::max(worst, std::abs(n[size(i)] - expected) / (std::abs(expected) + 1e-9L));
  }
  EXPECT_LT(worst, 1e-6L);
}

TEST_P(UnitLayers, NormalNumbersDependOnTheirPlaceAlone) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    const Floats n = normals(table, rows, columns, {3, 4});
    for (std::int64_t i = 0; i < rows * columns; ++i)
      ASSERT_NEAR(n[size(i)], static_cast<double>(normal({3, 4}, i / columns, i % columns, columns)), 6e-6);
  });
  EXPECT_NE(normals(table, 2, 65, {3, 4}), normals(table, 2, 65, {3, 5}));
  EXPECT_NE(normals(table, 2, 65, {3, 4}), normals(table, 2, 65, {4, 4}));
}

// Kolmogorov and Smirnov: sqrt(count) times the largest distance of the distribution functions exceeds 2.69
// by chance once in a million.
TEST_P(UnitLayers, NormalNumbersAreNormal) {
  Floats n = normals(table, 500, 784, {2024, 7});
  std::sort(n.begin(), n.end());
  const double count = static_cast<double>(n.size());
  double distance = 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    const double below = 0.5 * std::erfc(-static_cast<double>(n[i]) / std::numbers::sqrt2);
    distance = std::max(
        {distance, below - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - below});
  }
  EXPECT_LT(std::sqrt(count) * distance, 2.69);
}

// Four moments and the products of neighbours, among them the two numbers of one pair (16 columns apart): 8
// checks at 5 standard errors, false alarm 5e-6 a variant.
TEST_P(UnitLayers, NormalNumbersHaveTheirMoments) {
  const std::int64_t rows = 500, columns = 768;
  const Floats n = normals(table, rows, columns, {2024, 8});
  const double count = static_cast<double>(n.size());
  const auto expect_mean = [&](const std::function<double(std::size_t)>& value, double mean, double variance,
                               const std::string& what) {
    double sum = 0;
    for (std::size_t i = 0; i < n.size(); ++i) sum += value(i);
    EXPECT_NEAR(sum / count, mean, 5 * std::sqrt(variance / count)) << what;
  };
  const auto x = [&](std::size_t i) { return static_cast<double>(n[i]); };
  expect_mean([&](std::size_t i) { return x(i); }, 0, 1, "mean");
  expect_mean([&](std::size_t i) { return x(i) * x(i); }, 1, 2, "variance");
  expect_mean([&](std::size_t i) { return std::pow(x(i), 3); }, 0, 15, "third");
  expect_mean([&](std::size_t i) { return std::pow(x(i), 4); }, 3, 96, "fourth");
  for (const std::size_t lag : {1U, 16U, 64U, 768U})
    expect_mean([&](std::size_t i) { return x(i) * x((i + lag) % n.size()); }, 0, 1, std::to_string(lag));
}

TEST_P(UnitLayers, NormalLayer) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    const Floats input = rough_floats(rows * columns, 1), bias = random_floats(columns, 1, 2);
    const Floats gain = random_floats(columns, 1, 3), deviation = random_floats(columns, 1, 4);
    const Floats weight = random_floats(columns, 1, 5);
    for (int given = 0; given < 8; ++given) {
      Floats mean = guarded(rows * columns), sample = mean;
      Doubles sums(size(rows), 0.5);
      table.normal_layer({.input = input.data(),
                          .bias = given & 1 ? bias.data() : nullptr,
                          .gain = given & 2 ? gain.data() : nullptr,
                          .deviation = given & 4 ? deviation.data() : nullptr,
                          .scale = 1.25F,
                          .columns = columns,
                          .mean = mean.data() + guard,
                          .sample = sample.data() + guard,
                          .weight = weight.data(),
                          .row_sum = sums.data(),
                          .stream = {21, 22}},
                         0, rows);
      expect_guards(mean);
      expect_guards(sample);
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const std::size_t j = size(i % columns);
        const double product = 1.25 * (given & 2 ? gain[j] : 1.0F) * input[size(i)];
        const double m = product + (given & 1 ? bias[j] : 0.0F);
        ASSERT_NEAR(mean[size(guard + i)], m, 1.3e-7 * (std::abs(product) + std::abs(m)));
        const double n = static_cast<double>(normal({21, 22}, i / columns, i % columns, columns));
        const double noise = (given & 4 ? deviation[j] : 1.0F) * n;
        ASSERT_NEAR(sample[size(guard + i)], mean[size(guard + i)] + noise,
                    1e-6 * std::abs(noise) + 1e-7 * std::abs(m) + 1e-8);
      }
      expect_row_sums(sums, sample, weight);
    }
  });
}

TEST_P(UnitLayers, RectifiedLayer) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    const Floats input = rough_floats(rows * columns, 1), bias = random_floats(columns, 1, 2);
    const Floats weight = random_floats(columns, 1, 5);
    Floats mean = guarded(rows * columns), sample = mean;
    Doubles sums(size(rows), 0.5);
    table.rectified_layer({.input = input.data(),
                           .bias = bias.data(),
                           .scale = 0.75F,
                           .columns = columns,
                           .mean = mean.data() + guard,
                           .sample = sample.data() + guard,
                           .weight = weight.data(),
                           .row_sum = sums.data(),
                           .stream = {31, 32}},
                          0, rows);
    expect_guards(mean);
    expect_guards(sample);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const double x = std::fma(0.75F, input[size(i)], bias[size(i % columns)]);
      ASSERT_EQ(mean[size(guard + i)], std::max(x, 0.0));
      const double n = static_cast<double>(normal({31, 32}, i / columns, i % columns, columns));
      const double expected = std::max(0.0, x + n / std::sqrt(1 + std::exp(-x)));
      ASSERT_NEAR(sample[size(guard + i)], expected, 2e-6 + 2e-7 * std::abs(x)) << x;
    }
    expect_row_sums(sums, sample, weight);
  });
}

// Outputs that are not wanted and outputs in the place of the input change no bit of the others.
TEST_P(UnitLayers, OutputsMayBeTheInput) {
  const std::int64_t rows = 3, columns = 333;
  const Floats input = random_floats(rows * columns, 2, 1);
  Floats mean(input), sample(input), mean_place(input), sample_place(input);
  NormalLayer normal{.input = input.data(),
                     .columns = columns,
                     .mean = mean.data(),
                     .sample = sample.data(),
                     .stream = {1, 1}};
  table.normal_layer(normal, 0, rows);
  normal.input = normal.mean = mean_place.data(), normal.sample = nullptr;
  table.normal_layer(normal, 0, rows);
  normal.input = normal.sample = sample_place.data(), normal.mean = nullptr;
  table.normal_layer(normal, 0, rows);
  EXPECT_EQ(mean, mean_place);
  EXPECT_EQ(sample, sample_place);
  mean_place = sample_place = input;
  RectifiedLayer rectified{.input = input.data(),
                           .columns = columns,
                           .mean = mean.data(),
                           .sample = sample.data(),
                           .stream = {1, 2}};
  table.rectified_layer(rectified, 0, rows);
  rectified.input = rectified.mean = mean_place.data(), rectified.sample = nullptr;
  table.rectified_layer(rectified, 0, rows);
  rectified.input = rectified.sample = sample_place.data(), rectified.mean = nullptr;
  table.rectified_layer(rectified, 0, rows);
  EXPECT_EQ(mean, mean_place);
  EXPECT_EQ(sample, sample_place);
}

TEST_P(UnitLayers, StayNumbersAtTheEndsAndKeepNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Floats input = {1e30F, -1e30F, 1e4F, -1e4F, 88, -88, -104, 0, nan};
  Floats mean(input.size()), sample(input.size());
  const RectifiedLayer layer{
      .input = input.data(), .columns = 9, .mean = mean.data(), .sample = sample.data(), .stream = {5, 5}};
  table.rectified_layer(layer, 0, 1);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(mean[i], std::max(input[i], 0.0F));
    EXPECT_GE(sample[i], 0);
    EXPECT_NEAR(sample[i], mean[i], input[i] < -50 ? 0 : 6 + 1e-6 * mean[i]) << input[i];
  }
  EXPECT_TRUE(std::isnan(mean[8]) && std::isnan(sample[8]));
}

// Mean and variance of max(0, x + sigma n) are known: with z = x / sigma, E = x Phi(z) + sigma phi(z) and
// E s^2 = (x^2 + sigma^2) Phi(z) + x sigma phi(z). Five inputs at 5 standard errors: false alarm 3e-6.
TEST_P(UnitLayers, RectifiedSamplesHaveTheirMean) {
  const std::int64_t rows = 300, columns = 500;
  for (const double x : {-4.0, -1.0, 0.0, 0.7, 6.0}) {
    const Floats input(size(rows * columns), static_cast<float>(x));
    Floats sample(input.size());
    table.rectified_layer(
        {.input = input.data(), .columns = columns, .sample = sample.data(), .stream = {2024, 9}}, 0, rows);
    const double sigma = 1 / std::sqrt(1 + std::exp(-x)), z = x / sigma;
    const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double mean = x * below + sigma * density;
    const double square = (x * x + sigma * sigma) * below + x * sigma * density;
    double sum = 0;
    for (const float s : sample) sum += s;
    const double n = static_cast<double>(rows * columns);
    EXPECT_NEAR(sum / n, mean, 5 * std::sqrt((square - mean * mean) / n)) << x;
  }
}

}  // namespace
}  // namespace deepgen::unit_kernels_test
