// Passes over flat buffers, and what no kernel's answer may depend on: threads and cuts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "deepgen/kernels/kernels.h"

namespace deepgen::kernel_passes_test {
namespace {

using Floats = std::vector<float>;

Floats numbers(std::int64_t n, std::uint64_t seed) {  // in [-1, 1)
  Floats result(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = 2 * unit_float(Stream{seed, 0}.block(i)[0]) - 1;
  return result;
}

class Passes : public ::testing::TestWithParam<std::string> {
 protected:
  const KernelTable& table = kernel_table(GetParam());
  const std::string reference_name = "reference";  // a temporary here would be a dangling reference to g++ 14
  const KernelTable& reference = kernel_table(reference_name);
};

INSTANTIATE_TEST_SUITE_P(Kernels, Passes, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

void expect_near(const Floats& a, const Floats& b, float tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << "at " << i;
}

// Elements [3, n - 2) of the buffers are updated three times; those outside must stay as they are.
struct Optimised {
  Floats parameter, gradient, first, second, average;

  explicit Optimised(std::int64_t n)
      : parameter(numbers(n, 1)),
        gradient(numbers(n, 2)),
        first(numbers(n, 3)),
        second(numbers(n, 4)),
        average(numbers(n, 5)) {
    for (float& v : second) v *= v;
  }
  std::int64_t end() const { return static_cast<std::int64_t>(parameter.size()) - 2; }

  void sgd(const KernelTable& table, bool momentum, bool nesterov, bool averaged) {
    const SgdPass pass{.parameter = parameter.data(),
                       .gradient = gradient.data(),
                       .momentum_buffer = momentum ? first.data() : nullptr,
                       .average = averaged ? average.data() : nullptr,
                       .rate = 0.1F,
                       .momentum = 0.9F,
                       .decay = 0.01F,
                       .keep = 0.95F,
                       .nesterov = nesterov,
                       .gradient_scale = 0.75F};
    for (int i = 0; i < 3; ++i) table.sgd_pass(pass, 3, end());
  }
  void adam(const KernelTable& table, bool averaged) {
    const AdamPass pass{.parameter = parameter.data(),
                        .gradient = gradient.data(),
                        .first = first.data(),
                        .second = second.data(),
                        .average = averaged ? average.data() : nullptr,
                        .rate = 0.01F,
                        .beta1 = 0.9F,
                        .beta2 = 0.99F,
                        .epsilon = 1e-6F,
                        .decay = 0.01F,
                        .keep = 0.95F,
                        .gradient_scale = 0.75F};
    for (int i = 0; i < 3; ++i) table.adam_pass(pass, 3, end());
  }
};

void expect_same(const Optimised& a, const Optimised& b, const Optimised& start) {
  expect_near(a.parameter, b.parameter, 3e-6F);
  expect_near(a.first, b.first, 3e-6F);
  expect_near(a.second, b.second, 3e-6F);
  expect_near(a.average, b.average, 3e-6F);
  for (std::size_t i = 0; i < start.parameter.size(); ++i) {
    const bool outside = i < 3 || static_cast<std::int64_t>(i) >= start.end();
    ASSERT_EQ(a.parameter[i] == start.parameter[i], outside) << "at " << i;
  }
}

TEST_P(Passes, OptimisersEqualTheReference) {
  for (const std::int64_t n : {6, 21, 22, 69, 1000}) {
    SCOPED_TRACE(n);
    const Optimised start(n);
    for (int setting = 0; setting < 8; ++setting) {
      Optimised a = start, b = start;
      a.sgd(table, setting & 1, setting & 2, setting & 4);
      b.sgd(reference, setting & 1, setting & 2, setting & 4);
      expect_same(a, b, start);
    }
    for (const bool averaged : {false, true}) {
      Optimised a = start, b = start;
      a.adam(table, averaged);
      b.adam(reference, averaged);
      expect_same(a, b, start);
    }
  }
}

// The formulas of kernels.h in double, for one element.
TEST_P(Passes, OptimisersEqualTheirFormulas) {
  float p = 2, g = 2, m = 0.25F, v = 0.09F, average = 1;
  table.sgd_pass({.parameter = &p,
                  .gradient = &g,
                  .momentum_buffer = &m,
                  .average = &average,
                  .rate = 0.1F,
                  .momentum = 0.8F,
                  .decay = 0.05F,
                  .keep = 0.9F,
                  .nesterov = true,
                  .gradient_scale = 0.25F},
                 0, 1);
  const double m1 = 0.8 * 0.25 + (0.5 + 0.05 * 2), p1 = 2 - 0.1 * ((0.5 + 0.05 * 2) + 0.8 * m1);
  EXPECT_NEAR(m, m1, 1e-6);
  EXPECT_NEAR(p, p1, 1e-6);
  EXPECT_NEAR(average, 1 + 0.1 * (p1 - 1), 1e-6);
  p = 2, m = 0.25F;
  table.adam_pass({.parameter = &p,
                   .gradient = &g,
                   .first = &m,
                   .second = &v,
                   .rate = 0.1F,
                   .beta1 = 0.8F,
                   .beta2 = 0.9F,
                   .epsilon = 0.01F,
                   .decay = 0.05F,
                   .gradient_scale = 0.25F},
                  0, 1);
  const double m2 = 0.8 * 0.25 + 0.2 * 0.6, v2 = 0.9 * 0.09 + 0.1 * 0.36;
  EXPECT_NEAR(m, m2, 1e-6);
  EXPECT_NEAR(v, v2, 1e-6);
  EXPECT_NEAR(p, 2 - 0.1 * m2 / (std::sqrt(v2) + 0.01), 1e-6);
}

// Summed in double in the order of the rows, so that all variants agree to the last bit.
TEST_P(Passes, ColumnSumsAreBitEqual) {
  for (const std::int64_t columns : {1, 3, 16, 33, 64, 65, 500}) {
    for (const bool accumulate : {false, true}) {
      const std::int64_t rows = 100;
      const Floats input = numbers(rows * columns, 6);
      Floats a = numbers(columns, 7), b = a;
      const ColumnSums sums{.input = input.data(),
                            .rows = rows,
                            .columns = columns,
                            .scale = 0.3F,
                            .accumulate = accumulate,
                            .sums = a.data()};
      const std::int64_t begin = columns / 5;
      table.column_sums(sums, begin, columns);
      ColumnSums expected = sums;
      expected.sums = b.data();
      reference.column_sums(expected, begin, columns);
      EXPECT_EQ(a, b) << columns;
    }
  }
}

// Cuts [0, count) into ranges and calls the body on each.
using Cut = std::function<void(std::int64_t, const std::function<void(std::int64_t, std::int64_t)>&)>;

// The bytes of everything that the kernels write, when their work is cut so.
std::vector<Floats> everything(const KernelTable& table, const Cut& cut) {
  const std::int64_t rows = 7, columns = 333;
  const Floats input = numbers(rows * columns, 8), bias = numbers(columns, 9);
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows * columns), 99);
  Floats mean(input), sample(input), annealed(input), gathered(input), column_sums(bias);
  std::vector<double> sums(4 * rows), input64(input.begin(), input.end());
  double* sum = sums.data();
  const BinaryLayer binary{.input = input.data(),
                           .bias = bias.data(),
                           .columns = columns,
                           .mean = mean.data(),
                           .sample = sample.data(),
                           .weight = bias.data(),
                           .row_sum = sum,
                           .stream = {1, 1}};
  const AnnealLayer anneal{.input = input.data(),
                           .bias = bias.data(),
                           .from = 0.3,
                           .to = 0.31,
                           .columns = columns,
                           .row_sum = sum + rows,
                           .sample = annealed.data(),
                           .stream = {1, 2}};
  const SoftplusSum softplus{.input = input.data(), .columns = columns, .row_sum = sum + 2 * rows};
  const SoftplusSum64 softplus64{input64.data(), columns, sum + 3 * rows};
  const GatherBytes gather{.bytes = bytes.data(),
                           .index = nullptr,
                           .columns = columns,
                           .scale = 1 / 255.0F,
                           .binarise = true,
                           .output = gathered.data(),
                           .stream = {1, 3}};
  const ColumnSums column{
      .input = input.data(), .rows = rows, .columns = columns, .sums = column_sums.data()};
  cut(rows, [&](std::int64_t a, std::int64_t b) { table.binary_layer(binary, a, b); });
  cut(rows, [&](std::int64_t a, std::int64_t b) { table.anneal_layer(anneal, a, b); });
  cut(rows, [&](std::int64_t a, std::int64_t b) { table.softplus_sum(softplus, a, b); });
  cut(rows, [&](std::int64_t a, std::int64_t b) { table.softplus_sum64(softplus64, a, b); });
  cut(rows, [&](std::int64_t a, std::int64_t b) { table.gather_bytes(gather, a, b); });
  cut(columns, [&](std::int64_t a, std::int64_t b) { table.column_sums(column, a, b); });
  Floats p = numbers(1001, 10), q = p, m(1001), v(1001), n(1001);
  const SgdPass sgd{.parameter = p.data(),
                    .gradient = input.data(),
                    .momentum_buffer = n.data(),
                    .rate = 0.1F,
                    .momentum = 0.9F,
                    .decay = 0.1F};
  const AdamPass adam{.parameter = q.data(),
                      .gradient = input.data(),
                      .first = m.data(),
                      .second = v.data(),
                      .rate = 0.1F,
                      .beta1 = 0.9F,
                      .beta2 = 0.99F,
                      .epsilon = 1e-8F};
  cut(1001, [&](std::int64_t a, std::int64_t b) { table.sgd_pass(sgd, a, b); });
  cut(1001, [&](std::int64_t a, std::int64_t b) { table.adam_pass(adam, a, b); });
  Floats sum_bits(2 * sums.size());
  std::memcpy(sum_bits.data(), sums.data(), sums.size() * sizeof(double));
  return {mean, sample, annealed, gathered, column_sums, p, q, m, v, n, sum_bits};
}

void expect_bit_equal(const std::vector<Floats>& a, const std::vector<Floats>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)), 0) << "output " << i;
}

TEST_P(Passes, ThreadsAndCutsChangeNothing) {
  set_threads(1);  // so that denormal numbers are flushed in all runs
  const auto whole = everything(table, [](std::int64_t count, const auto& body) { body(0, count); });
  const int before = threads();
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    SCOPED_TRACE(count);
    expect_bit_equal(
        whole, everything(table, [](std::int64_t n, const auto& body) { parallel_ranges(n, 1e9, 1, body); }));
  }
  set_threads(before);
  for (const std::int64_t step : {1, 2, 5}) {
    SCOPED_TRACE(step);
    expect_bit_equal(whole, everything(table, [step](std::int64_t n, const auto& body) {
                       for (std::int64_t at = n - (n - 1) % step - 1; at >= 0; at -= step)
                         body(at, std::min(at + step, n));
                     }));
  }
}

}  // namespace
}  // namespace deepgen::kernel_passes_test
