// Convolutions and what goes with them against plain torch, values and gradients, at any number of threads.
#include "deepgen/ops/convolution.h"

#include "deepgen/ops/picture_layers.h"
#include "deepgen/parts/nets/conv_nets.h"
#include "tests/library/machines.h"

namespace deepgen::convolution_test {
namespace {

using namespace machines;

using Tensors = std::vector<Tensor>;
using Layer = std::function<Tensor(const Tensors&)>;

Tensors leaves(const std::vector<std::vector<std::int64_t>>& shapes, std::uint64_t seed) {
  Rng rng(seed);
  Tensors all;
  for (const auto& shape : shapes) all.push_back(normal_tensor(shape, 1, rng).requires_grad_(true));
  return all;
}

// Gradients of sum(weights * y) for fixed weights.
Tensors gradients(const Tensor& y, const Tensors& of) {
  Rng rng(5);
  return torch::autograd::grad({(y * normal_tensor(y.sizes(), 1, rng)).sum()}, of);
}

void expect_twins(const Layer& ours, const Layer& twin, const Tensors& of, double tolerance,
                  const std::string& what) {
  const Tensor a = ours(of), b = twin(of);
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  expect_near(doubles(a), doubles(b), tolerance, what);
  const Tensors g = gradients(a, of), h = gradients(b, of);
  for (std::size_t k = 0; k < of.size(); ++k) {
    const double scale = std::max(1.0, h[k].abs().max().item<double>());
    expect_near(doubles(g[k]), doubles(h[k]), tolerance * scale, what + ", gradient " + std::to_string(k));
  }
}

void expect_equal_bits_of_threads(const Layer& layer, const Tensors& of, const std::string& what) {
  Tensors one, four;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    const Tensor y = layer(of);
    Tensors& all = count == 1 ? one : four;
    all = gradients(y, of);
    all.push_back(y);
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], what);
}

struct Setting {
  std::int64_t batch, height, width, in, out, kernel;
  KernelSteps steps;
};

const std::vector<Setting> settings = {{3, 7, 5, 2, 3, 3, {1, 1, 0}},     {2, 8, 8, 1, 4, 5, {2, 2, 1}},
                                       {4, 9, 6, 3, 2, 4, {2, 1, 0}},     {1, 1, 10, 2, 2, 1, {1, 0, 0}},
                                       {2, 11, 4, 2, 3, 3, {3, 0, 2}},    {1, 1, 10, 1, 2, 3, {1, 1, 0}},
                                       {70, 14, 14, 16, 32, 5, {2, 2, 1}}};

std::string name_of(const Setting& s) {
  return std::to_string(s.height) + "x" + std::to_string(s.width) + " kernel " + std::to_string(s.kernel) +
         " stride " + std::to_string(s.steps.stride);
}

TEST(Convolution, EqualsItsComposedTwin) {
  for (const Setting& s : settings)
    expect_twins([&](const Tensors& t) { return convolution(t[0], t[1], t[2], s.steps); },
                 [&](const Tensors& t) { return composed::convolution(t[0], t[1], t[2], s.steps); },
                 leaves({{s.batch, s.height, s.width, s.in}, {s.kernel, s.kernel, s.in, s.out}, {s.out}}, 1),
                 2e-4, name_of(s));
}

TEST(Convolution, TransposedEqualsItsComposedTwin) {
  for (const Setting& s : settings)
    expect_twins(
        [&](const Tensors& t) { return transposed_convolution(t[0], t[1], t[2], s.steps); },
        [&](const Tensors& t) { return composed::transposed_convolution(t[0], t[1], t[2], s.steps); },
        leaves({{s.batch, s.height, s.width, s.in}, {s.kernel, s.kernel, s.out, s.in}, {s.out}}, 2), 2e-4,
        name_of(s));
}

TEST(Convolution, OfOffsetsEqualsItsComposedTwin) {
  for (const std::vector<Offset>& offsets :
       {std::vector<Offset>{{0, 0}}, {{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}}, {{-9, 0}, {0, 12}, {2, -3}}}) {
    const auto count = static_cast<std::int64_t>(offsets.size());
    expect_twins([&](const Tensors& t) { return offset_convolution(t[0], t[1], t[2], offsets); },
                 [&](const Tensors& t) { return composed::offset_convolution(t[0], t[1], t[2], offsets); },
                 leaves({{3, 5, 4, 2}, {count, 2, 3}, {3}}, 3), 5e-5, std::to_string(count) + " offsets");
  }
}

TEST(Convolution, WithoutBiasOrGradientOfTheInput) {
  const Tensors t = leaves({{2, 6, 6, 2}, {3, 3, 2, 2}}, 4);
  const KernelSteps steps{2, 1, 1};
  const Tensor x = t[0].detach(), none;
  for (const bool transposed : {false, true}) {
    const Tensor ours =
        transposed ? transposed_convolution(x, t[1], none, steps) : convolution(x, t[1], none, steps);
    const Tensor twin = transposed ? composed::transposed_convolution(x, t[1], none, steps)
                                   : composed::convolution(x, t[1], none, steps);
    expect_near(doubles(ours), doubles(twin), 1e-5, "value");
    expect_near(doubles(gradients(ours, {t[1]})[0]), doubles(gradients(twin, {t[1]})[0]), 1e-4, "weights");
  }
}

TEST(Convolution, DoesNotDependOnTheNumberOfThreads) {
  const KernelSteps steps{2, 2, 1};
  expect_equal_bits_of_threads([&](const Tensors& t) { return convolution(t[0], t[1], t[2], steps); },
                               leaves({{37, 28, 28, 11}, {5, 5, 11, 32}, {32}}, 6), "convolution");
  expect_equal_bits_of_threads(
      [&](const Tensors& t) { return transposed_convolution(t[0], t[1], t[2], steps); },
      leaves({{37, 7, 7, 64}, {5, 5, 32, 64}, {32}}, 7), "transposed");
  expect_equal_bits_of_threads(
      [&](const Tensors& t) {
        return offset_convolution(t[0], t[1], t[2], {{0, 0}});
      },
      leaves({{37, 28, 28, 32}, {1, 32, 32}, {32}}, 8), "one pixel");
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  const Tensor x = at::zeros({1, 4, 4, 2}), w = at::zeros({3, 3, 2, 5}), none;
  auto message = [&](const std::function<void()>& run) { return error_of(ErrorKind::usage, run); };
  expect_says(message([&] {
                convolution(x, at::zeros({3, 3, 3, 5}), none);
              }),
              {"[convolution]", "2 channels"});
  expect_says(message([&] { convolution(x, at::zeros({5, 5, 2, 5}), none); }), {"kernel", "0 x 0"});
  expect_says(message([&] { convolution(x, w, none, {0, 0, 0}); }), {"stride"});
  expect_says(message([&] {
                transposed_convolution(x, w.transpose(2, 3), none, {2, 0, 2});
              }),
              {"output padding"});
  expect_says(message([&] {
                offset_convolution(x, at::zeros({2, 2, 1}), none, {{0, 0}});
              }),
              {"1 offsets, got 2"});
}

TEST(PictureLayers, EqualTheirComposedTwins) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3, 6, 4, 5}, {2, 7, 5, 1}}) {
    const Tensors x = leaves({shape}, 9);
    expect_twins([](const Tensors& t) { return max_pool(t[0]).values; },
                 [](const Tensors& t) { return composed::max_pool(t[0]).values; }, x, 1e-6, "pooling");
    expect_bit_equal(max_pool(x[0]).places, composed::max_pool(x[0]).places, "places");
    for (const std::int64_t times : {1, 2, 3})
      expect_twins([&](const Tensors& t) { return upsample(t[0], times); },
                   [&](const Tensors& t) { return composed::upsample(t[0], times); }, x, 1e-5, "upsampling");
  }
  const Tensors n = leaves({{5, 4, 3, 6}, {6}, {6}}, 10);
  expect_twins(
      [](const Tensors& t) { return normalise_batch(t[0], channel_moments(t[0]), t[1], t[2], 1e-5); },
      [](const Tensors& t) { return composed::normalise_batch(t[0], t[1], t[2], 1e-5); }, n, 2e-5, "batch");
  const ChannelMoments moments{at::full({6}, 0.3, at::kDouble), at::full({6}, 2.0, at::kDouble)};
  expect_twins([&](const Tensors& t) { return normalise_with(t[0], moments, t[1], t[2], 0.1); },
               [](const Tensors& t) { return (t[0] - 0.3) / std::sqrt(2.1) * t[1] + t[2]; }, n, 2e-5,
               "constants");
}

TEST(PictureLayers, UnpoolingPutsValuesWhereTheyWere) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3, 6, 4, 5}, {2, 7, 5, 1}}) {
    const Tensor x = leaves({shape}, 11)[0];
    const Pooled pooled = max_pool(x);
    const Tensor back = max_unpool(pooled.values, pooled.places, shape[1], shape[2]);
    EXPECT_TRUE(at::logical_or(back == 0, back == x).all().item<bool>());
    EXPECT_EQ((back != 0).sum().item<std::int64_t>(), pooled.values.numel());
    expect_bit_equal(max_pool(back.abs()).values, pooled.values.abs(), "pooled again");
    // Unpooling is the adjoint of taking: <unpool(v), u> = <v, take(u)>.
    const Tensor v = pooled.values.detach().requires_grad_(true);
    Rng rng(5);
    const Tensor u = normal_tensor(shape, 1, rng);
    const Tensor put = max_unpool(v, pooled.places, shape[1], shape[2]);
    const Tensor g = torch::autograd::grad({(put * u).sum()}, {v})[0];
    EXPECT_NEAR((g * v).sum().item<double>(), (put * u).sum().item<double>(), 1e-4);
  }
}

TEST(PictureLayers, DoNotDependOnTheNumberOfThreads) {
  const Tensors x = leaves({{50, 28, 27, 8}, {8}, {8}}, 12);
  expect_equal_bits_of_threads(
      [](const Tensors& t) {
        const Pooled pooled = max_pool(normalise_batch(t[0], channel_moments(t[0]), t[1], t[2], 1e-5));
        return upsample(max_unpool(pooled.values, pooled.places, 28, 27));
      },
      x, "threads");
}

TEST(PictureLayers, RowsBecomePicturesAndComeBack) {
  const Tensor rows = at::arange(48, at::kFloat).view({2, 24});
  const Tensor pictures = to_pictures(rows, {2, 3, 4});
  ASSERT_EQ(pictures.sizes(), at::IntArrayRef({2, 3, 4, 2}));
  EXPECT_EQ(pictures[1][2][3][0].item<float>(), 24 + 11);
  EXPECT_EQ(pictures[1][2][3][1].item<float>(), 24 + 23);
  expect_bit_equal(to_rows(pictures), rows, "back");
  EXPECT_EQ(to_pictures(rows, {24}).sizes(), at::IntArrayRef({2, 1, 24, 1}));
  EXPECT_EQ(to_pictures(rows, {4, 6}).sizes(), at::IntArrayRef({2, 4, 6, 1}));
  expect_says(error_of(ErrorKind::usage, [&] { to_pictures(rows, {5, 5}); }), {"5 x 5", "24"});
}

TEST(ConvLayers, BeginWithTheScaleOfTheirLayers) {
  Rng rng(13);
  ConvLayer down(32, 64, 5, {2, 2, 0}, Activation::leaky);
  TransposedConvLayer up(64, 32, 5, {2, 2, 1}, Activation::relu);
  down.initialise(rng);
  up.initialise(rng);
  // 51,200 draws of a uniform variable: the deviation of their variance is 0.4 % of it.
  EXPECT_NEAR(down.weight.pow(2).mean().item<double>() * 32 * 25 / 2, 1, 0.03);
  EXPECT_NEAR(up.weight.pow(2).mean().item<double>() * 64 * 25 / 4 / 2, 1, 0.03);
  const Tensor y = down.forward(normal_tensor({2, 28, 28, 32}, 1, rng));
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 14, 14, 64}));
  EXPECT_EQ(up.forward(y).sizes(), at::IntArrayRef({2, 28, 28, 32}));
}

TEST(BatchNormalisation, KeepsRunningMomentsInBuffers) {
  Rng rng(14);
  BatchNorm norm(3, 0.1, 1e-5);
  const Tensor x = normal_tensor({40, 2, 2, 3}, 2, rng) + 1;
  const Tensor y = norm.forward_batch(x, false);
  EXPECT_EQ(norm.running_mean.abs().max().item<double>(), 0) << "moved though not tracked";
  const Tensor rows = y.view({-1, 3}).to(at::kDouble);
  EXPECT_LT(rows.mean(0).abs().max().item<double>(), 1e-5);
  EXPECT_LT((rows.var(0, false) - 1).abs().max().item<double>(), 1e-4);
  for (int i = 0; i < 200; ++i) norm.forward_batch(x);
  EXPECT_EQ(norm.buffers().size(), 2U);
  const Tensor plain = x.view({-1, 3}).to(at::kDouble);
  EXPECT_LT((norm.running_mean - plain.mean(0)).abs().max().item<double>(), 1e-6);
  EXPECT_LT((norm.running_variance - plain.var(0, true)).abs().max().item<double>(), 1e-5);
  expect_bit_equal(norm.forward_running(x).narrow(0, 3, 1), norm.forward_running(x.narrow(0, 3, 1)),
                   "row by row");
}

}  // namespace
}  // namespace deepgen::convolution_test
