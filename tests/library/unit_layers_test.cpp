// Layers of normal, rectified and softmax units against their composed twins.
#include "deepgen/ops/unit_layers.h"

#include "tests/library/machines.h"

namespace deepgen::unit_layers_test {
namespace {

using namespace machines;

struct Shape {
  std::int64_t rows, columns;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.rows << " x " << s.columns; }

double largest_difference(const Tensor& a, const Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

Tensor offsets_of(std::int64_t columns, const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> offsets = {0};
  for (std::size_t i = 0; offsets.back() < columns; ++i)
    offsets.push_back(std::min(columns, offsets.back() + sizes[i % sizes.size()]));
  return at::tensor(offsets);
}

// A layer as a function of its outputs, fused or composed.
using Layer = std::function<void(const Tensor& input, UnitOutputs outputs, bool composed)>;

class UnitOps : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    input = normal_tensor({rows(), columns()}, 4, rng);
    bias = normal_tensor({columns()}, 2, rng);
    weight = normal_tensor({columns()}, 1, rng);
    shape = {normal_tensor({columns()}, 1, rng), normal_tensor({columns()}, 1, rng)};
  }
  std::int64_t rows() const { return GetParam().rows; }
  std::int64_t columns() const { return GetParam().columns; }
  Tensor blank() const { return at::full({rows(), columns()}, -7.0); }
  UnitOutputs wanted() const { return {blank(), blank(), weight, at::full({rows()}, 3.0, at::kDouble)}; }

  std::vector<std::pair<std::string, Layer>> layers() const {
    const auto normal = [this](const Tensor& x, UnitOutputs out, bool composed) {
      composed ? composed::normal_layer(x, bias, shape, 0.7, stream, out)
               : normal_layer(x, bias, shape, 0.7, stream, out);
    };
    const auto rectified = [this](const Tensor& x, UnitOutputs out, bool composed) {
      composed ? composed::rectified_layer(x, {}, 0.7, stream, out)
               : rectified_layer(x, {}, 0.7, stream, out);
    };
    std::vector<std::pair<std::string, Layer>> all = {{"normal", normal}, {"rectified", rectified}};
    for (const std::vector<std::int64_t>& sizes :
         std::vector<std::vector<std::int64_t>>{{1}, {5}, {3, 1, 20, 2}, {100000}}) {
      const Tensor offsets = offsets_of(columns(), sizes);
      const auto softmax = [this, offsets](const Tensor& x, UnitOutputs out, bool composed) {
        composed ? composed::softmax_layer(x, bias, offsets, 0.7, stream, out)
                 : softmax_layer(x, bias, offsets, 0.7, stream, out);
      };
      all.emplace_back("softmax in groups of " + std::to_string(sizes[0]), softmax);
    }
    return all;
  }

  Rng rng{191};
  Stream stream{12345, 678};
  Tensor input, bias, weight;
  NormalShape shape;
};
INSTANTIATE_TEST_SUITE_P(Shapes, UnitOps,
                         ::testing::Values(Shape{1, 1}, Shape{3, 5}, Shape{1, 64}, Shape{7, 65}, Shape{2, 63},
                                           Shape{100, 500}, Shape{33, 129}, Shape{257, 1000}, Shape{0, 5}));

// Equal but for draws of a one-hot unit within rounding of a border: of some 1e5 groups, at most two.
void expect_same(const UnitOutputs& a, const UnitOutputs& b, const std::string& what) {
  EXPECT_LT(largest_difference(a.mean, b.mean), 4e-6) << what;
  const auto wrong = ((a.sample - b.sample).abs() > 1e-5).sum().item<std::int64_t>();
  EXPECT_LE(wrong, what.starts_with("softmax") ? 4 : 0) << what;
}

TEST_P(UnitOps, LayersEqualTheirTwins) {
  for (const auto& [name, layer] : layers()) {
    const UnitOutputs ours = wanted(), twin = wanted();
    layer(input, ours, false);
    layer(input, twin, true);
    expect_same(ours, twin, name);
    const Tensor sums = ours.sample.to(at::kDouble).mv(weight.to(at::kDouble)) + 3;
    EXPECT_LT(largest_difference(ours.row_sum, sums), 1e-4) << name;
  }
}

TEST_P(UnitOps, LayersWriteInPlaceAndOnlyWhatIsWanted) {
  for (const auto& [name, layer] : layers()) {
    for (const bool composed : {false, true}) {
      UnitOutputs both{blank(), blank()};
      layer(input, both, composed);
      Tensor in_place = input.clone();
      layer(in_place, {.mean = in_place}, composed);
      expect_bit_equal(in_place, both.mean, name + ", mean in place");
      in_place = input.clone();
      layer(in_place, {.sample = in_place}, composed);
      expect_bit_equal(in_place, both.sample, name + ", sample in place");
    }
  }
}

// What the kernels cannot read takes the composed way: other strides, double precision.
TEST_P(UnitOps, InputsThatAreNotDenseGiveTheSame) {
  Tensor padded = at::full({rows(), columns() + 3}, 99.0);
  padded.narrow(1, 2, columns()).copy_(input);
  const std::vector<Tensor> views = {input.t().contiguous().t(), padded.narrow(1, 2, columns()),
                                     input.to(at::kDouble)};
  for (const auto& [name, layer] : layers()) {
    const UnitOutputs dense = wanted();
    layer(input, dense, false);
    for (const Tensor& view : views) {
      const UnitOutputs ours = wanted();
      layer(view, ours, false);
      expect_same(ours, dense, name);
    }
    UnitOutputs strided = wanted();
    strided.mean = at::empty({rows(), 2 * columns()}).slice(1, 0, 2 * columns(), 2);
    layer(input, strided, false);
    expect_same(strided, dense, name + " into strides");
  }
}

TEST_P(UnitOps, ThreadsChangeNothing) {
  for (const auto& [name, layer] : layers()) {
    const UnitOutputs one = wanted(), several = wanted();
    {
      const Threads threads(1);
      layer(input, one, false);
    }
    const Threads threads(3);
    layer(input, several, false);
    expect_bit_equal(one.mean, several.mean, name);
    expect_bit_equal(one.sample, several.sample, name);
    expect_bit_equal(one.row_sum, several.row_sum, name);
  }
}

TEST_P(UnitOps, NormalNumbersEqualTheirTwin) {
  const Tensor n = normal(rows(), columns(), stream);
  EXPECT_LT(largest_difference(n, composed::normal(rows(), columns(), stream)), 3e-6);
  UnitOutputs outputs{{}, blank()};
  normal_layer(at::zeros({rows(), columns()}), {}, {}, 1, stream, outputs);
  expect_bit_equal(outputs.sample, n, "the noise of a layer without input");
}

TEST_P(UnitOps, LogSumExpEqualsItsTwin) {
  for (const std::int64_t size : {1, 2, 7, 30, 5000}) {
    const Tensor offsets = offsets_of(columns(), {size});
    Tensor ours = at::full({rows()}, 5.0, at::kDouble), twin = ours.clone();
    softmax_layer(input, bias, offsets, 1, stream, {}, ours);
    composed::softmax_layer(input, bias, offsets, 1, stream, {}, twin);
    EXPECT_LT(largest_difference(ours, twin), 1e-6 * (1 + std::sqrt(real(columns())))) << size;
  }
}

TEST(SoftmaxLayer, RefusesOffsetsThatAreNone) {
  const Tensor input = at::zeros({2, 6});
  const auto message = [&](const Tensor& offsets) {
    return error_of(ErrorKind::usage, [&] { softmax_layer(input, {}, offsets, 1, {}, {}); });
  };
  const auto numbers = [](const std::vector<std::int64_t>& values) { return at::tensor(values); };
  expect_says(message(numbers({0, 3, 3, 6})), {"[softmax_layer]", "3 followed by 3"});
  expect_says(message(numbers({0, 8, 6})), {"8 followed by 6"});
  expect_says(message(numbers({1, 6})), {"1 to 6"});
  expect_says(message(numbers({0, 5})), {"to 6", "0 to 5"});
  expect_says(message(numbers({0, 7})), {"0 to 7"});
  expect_says(message(numbers({0, 6}).to(at::kInt)), {"int64"});
  expect_says(message({}), {"int64"});
  const Tensor strided = at::tensor(std::vector<std::int64_t>{0, 9, 2, 9, 6, 9}).slice(0, 0, 6, 2);
  Tensor log_sum = at::empty({2}, at::kDouble);
  softmax_layer(input, {}, strided, 1, {}, {}, log_sum);
  expect_near(doubles(log_sum), Doubles(2, std::log(8.0)), 1e-6, "offsets of another stride");
}

// A bias of another length must not be read beyond its end.
TEST(UnitLayers, RefuseOtherSizes) {
  const Tensor input = at::zeros({2, 6}), bias = at::zeros({5});
  UnitOutputs outputs{at::empty({2, 6})};
  EXPECT_ANY_THROW(normal_layer(input, bias, {}, 1, {}, outputs));
  EXPECT_ANY_THROW(normal_layer(input, {}, {.gain = bias}, 1, {}, outputs));
  EXPECT_ANY_THROW(rectified_layer(input, bias, 1, {}, outputs));
  EXPECT_ANY_THROW(softmax_layer(input, bias, offsets_of(6, {3}), 1, {}, outputs));
  EXPECT_ANY_THROW(rectified_layer(input, {}, 1, {}, {.mean = at::empty({1, 6})}));
}

}  // namespace
}  // namespace deepgen::unit_layers_test
