// Fused layers against their composed twins, on odd shapes, on inputs that are not dense, on one thread and
// on two.
#include "deepgen/ops/binary_units.h"

#include "tests/library/machines.h"

namespace deepgen::ops_test {
namespace {

using namespace machines;

struct Shape {
  std::int64_t rows, columns;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.rows << " x " << s.columns; }

class Ops : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    input = normal_tensor({rows(), columns()}, 4, rng);
    bias = normal_tensor({columns()}, 2, rng);
  }
  std::int64_t rows() const { return GetParam().rows; }
  std::int64_t columns() const { return GetParam().columns; }
  Tensor blank() const { return at::full({rows(), columns()}, -7.0); }

  Rng rng{191};
  Stream stream{12345, 678};
  Tensor input, bias;
};
INSTANTIATE_TEST_SUITE_P(Shapes, Ops,
                         ::testing::Values(Shape{1, 1}, Shape{3, 5}, Shape{1, 64}, Shape{7, 65}, Shape{2, 63},
                                           Shape{100, 500}, Shape{33, 129}, Shape{500, 3}, Shape{257, 1000},
                                           Shape{0, 5}));

double largest_difference(const Tensor& a, const Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// Samples may differ only where the uniform number lies within rounding of the mean.
void expect_same_draws(const Tensor& a, const Tensor& b, const Tensor& mean, Stream stream) {
  const Tensor u = uniform(mean.size(0), mean.size(1), stream);
  const Tensor differ = at::logical_and(a != b, (u - mean).abs() > 2e-6);
  EXPECT_FALSE(differ.any().item<bool>());
  EXPECT_TRUE(at::logical_or(a == 0, a == 1).all().item<bool>());
}

TEST_P(Ops, BinaryLayerEqualsItsTwin) {
  for (const double scale : {1.0, 0.0, -0.5, 0.37}) {
    for (const bool with_bias : {true, false}) {
      const Tensor b = with_bias ? bias : Tensor();
      const Tensor weight = normal_tensor({columns()}, 1, rng);
      UnitOutputs ours{blank(), blank(), weight, at::full({rows()}, 3.0, at::kDouble)};
      UnitOutputs twin{blank(), blank(), weight, at::full({rows()}, 3.0, at::kDouble)};
      binary_layer(input, b, scale, stream, ours);
      composed::binary_layer(input, b, scale, stream, twin);
      EXPECT_LT(largest_difference(ours.mean, twin.mean), 1e-6);
      expect_same_draws(ours.sample, twin.sample, twin.mean, stream);
      const Tensor sums = ours.sample.to(at::kDouble).mv(weight.to(at::kDouble)) + 3;
      EXPECT_LT(largest_difference(ours.row_sum, sums), 1e-5);
    }
  }
}

// Outputs may be the input itself, and each may be left out.
TEST_P(Ops, BinaryLayerWritesInPlaceAndOnlyWhatIsWanted) {
  UnitOutputs both{blank(), blank()};
  binary_layer(input, bias, 1, stream, both);
  Tensor in_place = input.clone();
  binary_layer(in_place, bias, 1, stream, {.mean = in_place});
  expect_bit_equal(in_place, both.mean, "mean in place");
  in_place = input.clone();
  binary_layer(in_place, bias, 1, stream, {.sample = in_place});
  expect_bit_equal(in_place, both.sample, "sample in place");
  in_place = input.clone();
  Tensor sample = blank();
  binary_layer(in_place, bias, 1, stream, {.mean = in_place, .sample = sample});
  expect_bit_equal(in_place, both.mean, "mean in place beside a sample");
  expect_bit_equal(sample, both.sample, "sample beside a mean in place");
}

TEST_P(Ops, SoftplusRowSumEqualsItsTwin) {
  for (const double scale : {1.0, 0.0, -2.0}) {
    const Tensor ours = softplus_row_sum(input, bias, scale),
                 twin = composed::softplus_row_sum(input, bias, scale);
    ASSERT_EQ(ours.scalar_type(), at::kDouble);
    EXPECT_LT(largest_difference(ours, twin), 1e-6 * (1 + 5 * std::sqrt(real(columns())))) << scale;
  }
  const Tensor none = softplus_row_sum(input, {}), zero = softplus_row_sum(input, at::zeros({columns()}));
  EXPECT_LT(largest_difference(none, zero), 1e-9);
}

TEST_P(Ops, SoftplusRowSum64IsExactInDouble) {
  const Tensor wide = input.to(at::kDouble) * 30;  // from far below to far above zero
  const Tensor wanted = (wide.clamp_min(0) + wide.abs().neg().exp().log1p()).sum(1);
  EXPECT_LT(largest_difference(softplus_row_sum64(wide), wanted), 1e-12 * (1 + 200 * real(columns())));
}

TEST_P(Ops, AnnealLayerEqualsItsTwin) {
  const std::vector<std::pair<double, double>> temperatures = {{0, 1},     {1, 0},    {0.5, 0.5001},
                                                               {0.3, 0.3}, {0, 1e-5}, {0.99999, 1}};
  for (const auto& [from, to] : temperatures) {
    Tensor sum = at::full({rows()}, 2.0, at::kDouble), twin_sum = sum.clone(), sample = blank(),
           twin = blank();
    anneal_layer(input, bias, from, to, stream, sum, sample);
    composed::anneal_layer(input, bias, from, to, stream, twin_sum, twin);
    EXPECT_LT(largest_difference(sum, twin_sum),
              1e-6 * (1 + 5 * std::sqrt(real(columns())) * std::abs(to - from)))
        << from << " to " << to;
    expect_same_draws(sample, twin, ((input + bias) * to).sigmoid(), stream);
  }
}

TEST_P(Ops, ColumnSumsAddRowsInOrder) {
  Tensor sums = at::full({columns()}, 5.0);
  column_sums(input, 0.5, false, sums);
  const Tensor wanted = input.to(at::kDouble).sum(0) * 0.5;
  EXPECT_LT(largest_difference(sums, wanted), 1e-6 * (1 + 4 * real(rows())));
  column_sums(input, -2, true, sums);
  EXPECT_LT(largest_difference(sums, -3 * wanted), 1e-5 * (1 + 4 * real(rows())));
}

// Inputs that are no dense float32 rows take the composed way and give the same.
TEST_P(Ops, InputsThatAreNotDenseGiveTheSame) {
  Tensor padded = at::full({rows(), columns() + 3}, 99.0);
  padded.narrow(1, 2, columns()).copy_(input);
  const std::vector<Tensor> views = {input.t().contiguous().t(), padded.narrow(1, 2, columns())};
  for (const Tensor& view : views) {
    UnitOutputs ours{blank(), blank()}, dense{blank(), blank()};
    binary_layer(view, bias, 0.7, stream, ours);
    binary_layer(input, bias, 0.7, stream, dense);
    EXPECT_LT(largest_difference(ours.mean, dense.mean), 1e-6);
    expect_same_draws(ours.sample, dense.sample, dense.mean, stream);
    EXPECT_LT(largest_difference(softplus_row_sum(view, bias), softplus_row_sum(input, bias)), 1e-4);
    Tensor sums = at::zeros({columns()}), wanted = at::zeros({columns()});
    column_sums(view, 1, false, sums), column_sums(input, 1, false, wanted);
    EXPECT_LT(largest_difference(sums, wanted), 1e-5 * (1 + real(rows())));
    Tensor row_sum = at::zeros({rows()}, at::kDouble), wanted_sum = row_sum.clone(), sample = blank(),
           twin = blank();
    anneal_layer(view, bias, 0.2, 0.4, stream, row_sum, sample);
    anneal_layer(input, bias, 0.2, 0.4, stream, wanted_sum, twin);
    EXPECT_LT(largest_difference(row_sum, wanted_sum), 1e-4);
  }
}

TEST_P(Ops, ThreadsChangeNothing) {
  auto all = [&] {
    std::vector<Tensor> results;
    const Tensor weight = bias * 0.3;
    UnitOutputs outputs{blank(), blank(), weight, at::zeros({rows()}, at::kDouble)};
    binary_layer(input, bias, 1, stream, outputs);
    Tensor row_sum = at::zeros({rows()}, at::kDouble), sample = blank(), sums = at::zeros({columns()});
    anneal_layer(input, bias, 0.3, 0.31, stream, row_sum, sample);
    column_sums(input, 0.1, false, sums);
    return std::vector<Tensor>{outputs.mean,
                               outputs.sample,
                               outputs.row_sum,
                               row_sum,
                               sample,
                               sums,
                               softplus_row_sum(input, bias),
                               softplus_row_sum64(input),
                               uniform(rows(), columns(), stream)};
  };
  std::vector<Tensor> one, several;
  {
    const Threads threads(1);
    one = all();
  }
  for (const int count : {2, 3}) {
    const Threads threads(count);
    several = all();
    for (std::size_t i = 0; i < one.size(); ++i)
      expect_bit_equal(one[i], several[i], "result " + std::to_string(i) + " on " + std::to_string(count));
  }
}

TEST_P(Ops, UniformIsTheNumberThatLayersCompareWith) {
  const Tensor u = uniform(rows(), columns(), stream);
  EXPECT_TRUE(at::logical_and(u >= 0, u < 1).all().item<bool>());
  expect_bit_equal(u, uniform(rows(), columns(), stream), "again");
  UnitOutputs ours{blank(), blank()};
  binary_layer(input, bias, 1, stream, ours);
  expect_same_draws(ours.sample, (u < ours.mean).to(at::kFloat), ours.mean, stream);
}

// Mean and variance of a million numbers; each check fails by chance once in a million fresh streams.
TEST(Uniform, HasTheMomentsOfTheUnitInterval) {
  const Tensor u = uniform(1000, 1000, {1, 2}).to(at::kDouble);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, 4.9 * std::sqrt(1.0 / 12e6));
  EXPECT_NEAR(u.var(false).item<double>(), 1.0 / 12, 4.9 * std::sqrt(1.0 / 180e6));
  EXPECT_FALSE(at::equal(u, uniform(1000, 1000, {1, 3}).to(at::kDouble)));
  EXPECT_FALSE(at::equal(u, uniform(1000, 1000, {2, 2}).to(at::kDouble)));
}

// Draws of the fused layer have its mean: a chi-square over 30 inputs of 100,000 draws each.
TEST(BinaryLayer, DrawsWithItsMean) {
  const Tensor row = at::linspace(-6, 6, 30), input = row.expand({100000, 30}).contiguous();
  UnitOutputs outputs{at::empty({100000, 30}), at::empty({100000, 30})};
  binary_layer(input, {}, 1, {7, 7}, outputs);
  const Doubles p = doubles(row.to(at::kDouble).sigmoid()),
                mean = doubles(outputs.sample.to(at::kDouble).mean(0));
  for (std::size_t j = 0; j < p.size(); ++j)  // 30 checks at one in 30 million each
    EXPECT_NEAR(mean[j], p[j], 5.5 * std::sqrt(p[j] * (1 - p[j]) / 1e5)) << j;
}

// The header asks for dense tensors. One that is not must be refused or read as what it is: a stride that is
// ignored gives other numbers without a word.
void expect_equal_or_refused(const Tensor& wanted, const std::string& what,
                             const std::function<Tensor()>& run) {
  try {
    EXPECT_LT(largest_difference(run(), wanted), 1e-4) << what;
  } catch (const std::exception&) {
  }
}

TEST(StridedArguments, AreRefusedOrReadAsTheyAre) {
  Rng rng(197);
  const Tensor input = normal_tensor({7, 65}, 2, rng), bias = normal_tensor({65}, 2, rng);
  const Tensor strided = at::stack({bias, at::full({65}, 50.0)}, 1).select(1, 0);
  auto mean_into = [&](Tensor out, const Tensor& b) {
    binary_layer(input, b, 1, {}, {.mean = out});
    return out;
  };
  const Tensor mean = mean_into(at::empty({7, 65}), bias);
  expect_equal_or_refused(mean, "bias", [&] { return mean_into(at::empty({7, 65}), strided); });
  expect_equal_or_refused(mean, "output", [&] {
    return mean_into(at::full({8, 70}, -7.0).narrow(0, 0, 7).narrow(1, 1, 65), bias);
  });
  expect_equal_or_refused(softplus_row_sum(input, bias), "bias of softplus_row_sum",
                          [&] { return softplus_row_sum(input, strided); });
}

TEST(BinaryLayer, IsFiniteAtTheEnds) {
  const Tensor input = at::tensor({-1e30F, -1000.0F, -88.0F, 88.0F, 1000.0F, 1e30F}).view({1, 6});
  UnitOutputs outputs{at::empty({1, 6}), at::empty({1, 6})};
  binary_layer(input, {}, 1, {1, 1}, outputs);
  EXPECT_TRUE(outputs.mean.isfinite().all().item<bool>());
  expect_near(doubles(outputs.sample), {0, 0, 0, 1, 1, 1}, 0, "samples");
  EXPECT_NEAR(softplus_row_sum(input.narrow(1, 1, 4), {}).item<double>(), 1088, 1e-3);
}

}  // namespace
}  // namespace deepgen::ops_test
