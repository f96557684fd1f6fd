// What the tests of the kernels share: inputs, guarded outputs, the formula of the samples, the fixture.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>

#include "deepgen/kernels/kernels.h"

namespace deepgen::kernel_tests {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline constexpr std::int64_t column_counts[] = {1, 3, 15, 16, 17, 63, 64, 65, 500, 784};
inline constexpr std::int64_t row_counts[] = {1, 2, 3, 4, 5, 6, 7};
inline constexpr float guard_value = 12345;  // around outputs, to catch writes beyond them
inline constexpr std::int64_t guard = 64;

inline std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// The formula of kernels.h, written a second time.
inline float uniform(const Stream& stream, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t block = row * 16 * ((columns + 63) / 64) + 16 * (column / 64) + column % 64 % 16;
  return unit_float(stream.block(static_cast<std::uint64_t>(block))[size(column % 64 / 16)]);
}

inline Floats random_floats(std::int64_t n, float spread, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, spread);
  Floats result(size(n));
  for (float& x : result) x = normal(generator);
  return result;
}

// Normal numbers with an extreme one here and there.
inline Floats rough_floats(std::int64_t n, unsigned seed) {
  static const float extremes[] = {0.0F,  -0.0F,  1e-30F, -1e-30F, 17,   -17,   87.2F, -87.2F,
                                   88.8F, -88.8F, 104,    -104,    1e4F, -1e4F, 1e30F, -1e30F};
  Floats result = random_floats(n, 4, seed);
  for (std::size_t i = 0; i < result.size(); i += 5)
    result[i] = extremes[(i / 5 + seed) % std::size(extremes)];
  return result;
}

// The sums are tested on both: with an element of 1e30 in it, a sum says little of the others.
inline Floats floats_of_kind(bool rough, std::int64_t n, unsigned seed) {
  return rough ? rough_floats(n, seed) : random_floats(n, 4, seed);
}

inline Floats guarded(std::int64_t n) { return Floats(size(n + 2 * guard), guard_value); }

inline void expect_guards(const Floats& buffer) {
  for (std::int64_t i = 0; i < guard; ++i) {
    ASSERT_EQ(buffer[size(i)], guard_value);
    ASSERT_EQ(buffer[buffer.size() - 1 - size(i)], guard_value);
  }
}

// Samples that differ from the formula [u < mean]. Where u is within rounding of the mean either is right; of
// such differences one a call is not counted (some 1e-7 of the elements have one).
inline std::int64_t wrong_samples(const Floats& sample, const Floats& mean, const Stream& stream,
                                  std::int64_t rows, std::int64_t columns) {
  std::int64_t wrong = 0, close = 0;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const float u = uniform(stream, i / columns, i % columns, columns), m = mean[size(i)];
    const float expected = u < m ? 1.0F : 0.0F;
    if (sample[size(i + guard)] != expected) ++(std::abs(u - m) < 1e-6F ? close : wrong);
  }
  return wrong + (close > 1 ? close - 1 : 0);
}

inline long double softplus(long double x) { return std::fmax(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); }

// A test for every variant that this processor has, on many shapes.
class KernelVariant : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelTable& table = kernel_table(GetParam());
  const std::string reference_name = "reference";  // a temporary here would be a dangling reference to g++ 14
  const KernelTable& reference = kernel_table(reference_name);

  template <class Check>
  void each_shape(Check check) {
    for (const std::int64_t rows : row_counts) {
      for (const std::int64_t columns : column_counts) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
        check(rows, columns);
        if (HasFatalFailure()) return;
      }
    }
  }
};

}  // namespace deepgen::kernel_tests
