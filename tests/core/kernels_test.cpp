// The kernels of every variant this processor has, against the reference and against long double.
//
// The statistical test uses a fixed seed and says how often it would fail by chance under a fresh one.
#include <cstring>
#include <limits>

#include "tests/core/kernel_inputs.h"

namespace deepgen::kernels_test {
namespace {

using namespace kernel_tests;

// Steps between neighbouring floats from a to b; what is below the smallest normal number counts as zero.
std::int64_t ulps(float a, float b) {
  const auto place = [](float x) {
    if (std::abs(x) < std::numeric_limits<float>::min()) return std::int64_t{0};
    std::int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const std::int64_t magnitude = (bits & 0x7FFFFFFF) - 0x7FFFFF;
    return bits < 0 ? -magnitude : magnitude;
  };
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : INT64_MAX;
  return std::abs(place(a) - place(b));
}

class Variant : public KernelVariant {};

INSTANTIATE_TEST_SUITE_P(Kernels, Variant, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

TEST_P(Variant, BinaryLayer) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    const Stream stream{0x123456789ABCDEFULL + static_cast<std::uint64_t>(rows), 77};
    const Floats input = rough_floats(rows * columns, 1), bias = random_floats(columns, 1, 2);
    const Floats weight = random_floats(columns, 1, 3);
    Floats mean = guarded(rows * columns), sample = mean, expected(size(rows * columns));
    Doubles sums(size(rows), 0.5);
    BinaryLayer layer{.input = input.data(),
                      .bias = bias.data(),
                      .scale = 1.25F,
                      .columns = columns,
                      .mean = expected.data(),
                      .stream = stream};
    reference.binary_layer(layer, 0, rows);
    layer.mean = mean.data() + guard;
    layer.sample = sample.data() + guard;
    layer.weight = weight.data();
    layer.row_sum = sums.data();
    table.binary_layer(layer, 0, rows);
    expect_guards(mean);
    expect_guards(sample);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_LE(ulps(mean[i + guard], expected[i]), 3) << i << " " << expected[i];
    EXPECT_EQ(wrong_samples(sample, expected, stream, rows, columns), 0);
    for (std::int64_t r = 0; r < rows; ++r) {
      double sum = 0.5, size_of_sum = 1;
      for (std::int64_t j = 0; j < columns; ++j) {
        const double term = sample[size(guard + r * columns + j)] * weight[size(j)];
        sum += term;
        size_of_sum += std::abs(term);
      }
      EXPECT_NEAR(sums[size(r)], sum, 2e-7 * size_of_sum);
    }
  });
}

// A comparison that cannot fail proves nothing: a stream moved by one call must be noticed.
TEST_P(Variant, AShiftedStreamIsNoticed) {
  const std::int64_t rows = 7, columns = 65;
  const Floats input = random_floats(rows * columns, 1, 1);
  Floats mean(size(rows * columns)), sample = guarded(rows * columns);
  BinaryLayer layer{.input = input.data(),
                    .columns = columns,
                    .mean = mean.data(),
                    .sample = sample.data() + guard,
                    .stream = {5, 9}};
  table.binary_layer(layer, 0, rows);
  EXPECT_EQ(wrong_samples(sample, mean, {5, 9}, rows, columns), 0);
  EXPECT_GT(wrong_samples(sample, mean, {5, 10}, rows, columns), rows * columns / 5);
  EXPECT_GT(wrong_samples(sample, mean, {6, 9}, rows, columns), rows * columns / 5);
}

TEST_P(Variant, MeansAtTheExtremes) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const Floats input = {1e30F, -1e30F, 200, -200, inf, -inf, 0, nan, nan, 30};
  Floats mean(input.size()), sample(input.size());
  table.binary_layer(
      {.input = input.data(), .columns = 10, .mean = mean.data(), .sample = sample.data(), .stream = {}}, 0,
      1);
  const Floats expected = {1, 0, 1, 0, 1, 0, 0.5F};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(mean[i], expected[i]) << input[i];
  EXPECT_TRUE(std::isnan(mean[7]) && std::isnan(mean[8]));
  EXPECT_EQ(mean[9], 1);
  Doubles sums(1);
  table.softplus_sum({.input = input.data() + 6, .columns = 2, .row_sum = sums.data()}, 0, 1);
  EXPECT_TRUE(std::isnan(sums[0]));
  const Floats none(2);
  table.anneal_layer({.input = input.data() + 6,
                      .bias = none.data(),
                      .from = 0.5,
                      .to = 0.6,
                      .columns = 2,
                      .row_sum = sums.data(),
                      .stream = {}},
                     0, 1);
  EXPECT_TRUE(std::isnan(sums[0]));
}

// Row numbers whose blocks need more than 32 bits. The pointers are moved back so that this row is the
// buffer.
TEST_P(Variant, BlocksBeyond32Bits) {
  const std::int64_t columns = 64, row = (std::int64_t{1} << 28) - 1;
  Floats sample(2 * columns);
  const Floats inputs(2 * columns);
  const auto moved = [&](auto* p) {
    return reinterpret_cast<decltype(p)>(reinterpret_cast<std::uintptr_t>(p) -
                                         static_cast<std::uintptr_t>(row * columns) * sizeof *p);
  };
  const Stream stream{1, 2};
  table.binary_layer(
      {.input = moved(inputs.data()), .columns = columns, .sample = moved(sample.data()), .stream = stream},
      row, row + 2);
  for (std::int64_t i = 0; i < 2 * columns; ++i)
    EXPECT_EQ(sample[size(i)], uniform(stream, row + i / columns, i % columns, columns) < 0.5F ? 1 : 0);
}

void check_softplus_sums(const KernelTable& table, const Floats& input, std::int64_t rows,
                         std::int64_t columns) {
  const Floats bias = random_floats(columns, 1, 8);
  const Doubles input64(input.begin(), input.end());
  Doubles sums(size(rows), -1), sums64 = sums;
  table.softplus_sum({.input = input.data(),
                      .bias = bias.data(),
                      .scale = 0.75F,
                      .columns = columns,
                      .row_sum = sums.data()},
                     0, rows);
  table.softplus_sum64({.input = input64.data(), .columns = columns, .row_sum = sums64.data()}, 0, rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    long double sum = 0, sum64 = 0;
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::size_t i = size(r * columns + j);
      sum += softplus(std::fma(0.75F, input[i], bias[size(j)]));
      sum64 += softplus(input64[i]);
    }
    EXPECT_NEAR(sums[size(r)], static_cast<double>(sum), static_cast<double>(3e-7L * sum));
    EXPECT_NEAR(sums64[size(r)], static_cast<double>(sum64), static_cast<double>(5e-15L * sum64 + 1e-14L));
  }
}

TEST_P(Variant, SoftplusSums) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    for (const bool rough : {false, true})
      check_softplus_sums(table, floats_of_kind(rough, rows * columns, 7), rows, columns);
  });
}

// Long rows of the largest factor, 1 + exp(0) = 2: their product overflows unless it is flushed.
TEST_P(Variant, SoftplusSum64FlushesItsProduct) {
  const Doubles zeros(5001, 0.0);
  for (const std::int64_t columns : {959, 960, 961, 1024, 5001}) {
    Doubles sum(1);
    table.softplus_sum64({.input = zeros.data(), .columns = columns, .row_sum = sum.data()}, 0, 1);
    EXPECT_NEAR(sum[0], static_cast<double>(columns) * std::log(2.0), 1e-13 * static_cast<double>(columns));
  }
}

TEST_P(Variant, GatherBytes) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    std::vector<std::uint8_t> bytes(size((rows + 2) * columns));  // exactly: reading beyond is caught by asan
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 % 256);
    std::vector<std::int64_t> index;
    for (std::int64_t r = 0; r < rows; ++r) index.push_back((r * 3 + 1) % (rows + 2));
    for (const bool binarise : {false, true}) {
      Floats output = guarded(rows * columns);
      const Stream stream{8, 9};
      table.gather_bytes({.bytes = bytes.data(),
                          .index = rows % 2 ? index.data() : nullptr,
                          .columns = columns,
                          .scale = 1 / 255.0F,
                          .binarise = binarise,
                          .output = output.data() + guard,
                          .stream = stream},
                         0, rows);
      expect_guards(output);
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const std::int64_t r = i / columns, j = i % columns, from = rows % 2 ? index[size(r)] : r;
        const float value = 1 / 255.0F * bytes[size(from * columns + j)];
        const float on = uniform(stream, r, j, columns) < value ? 1.0F : 0.0F;
        ASSERT_EQ(output[size(guard + i)], binarise ? on : value);
      }
    }
  });
}

// Each setting at 5 sigma, 6 of them for each variant: false alarm 4e-6 a variant.
TEST_P(Variant, SamplesHaveTheirMeans) {
  const std::int64_t rows = 300, columns = 500;
  for (const float a : {-6.0F, -2.0F, -0.1F, 0.0F, 1.0F, 4.0F}) {
    const Floats input(size(rows * columns), a);
    Floats sample(size(rows * columns));
    table.binary_layer(
        {.input = input.data(), .columns = columns, .sample = sample.data(), .stream = {2024, 5}}, 0, rows);
    double sum = 0;
    for (const float s : sample) sum += s;
    const double n = static_cast<double>(rows * columns), p = 1 / (1 + std::exp(-static_cast<double>(a)));
    EXPECT_NEAR(sum / n, p, 5 * std::sqrt(p * (1 - p) / n)) << a;
  }
}

}  // namespace
}  // namespace deepgen::kernels_test
