#include "deepgen/parts/pixels/pixel_net.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/pixels/picture_forward_backward.h"

namespace deepgen {
namespace {

// Partial sums of the gradient, each over neighbouring pictures of a batch: the number is fixed, so that the
// order of addition is. More threads than this gain nothing.
constexpr std::int64_t sum_groups = 16;

Window window_of(const PixelNetSizes& sizes, std::vector<Offset> offsets) {
  return {sizes.height, sizes.width, sizes.height, sizes.width, 1, std::move(offsets)};
}

std::vector<Offset> above(std::int64_t kernel, bool first) {
  std::vector<Offset> offsets;
  for (std::int64_t down = -(kernel / 2); down <= (first ? -1 : 0); ++down)
    for (std::int64_t right = -(kernel / 2); right <= kernel / 2; ++right) offsets.push_back({down, right});
  return offsets;
}

std::vector<Offset> to_the_left(std::int64_t kernel, bool first) {
  std::vector<Offset> offsets;
  for (std::int64_t right = -(kernel / 2); right <= (first ? -1 : 0); ++right) offsets.push_back({0, right});
  return offsets;
}

// Uniform with variance `gain` / rows.
void begin(Tensor& weight, double gain, Rng& rng) {
  const auto rows = static_cast<double>(weight.numel() / weight.size(-1));
  fill_uniform(weight, std::sqrt(3 * gain / rows), rng);
}

void expect_odd(const char* option, std::int64_t kernel) {
  if (kernel < 3 || kernel % 2 == 0)
    fail_usage(option, fmt::format("expected an odd number of 3 or more, got {}", kernel));
}

void expect_inputs(const PixelNet& net, const Tensor& pictures, const Tensor& labels) {
  const PixelNetSizes& s = net.sizes();
  if (pictures.dim() != 3 || pictures.size(1) != s.pixels() || pictures.size(2) != s.inputs)
    fail_usage("pixels", fmt::format("expected pictures [B, {}, {}]", s.pixels(), s.inputs));
  net.expect_labels(labels, pictures.size(0));
}

std::int64_t label_of(const PixelNet& net, const Tensor& labels, std::int64_t row) {
  return net.sizes().classes > 0 ? labels.data_ptr<std::int64_t>()[row] : -1;
}

// What the gated features of each block are multiplied by, [batch, pixels * channels] each; none without
// dropout.
std::vector<Tensor> dropout_masks(const PixelNetSizes& sizes, std::int64_t batch, Rng& rng) {
  std::vector<Tensor> masks;
  for (std::int64_t l = 0; sizes.dropout > 0 && l < sizes.blocks; ++l)
    masks.push_back((uniform(batch, sizes.pixels() * sizes.channels, rng.next()) >= sizes.dropout)
                        .to(at::kFloat)
                        .div_(1 - sizes.dropout));
  return masks;
}

// The gradients of the parameters from one vector, in which they lie one after another.
void set_gradients(const std::vector<Tensor>& parameters, const Tensor& flat) {
  std::int64_t first = 0;
  for (Tensor each : parameters) {
    if (!each.grad().defined()) each.mutable_grad() = at::zeros_like(each);
    each.mutable_grad().copy_(flat.narrow(0, first, each.numel()).view(each.sizes()));
    first += each.numel();
  }
}

std::vector<std::unique_ptr<PictureForwardBackward>> passes_of(const PixelNet& net, int count) {
  std::vector<std::unique_ptr<PictureForwardBackward>> passes;
  for (int i = 0; i < count; ++i) passes.push_back(std::make_unique<PictureForwardBackward>(net));
  return passes;
}

}  // namespace

PixelBlock::PixelBlock(const PixelNetSizes& sizes, bool first)
    : vertical(window_of(sizes, above(first ? sizes.first_kernel : sizes.kernel, first))),
      horizontal(window_of(sizes, to_the_left(first ? sizes.first_kernel : sizes.kernel, first))),
      in(first ? sizes.inputs : sizes.channels),
      vertical_weight(
          register_parameter("vertical_weight", at::zeros({vertical.taps(), in, 2 * sizes.channels}))),
      vertical_bias(register_parameter("vertical_bias", at::zeros({2 * sizes.channels}))),
      horizontal_weight(register_parameter(
          "horizontal_weight", at::zeros({horizontal.taps() * in + 2 * sizes.channels, 2 * sizes.channels}))),
      horizontal_bias(register_parameter("horizontal_bias", at::zeros({2 * sizes.channels}))),
      out_weight(register_parameter("out_weight", at::zeros({sizes.channels, sizes.channels}))),
      out_bias(register_parameter("out_bias", at::zeros({sizes.channels}))) {
  if (sizes.classes > 0)
    class_bias = register_parameter("class_bias", at::zeros({sizes.classes, 4 * sizes.channels}));
}

void PixelBlock::initialise(Rng& rng) {
  NoGradGuard no_graph;
  for (Tensor* weight : {&vertical_weight, &horizontal_weight, &out_weight}) begin(*weight, 1, rng);
  for (Tensor* bias : {&vertical_bias, &horizontal_bias, &out_bias}) bias->zero_();
  if (class_bias.defined()) class_bias.zero_();
}

PixelNet::PixelNet(const PixelNetSizes& sizes)
    : head_weight(register_parameter("head_weight", at::zeros({sizes.channels, sizes.head}))),
      head_bias(register_parameter("head_bias", at::zeros({sizes.head}))),
      output_weight(register_parameter("output_weight", at::zeros({sizes.head, sizes.outputs}))),
      output_bias(register_parameter("output_bias", at::zeros({sizes.outputs}))),
      sizes_(sizes) {
  expect_odd("model.first_kernel", sizes.first_kernel);
  expect_odd("model.kernel", sizes.kernel);
  for (std::int64_t l = 0; l < sizes.blocks; ++l)
    blocks_.push_back(
        register_module(fmt::format("block{}", l), std::make_shared<PixelBlock>(sizes, l == 0)));
}

void PixelNet::expect_labels(const Tensor& labels, std::int64_t pictures) const {
  if (sizes_.classes > 0) check_labels(labels, pictures, sizes_.classes, "pixels");
}

void PixelNet::initialise(Rng& rng) {
  NoGradGuard no_graph;
  for (const auto& block : blocks_) block->initialise(rng);
  begin(head_weight, 2, rng);
  begin(output_weight, 0.1, rng);  // near the biases' own prediction
  head_bias.zero_();
  output_bias.zero_();
}

Tensor PixelNet::outputs(const Tensor& pictures, const Tensor& labels) const {
  NoGradGuard no_graph;
  expect_inputs(*this, pictures, labels);
  const Tensor x = pictures.contiguous(), y = labels.defined() ? labels.contiguous() : labels;
  const std::int64_t each = sizes_.pixels() * sizes_.outputs, in = sizes_.pixels() * sizes_.inputs;
  Tensor all = at::empty({x.size(0), sizes_.pixels(), sizes_.outputs});
  const auto passes = passes_of(*this, threads());
  share_items(x.size(0), [&](std::int64_t row, int thread) {
    const float* out = passes[static_cast<std::size_t>(thread)]->forward(x.data_ptr<float>() + row * in,
                                                                         label_of(*this, y, row), {});
    std::copy_n(out, each, all.data_ptr<float>() + row * each);
  });
  return all;
}

double PixelNet::gradients(const Tensor& pictures, const Tensor& labels, const Objective& objective,
                           Rng& rng) {
  NoGradGuard no_graph;
  expect_inputs(*this, pictures, labels);
  const Tensor x = pictures.contiguous(), y = labels.defined() ? labels.contiguous() : labels;
  const std::int64_t batch = x.size(0), in = sizes_.pixels() * sizes_.inputs,
                     features = sizes_.pixels() * sizes_.channels;
  const std::vector<Tensor> masks = dropout_masks(sizes_, batch, rng);
  const std::vector<Tensor> parameters = parameter_list(*this);
  std::int64_t floats = 0;
  for (const Tensor& each : parameters) floats += each.numel();
  const std::int64_t groups = std::min(sum_groups, batch);
  const Tensor sums = at::zeros({groups, floats});
  std::vector<double> values(static_cast<std::size_t>(batch));
  const auto passes = passes_of(*this, threads());
  share_items(groups, [&](std::int64_t group, int thread) {
    PictureForwardBackward& pass = *passes[static_cast<std::size_t>(thread)];
    const NetPlaces places = places_in(*this, sums.data_ptr<float>() + group * floats);
    std::vector<float> g(static_cast<std::size_t>(sizes_.pixels() * sizes_.outputs));
    std::vector<const float*> own(masks.size());
    for (std::int64_t row = batch * group / groups; row < batch * (group + 1) / groups; ++row) {
      for (std::size_t l = 0; l < masks.size(); ++l) own[l] = masks[l].data_ptr<float>() + row * features;
      const float* out = pass.forward(x.data_ptr<float>() + row * in, label_of(*this, y, row), own);
      values[static_cast<std::size_t>(row)] = objective(row, out, g.data());
      pass.backward(g.data(), places);
    }
  });
  Tensor total = sums[0];
  for (std::int64_t group = 1; group < groups; ++group) total.add_(sums[group]);
  set_gradients(parameters, total.div_(static_cast<double>(batch)));
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(batch);
}

namespace composed {

// Gated units of a [.., 2p].
static Tensor gated(const Tensor& a) {
  const auto halves = a.chunk(2, -1);
  return at::tanh(halves[0]) * at::sigmoid(halves[1]);
}

Tensor pixel_outputs(const PixelNet& net, const Tensor& pictures, const Tensor& labels) {
  const PixelNetSizes& s = net.sizes();
  const std::int64_t p2 = 2 * s.channels;
  Tensor u = pictures.view({pictures.size(0), s.height, s.width, s.inputs}), v = u;
  for (std::size_t l = 0; l < net.blocks().size(); ++l) {
    const PixelBlock& b = *net.blocks()[l];
    const std::int64_t taps = b.horizontal.taps();
    Tensor a = composed::offset_convolution(v, b.vertical_weight, b.vertical_bias, b.vertical.offsets);
    Tensor own;
    if (s.classes > 0) {
      own = b.class_bias.index_select(0, labels).view({-1, 1, 1, 2 * p2});
      a = a + own.narrow(3, 0, p2);
    }
    Tensor c =
        composed::offset_convolution(u, b.horizontal_weight.narrow(0, 0, taps * b.in).view({taps, b.in, p2}),
                                     b.horizontal_bias, b.horizontal.offsets) +
        at::matmul(a, b.horizontal_weight.narrow(0, taps * b.in, p2));
    if (own.defined()) c = c + own.narrow(3, p2, p2);
    v = l > 0 ? v + gated(a) : gated(a);
    const Tensor out = at::matmul(gated(c), b.out_weight) + b.out_bias;
    u = l > 0 ? u + out : out;
  }
  const Tensor head = at::relu(at::matmul(at::relu(u), net.head_weight) + net.head_bias);
  return (at::matmul(head, net.output_weight) + net.output_bias).flatten(1, 2);
}

}  // namespace composed
}  // namespace deepgen
