// The kernel of annealed importance sampling, whose errors would add up over thousands of temperatures.
#include "tests/core/kernel_inputs.h"

namespace deepgen::anneal_kernel_test {
namespace {

using namespace kernel_tests;

class AnnealVariant : public KernelVariant {};

INSTANTIATE_TEST_SUITE_P(Kernels, AnnealVariant, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

// One column: every row sum is one element. The error is that of float32, whatever cancels.
TEST_P(AnnealVariant, AnnealLayerElementByElement) {
  Floats input = random_floats(3000, 6, 4);
  for (float x : {0.0F, 1e-20F, 1e-6F, 0.01F, 20.0F, 50.0F, 88.0F, 100.0F, 300.0F, 1e4F, 1e15F})
    input.insert(input.end(), {x, -x});
  const std::int64_t rows = static_cast<std::int64_t>(input.size());
  const Floats bias = {0};
  const std::pair<double, double> temperatures[] = {{0, 1 / 14500.0}, {0.5, 0.50007}, {0.3, 1},
                                                    {1, 0.3},         {1, 0},         {0, 1},
                                                    {1, 1},           {0.7, 0.69993}, {0.9999, 1}};
  for (const auto& [from, to] : temperatures) {
    SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
    Doubles sums(size(rows));
    table.anneal_layer({.input = input.data(),
                        .bias = bias.data(),
                        .from = from,
                        .to = to,
                        .columns = 1,
                        .row_sum = sums.data(),
                        .stream = {}},
                       0, rows);
    for (std::size_t i = 0; i < input.size(); ++i) {
      const long double x = input[i], exact = softplus(to * x) - softplus(from * x);
      const double wanted = static_cast<double>(exact);
      ASSERT_NEAR(sums[i], wanted, 5e-7 * std::abs(wanted) + 1e-13) << "x = " << input[i];
    }
  }
}

void check_anneal_layer(const KernelTable& table, const Floats& input, std::int64_t rows,
                        std::int64_t columns, double from, double to) {
  const Stream stream{99, 1ULL << 40};
  const Floats bias = random_floats(columns, 1, 6);
  Floats sample = guarded(rows * columns), mean(size(rows * columns));
  Doubles sums(size(rows), 3);
  table.anneal_layer({.input = input.data(),
                      .bias = bias.data(),
                      .from = from,
                      .to = to,
                      .columns = columns,
                      .row_sum = sums.data(),
                      .sample = sample.data() + guard,
                      .stream = stream},
                     0, rows);
  expect_guards(sample);
  for (std::int64_t r = 0; r < rows; ++r) {
    long double sum = 3, size_of_sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::size_t i = size(r * columns + j);
      const long double x = input[i] + bias[size(j)], term = softplus(to * x) - softplus(from * x);
      mean[i] = static_cast<float>(1 / (1 + std::exp(-to * x)));
      sum += term;
      size_of_sum += std::abs(term);
    }
    ASSERT_NEAR(sums[size(r)], static_cast<double>(sum), static_cast<double>(3e-7L * size_of_sum + 1e-12L));
  }
  EXPECT_EQ(wrong_samples(sample, mean, stream, rows, columns), 0);
}

TEST_P(AnnealVariant, AnnealLayer) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    for (const bool rough : {false, true})
      for (const auto& [from, to] : {std::pair{0.4, 0.4001}, {0.9, 0.2}, {0.0, 1.0}})
        check_anneal_layer(table, floats_of_kind(rough, rows * columns, 5), rows, columns, from, to);
  });
}

// The temperatures of a long run: the increases telescope, and their errors must not add up.
TEST_P(AnnealVariant, AnnealLayerTelescopes) {
  const std::int64_t columns = 500, temperatures = 14500;
  const Floats input = random_floats(columns, 3, 10), bias = random_floats(columns, 1, 11);
  Doubles sum(1);
  AnnealLayer layer{.input = input.data(),
                    .bias = bias.data(),
                    .from = 0,
                    .to = 0,
                    .columns = columns,
                    .row_sum = sum.data(),
                    .stream = {}};
  for (std::int64_t k = 0; k < temperatures; ++k) {
    layer.from = static_cast<double>(k) / temperatures;
    layer.to = static_cast<double>(k + 1) / temperatures;
    table.anneal_layer(layer, 0, 1);
  }
  long double exact = 0;
  for (std::size_t j = 0; j < input.size(); ++j) exact += softplus(input[j] + bias[j]) - std::log(2.0L);
  EXPECT_NEAR(sum[0], static_cast<double>(exact), static_cast<double>(1.5e-8L * exact));
}

// A stream whose numbers for a row of 64 columns hold a zero, which is below every mean but zero.
TEST_P(AnnealVariant, AMeanOfZeroIsNeverSampled) {
  const std::int64_t columns = 64;
  Stream stream{31, 0};
  const auto has_zero = [&] {
    for (std::uint64_t block = 0; block < 16; ++block)
      for (const std::uint32_t word : stream.block(block))
        if (unit_float(word) == 0) return true;
    return false;
  };
  while (!has_zero()) ++stream.call;
  const Floats input(columns, -1000), bias(columns), none(columns);
  Floats sample(columns, 7);
  table.binary_layer({.input = input.data(), .columns = columns, .sample = sample.data(), .stream = stream},
                     0, 1);
  EXPECT_EQ(sample, none);
  Doubles sum(1);
  for (const double from : {0.0, 0.5, 0.9, 2.0}) {
    table.anneal_layer({.input = input.data(),
                        .bias = bias.data(),
                        .from = from,
                        .to = 1,
                        .columns = columns,
                        .row_sum = sum.data(),
                        .sample = sample.data(),
                        .stream = stream},
                       0, 1);
    EXPECT_EQ(sample, none) << from;
  }
}

}  // namespace
}  // namespace deepgen::anneal_kernel_test
