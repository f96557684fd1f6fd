#include "deepgen/ops/convolution.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/ops/convolution_products.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Autograd keeps numbers, not windows.
std::vector<std::int64_t> packed(const Window& window) {
  std::vector<std::int64_t> all = {window.height, window.width, window.out_height, window.out_width,
                                   window.stride};
  for (const Offset& offset : window.offsets) all.insert(all.end(), {offset.down, offset.right});
  return all;
}

Window unpacked(const std::vector<std::int64_t>& all) {
  Window window{all[0], all[1], all[2], all[3], all[4], {}};
  for (std::size_t i = 5; i < all.size(); i += 2) window.offsets.push_back({all[i], all[i + 1]});
  return window;
}

void keep(AutogradContext* context, const Window& window, const Tensor& x, const Tensor& w, const Tensor& b) {
  context->save_for_backward({x, w});
  context->saved_data["window"] = packed(window);
  context->saved_data["needs"] =
      std::vector<bool>{x.requires_grad(), w.requires_grad(), b.defined() && b.requires_grad()};
}

// Autograd takes no undefined tensors.
c10::optional<Tensor> optional_bias(const Tensor& b) {
  return b.defined() ? c10::optional<Tensor>(b) : c10::nullopt;
}

// A convolution, which gathers what lies under a window, or its adjoint, which scatters over it. The gradient
// with respect to the input is in either case the other one.
enum class Way : bool { gather, scatter };

Tensor along(Way way, const Window& window, const Tensor& x, const Tensor& w, const Tensor& b) {
  return way == Way::gather ? window_product(window, x, w, b) : window_adjoint(window, x, w, b);
}

template <Way way>
class Convolution : public torch::autograd::Function<Convolution<way>> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w,
                        const c10::optional<Tensor>& bias, const Window& window) {
    const Tensor b = bias.value_or(Tensor());
    keep(context, window, x, w, b);
    return along(way, window, x, w, b);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    constexpr bool gathers = way == Way::gather;
    const variable_list saved = context->get_saved_variables();
    const Window window = unpacked(context->saved_data["window"].toIntVector());
    const auto needs = context->saved_data["needs"].toBoolList();
    const Tensor g = gradients[0].contiguous();
    const Tensor &wide = gathers ? saved[0] : g, &narrow = gathers ? g : saved[0];
    return {needs[0] ? along(gathers ? Way::scatter : Way::gather, window, g, saved[1], {}) : Tensor(),
            needs[1] ? window_weights(window, wide, narrow) : Tensor(),
            needs[2] ? channel_sums(g).to(at::kFloat) : Tensor(), Tensor()};
  }
};

std::vector<Offset> square_offsets(std::int64_t height, std::int64_t width, std::int64_t padding) {
  std::vector<Offset> offsets;
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) offsets.push_back({i - padding, j - padding});
  return offsets;
}

void expect_pictures(const Tensor& x, const Tensor& w, std::int64_t w_dimensions, std::int64_t w_channels) {
  if (x.dim() != 4 || w.dim() != w_dimensions || x.size(3) != w.size(w_channels))
    fail_usage("convolution",
               fmt::format("expected pictures [B, H, W, C] and weights of {} dimensions for C channels, got "
                           "{} dimensions with {} channels and weights of {} dimensions",
                           w_dimensions, x.dim(), x.dim() > 0 ? x.size(-1) : 0, w.dim()));
}

void expect_steps(const KernelSteps& steps) {
  if (steps.stride < 1 || steps.padding < 0 || steps.output_padding < 0 ||
      steps.output_padding >= steps.stride)
    fail_usage("convolution", fmt::format("expected a stride of 1 or more, padding 0 or more and output "
                                          "padding below stride, got {}, {} and {}",
                                          steps.stride, steps.padding, steps.output_padding));
}

void expect_pixels(std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1)
    fail_usage("convolution",
               fmt::format("expected a kernel that fits into the padded picture, got an output of {} x {}",
                           height, width));
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps) {
  expect_pictures(x, w, 4, 2);
  expect_steps(steps);
  const std::int64_t rows = x.size(1) + 2 * steps.padding - w.size(0),
                     columns = x.size(2) + 2 * steps.padding - w.size(1);
  expect_pixels(rows + 1, columns + 1);
  const Window window{x.size(1),
                      x.size(2),
                      rows / steps.stride + 1,
                      columns / steps.stride + 1,
                      steps.stride,
                      square_offsets(w.size(0), w.size(1), steps.padding)};
  return Convolution<Way::gather>::apply(x.contiguous(), w.flatten(0, 2), optional_bias(b), window);
}

Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps) {
  expect_pictures(x, w, 4, 3);
  expect_steps(steps);
  const auto size = [&](std::int64_t in, std::int64_t kernel) {
    return (in - 1) * steps.stride - 2 * steps.padding + kernel + steps.output_padding;
  };
  const Window window{size(x.size(1), w.size(0)),
                      size(x.size(2), w.size(1)),
                      x.size(1),
                      x.size(2),
                      steps.stride,
                      square_offsets(w.size(0), w.size(1), steps.padding)};
  expect_pixels(window.height, window.width);
  return Convolution<Way::scatter>::apply(x.contiguous(), w.flatten(0, 2), optional_bias(b), window);
}

Tensor offset_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                          const std::vector<Offset>& offsets) {
  expect_pictures(x, w, 3, 1);
  if (w.size(0) != static_cast<std::int64_t>(offsets.size()))
    fail_usage("convolution",
               fmt::format("expected weights for {} offsets, got {}", offsets.size(), w.size(0)));
  const Window window{x.size(1), x.size(2), x.size(1), x.size(2), 1, offsets};
  return Convolution<Way::gather>::apply(x.contiguous(), w.flatten(0, 1), optional_bias(b), window);
}

namespace composed {
namespace {
Tensor channels_first(const Tensor& x) { return x.permute({0, 3, 1, 2}); }
Tensor channels_last(const Tensor& x) { return x.permute({0, 2, 3, 1}); }
}  // namespace

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps) {
  return channels_last(at::conv2d(channels_first(x), w.permute({3, 2, 0, 1}), b, {steps.stride, steps.stride},
                                  {steps.padding, steps.padding}));
}

// The gradient of a kernel that is not dense is refused by LibTorch 2.6.
Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps) {
  return channels_last(at::conv_transpose2d(channels_first(x), w.permute({3, 2, 0, 1}).contiguous(), b,
                                            {steps.stride, steps.stride}, {steps.padding, steps.padding},
                                            {steps.output_padding, steps.output_padding}));
}

// As a sum of shifted pictures.
Tensor offset_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                          const std::vector<Offset>& offsets) {
  const std::int64_t height = x.size(1), width = x.size(2);
  const Tensor wide = at::constant_pad_nd(x, {0, 0, width, width, height, height});
  Tensor sum = at::zeros({x.size(0), height, width, w.size(2)}, x.options());
  for (std::size_t t = 0; t < offsets.size(); ++t) {
    const Offset& o = offsets[t];
    if (std::abs(o.down) > height || std::abs(o.right) > width) continue;
    const Tensor moved = wide.narrow(1, height + o.down, height).narrow(2, width + o.right, width);
    sum = sum + at::matmul(moved, w.select(0, static_cast<std::int64_t>(t)));
  }
  return b.defined() ? sum + b : sum;
}

}  // namespace composed
}  // namespace deepgen
