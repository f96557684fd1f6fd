// The layer of softmax groups of every variant, against long double; threads and cuts for all layers of
// units.
#include <algorithm>
#include <cstring>

#include "tests/core/kernel_inputs.h"

namespace deepgen::softmax_kernel_test {
namespace {

using namespace kernel_tests;
using Offsets = std::vector<std::int64_t>;

// Groups whose sizes take turns until `columns` are covered; the last may be cut short.
Offsets groups_of(std::int64_t columns, const Offsets& sizes) {
  Offsets offsets = {0};
  for (std::size_t i = 0; offsets.back() < columns; ++i)
    offsets.push_back(std::min(columns, offsets.back() + sizes[i % sizes.size()]));
  return offsets;
}

// What a layer writes, with room around it to catch writes beyond.
struct Output {
  Floats mean, sample;
  Doubles log_sum_exp, row_sum;
};

struct Case {
  std::int64_t rows, columns;
  Offsets offsets;
  Floats input, bias, weight;
  Stream stream{41, 42};

  Case(std::int64_t some_rows, std::int64_t some_columns, const Offsets& sizes, bool rough)
      : rows(some_rows),
        columns(some_columns),
        offsets(groups_of(columns, sizes)),
        input(floats_of_kind(rough, rows * columns, 1)),
        bias(random_floats(columns, 1, 2)),
        weight(random_floats(columns, 1, 3)) {}

  SoftmaxLayer layer(Output& out) const {
    out = {guarded(rows * columns), guarded(rows * columns), Doubles(size(rows), 99),
           Doubles(size(rows), 0.5)};
    return {.input = input.data(),
            .bias = bias.data(),
            .scale = 1.25F,
            .columns = columns,
            .offsets = offsets.data(),
            .groups = static_cast<std::int64_t>(offsets.size()) - 1,
            .mean = out.mean.data() + guard,
            .sample = out.sample.data() + guard,
            .log_sum_exp = out.log_sum_exp.data(),
            .weight = weight.data(),
            .row_sum = out.row_sum.data(),
            .stream = stream};
  }

  // The exponentials of one group relative to the largest activation, `top`.
  std::vector<long double> exponentials(std::int64_t row, std::size_t g, long double& top) const {
    std::vector<long double> a;
    for (std::int64_t j = offsets[g]; j < offsets[g + 1]; ++j)
      a.push_back(std::fma(1.25F, input[size(row * columns + j)], bias[size(j)]));
    top = *std::max_element(a.begin(), a.end());
    for (long double& x : a) x = std::exp(x - top);
    return a;
  }
};

struct LogSum {
  long double value = 0, size = 0;  // `size`: of absolute values; terms of 1e30 swallow the others
};

// Checks one group of one row; counts the draws that differ where u is within rounding of a border.
void check_group(const Case& given, const Output& out, std::int64_t row, std::size_t g, LogSum& log_sum,
                 std::int64_t& close) {
  long double top, total = 0, cumulative = 0;
  const std::vector<long double> e = given.exponentials(row, g, top);
  for (const long double x : e) total += x;
  log_sum.value += top + std::log(total);
  log_sum.size += std::abs(top);
  const std::int64_t begin = given.offsets[g], at = row * given.columns + begin;
  const long double u = uniform(given.stream, row, begin, given.columns);
  std::size_t expected = 0, found = e.size();
  long double distance = 1;
  for (std::size_t k = 0; k < e.size(); ++k) {
    const double p = static_cast<double>(e[k] / total), size_of_log = p > 0 ? -std::log(p) : 0;
    ASSERT_NEAR(out.mean[size(guard + at) + k], p, p * (5e-7 + 1.3e-7 * size_of_log) + 1.3e-38) << begin + 1;
    cumulative += e[k] / total;
    distance = std::min(distance, std::abs(cumulative - u));
    if (cumulative <= u && k + 1 < e.size()) expected = k + 1;
    const float sample = out.sample[size(guard + at) + k];
    ASSERT_TRUE(sample == 0 || (sample == 1 && found == e.size())) << "not one-hot: " << sample;
    if (sample == 1) found = k;
  }
  ASSERT_LT(found, e.size()) << "nothing is on";
  if (found == expected) return;
  ASSERT_LT(distance, 1e-6L) << "in the group from " << begin;
  ++close;
}

void check(const KernelTable& table, const Case& given) {
  Output out;
  table.softmax_layer(given.layer(out), 0, given.rows);
  expect_guards(out.mean);
  expect_guards(out.sample);
  std::int64_t close = 0;
  for (std::int64_t row = 0; row < given.rows; ++row) {
    LogSum log_sum;
    long double weighted = 0.5L, size_of_sum = 1;
    for (std::size_t g = 0; g + 1 < given.offsets.size(); ++g) {
      check_group(given, out, row, g, log_sum, close);
      if (::testing::Test::HasFatalFailure()) return;
    }
    const double groups = static_cast<double>(given.offsets.size());
    EXPECT_NEAR(out.log_sum_exp[size(row)], static_cast<double>(log_sum.value),
                3e-7 * groups + 1e-14 * static_cast<double>(log_sum.size));
    for (std::int64_t j = 0; j < given.columns; ++j) {
      const long double term = out.sample[size(guard + row * given.columns + j)] * given.weight[size(j)];
      weighted += term;
      size_of_sum += std::abs(term);
    }
    EXPECT_NEAR(out.row_sum[size(row)], static_cast<double>(weighted),
                1e-9 * static_cast<double>(size_of_sum));
  }
  EXPECT_LE(close, 2);
}

class SoftmaxLayers : public KernelVariant {};

INSTANTIATE_TEST_SUITE_P(Kernels, SoftmaxLayers, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

const Offsets kinds_of_sizes[] = {
    {1},           {2}, {3}, {8}, {9}, {16}, {17}, {64}, {65}, {100000}, {2, 7, 3, 16, 5, 9, 1, 12, 11},
    {30, 1, 2, 17}};

TEST_P(SoftmaxLayers, EqualTheirFormula) {
  for (const Offsets& sizes : kinds_of_sizes) {
    for (const std::int64_t columns : column_counts) {
      for (const bool rough : {false, true}) {
        SCOPED_TRACE(std::to_string(sizes[0]) + " of " + std::to_string(columns));
        check(table, Case(3, columns, sizes, rough));
        if (HasFatalFailure()) return;
      }
    }
  }
  check(table, Case(2, 5003, {5000, 3}, false));
  check(table, Case(2, 5003, {100000}, true));
}

// Every subset of the outputs, and outputs in the place of the input, are what they are all together.
TEST_P(SoftmaxLayers, OutputsAreIndependentAndMayBeTheInput) {
  for (const Offsets& sizes : kinds_of_sizes) {
    const Case given(3, 333, sizes, false);
    Output whole, out;
    table.softmax_layer(given.layer(whole), 0, 3);
    for (int wanted = 0; wanted < 8; ++wanted) {
      for (int place = 0; place < 3; ++place) {
        SoftmaxLayer layer = given.layer(out);
        if (place == 1) layer.input = std::copy_n(given.input.begin(), 999, layer.mean) - 999;
        if (place == 2) layer.input = std::copy_n(given.input.begin(), 999, layer.sample) - 999;
        if (!(wanted & 1)) layer.mean = nullptr;
        if (!(wanted & 2)) layer.sample = nullptr, layer.weight = nullptr;
        if (!(wanted & 4)) layer.log_sum_exp = nullptr;
        table.softmax_layer(layer, 0, 3);
        if (layer.mean) {
          EXPECT_EQ(out.mean, whole.mean) << sizes[0];
        }
        if (layer.sample) {
          EXPECT_EQ(out.sample, whole.sample) << sizes[0];
          EXPECT_EQ(out.row_sum, whole.row_sum) << sizes[0];
        }
        if (layer.log_sum_exp) {
          EXPECT_EQ(out.log_sum_exp, whole.log_sum_exp) << sizes[0];
        }
      }
    }
  }
}

// Activations of +-1e4, and ties of very large ones.
TEST_P(SoftmaxLayers, AreStable) {
  const Floats input = {1e4F, -1e4F, 9999, 1e30F, 1e30F, -1e4F, -1e4F, -1e4F, -1e4F};
  const Offsets offsets = {0, 3, 5, 9};
  Floats mean(9), sample(9);
  double log_sum;
  table.softmax_layer({.input = input.data(),
                       .columns = 9,
                       .offsets = offsets.data(),
                       .groups = 3,
                       .mean = mean.data(),
                       .sample = sample.data(),
                       .log_sum_exp = &log_sum,
                       .stream = {1, 1}},
                      0, 1);
  const double first = 1 / (1 + std::exp(-1.0));
  const Doubles expected = {first, 0, 1 - first, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25};
  for (std::size_t j = 0; j < 9; ++j) EXPECT_NEAR(mean[j], expected[j], 2e-7) << j;
  EXPECT_NEAR(log_sum / 1e30, 1, 1e-7);
  EXPECT_EQ(std::count(sample.begin(), sample.end(), 1.0F), 3);
}

// What is not a number makes its group so, and leaves its neighbours and the one-hot form alone.
TEST_P(SoftmaxLayers, KeepNaNWithinItsGroup) {
  const std::int64_t columns = 106;
  const Offsets offsets = {0, 3, 6, 56, 106};
  Floats input(size(columns), 0), mean(input), sample(input);
  input[4] = input[60] = std::numeric_limits<float>::quiet_NaN();
  table.softmax_layer({.input = input.data(),
                       .columns = columns,
                       .offsets = offsets.data(),
                       .groups = 4,
                       .mean = mean.data(),
                       .sample = sample.data(),
                       .stream = {7, 7}},
                      0, 1);
  for (std::size_t j = 0; j < mean.size(); ++j)
    EXPECT_EQ(std::isnan(mean[j]), (j >= 3 && j < 6) || j >= 56) << j;
  EXPECT_EQ(std::count(sample.begin(), sample.end(), 1.0F), 4);
  EXPECT_TRUE(sample[5] == 1 && sample[105] == 1);
}

// A column with probability zero is never drawn, not even by u = 0: the first columns are impossible here.
TEST_P(SoftmaxLayers, NeverDrawTheImpossible) {
  for (const std::int64_t group : {4, 40}) {
    const std::int64_t rows = 2000, columns = 4 * group;
    const Offsets offsets = groups_of(columns, {group});
    Floats input(size(rows * columns), 0), sample(input);
    for (std::int64_t i = 0; i < rows * columns; i += group / 2) input[size(i)] = -200;
    table.softmax_layer({.input = input.data(),
                         .columns = columns,
                         .offsets = offsets.data(),
                         .groups = 4,
                         .sample = sample.data(),
                         .stream = {6, 6}},
                        0, rows);
    for (std::int64_t i = 0; i < rows * columns; i += group / 2) ASSERT_EQ(sample[size(i)], 0);
  }
}

// Draws of two neighbouring groups: each pair of columns as often as the product of their probabilities says.
// Once for small groups, once for large ones; 12 + 20 checks at 5.5 standard errors: false alarm 1.3e-6.
TEST_P(SoftmaxLayers, GroupsDrawWithTheirMeansAndIndependently) {
  const std::int64_t rows = 40000;
  for (const auto& [first, second] : {std::pair<std::int64_t, std::int64_t>{3, 4}, {20, 1000}}) {
    const std::int64_t columns = first + second, cells = second > 4 ? 1 : 4;
    const Offsets offsets = {0, first, columns};
    Floats row = random_floats(columns, 1, 9);
    if (second > 4) row[size(first)] = 7;  // the one column of the large group that is counted
    Floats input, mean(size(rows * columns)), sample(mean);
    for (std::int64_t r = 0; r < rows; ++r) input.insert(input.end(), row.begin(), row.end());
    table.softmax_layer({.input = input.data(),
                         .columns = columns,
                         .offsets = offsets.data(),
                         .groups = 2,
                         .mean = mean.data(),
                         .sample = sample.data(),
                         .stream = {2024, 11}},
                        0, rows);
    for (std::int64_t i = 0; i < first; ++i) {
      for (std::int64_t k = first; k < first + cells; ++k) {
        double both = 0;
        for (std::int64_t r = 0; r < rows; ++r)
          both += sample[size(r * columns + i)] * sample[size(r * columns + k)];
        const double p = static_cast<double>(mean[size(i)]) * mean[size(k)], n = static_cast<double>(rows);
        EXPECT_NEAR(both / n, p, 5.5 * std::sqrt(p * (1 - p) / n)) << i << " and " << k;
      }
    }
  }
}

// Cuts [0, count) into ranges and calls the body on each.
using Cut = std::function<void(std::int64_t, const std::function<void(std::int64_t, std::int64_t)>&)>;

// The bytes of what the layers write, when their rows are cut so.
std::vector<Doubles> everything(const KernelTable& table, const Cut& cut) {
  const Case given(7, 333, {2, 7, 3, 16, 5, 100}, false);
  Output softmax, normal, rectified;
  const SoftmaxLayer layer = given.layer(softmax), a = given.layer(normal), b = given.layer(rectified);
  const NormalLayer normals{.input = a.input,
                            .columns = 333,
                            .sample = a.sample,
                            .weight = a.weight,
                            .row_sum = a.row_sum,
                            .stream = {1, 1}};
  const RectifiedLayer rectifieds{.input = b.input,
                                  .columns = 333,
                                  .sample = b.sample,
                                  .weight = b.weight,
                                  .row_sum = b.row_sum,
                                  .stream = {1, 2}};
  cut(7, [&](std::int64_t from, std::int64_t to) { table.softmax_layer(layer, from, to); });
  cut(7, [&](std::int64_t from, std::int64_t to) { table.normal_layer(normals, from, to); });
  cut(7, [&](std::int64_t from, std::int64_t to) { table.rectified_layer(rectifieds, from, to); });
  std::vector<Doubles> all = {softmax.log_sum_exp};
  for (const Output& out : {softmax, normal, rectified}) {
    all.push_back(out.row_sum);
    all.emplace_back(out.mean.begin(), out.mean.end());
    all.emplace_back(out.sample.begin(), out.sample.end());
  }
  return all;
}

TEST_P(SoftmaxLayers, ThreadsAndCutsChangeNothingInAnyLayerOfUnits) {
  const auto whole = everything(table, [](std::int64_t count, const auto& body) { body(0, count); });
  const int before = threads();
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    const auto shared =
        everything(table, [](std::int64_t n, const auto& body) { parallel_ranges(n, 1e9, 1, body); });
    EXPECT_EQ(whole, shared) << count << " threads";
  }
  set_threads(before);
  for (const std::int64_t step : {1, 2, 5}) {
    const auto in_steps = everything(table, [step](std::int64_t n, const auto& body) {
      for (std::int64_t at = n - (n - 1) % step - 1; at >= 0; at -= step) body(at, std::min(at + step, n));
    });
    EXPECT_EQ(whole, in_steps) << "steps of " << step;
  }
}

}  // namespace
}  // namespace deepgen::softmax_kernel_test
