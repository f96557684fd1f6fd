#include "deepgen/parts/nets/picture_nets.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// Of a strided layer: halves a picture; (size + 2 - 4) / 2 + 1 = size / 2.
constexpr std::int64_t strided_kernel = 4, plain_kernel = 3;
constexpr KernelSteps halving{.stride = 2, .padding = 1}, same{.stride = 1, .padding = 1};

Activation inner(const PictureNetShape& shape) { return activation_of(shape.activation); }

}  // namespace

void check_pictures(const std::string& option, const PictureNetShape& shape) {
  if (shape.shape.size() != 3 || shape.shape[1] < 2 || shape.shape[2] < 2)
    fail_usage(option, "expected pictures for a convolutional network, got cases of another shape");
  if (shape.activation == "gated")
    fail_usage("model.activation", "expected another activation than gated for a convolutional network");
  if (shape.channels.empty()) fail_usage(option, "expected the channels of one layer or more, got none");
  const std::int64_t least = std::min(shape.shape[1], shape.shape[2]);
  if (shape.channels.size() >= 30 || least >> shape.channels.size() < 1)
    fail_usage(option,
               fmt::format("expected at most as many layers as pictures of {} x {} can be halved, got {}",
                           shape.shape[1], shape.shape[2], shape.channels.size()));
}

PicturesDown::PicturesDown(const PictureNetShape& shape) : shape_(shape) {
  std::int64_t in = shape.shape[0], height = shape.shape[1], width = shape.shape[2];
  for (const std::int64_t channels : shape.channels) {
    const auto layer = shape.pooled
                           ? std::make_shared<ConvLayer>(in, channels, plain_kernel, same, inner(shape))
                           : std::make_shared<ConvLayer>(in, channels, strided_kernel, halving, inner(shape));
    layers_.push_back(register_module(fmt::format("layer{}", layers_.size()), layer));
    in = channels, height /= 2, width /= 2;
  }
  out_ = in * height * width;
}

void PicturesDown::initialise(Rng& rng) {
  for (const auto& layer : layers_) layer->initialise(rng);
}

Tensor PicturesDown::forward(const Tensor& x) const {
  Tensor pictures = to_pictures(x, shape_.shape);
  for (const auto& layer : layers_) {
    pictures = layer->forward(pictures);
    if (shape_.pooled) pictures = max_pool(pictures).values;
  }
  return to_rows(pictures);
}

PicturesUp::PicturesUp(const PictureNetShape& shape, std::int64_t planes) : shape_(shape) {
  sizes_.push_back({shape.shape[1], shape.shape[2]});
  std::int64_t out = planes;
  for (std::size_t l = 0; l < shape.channels.size(); ++l) {
    const Activation f = l == 0 ? Activation::identity : inner(shape);
    const std::int64_t in = shape.channels[l];
    const std::string name = fmt::format("layer{}", l);
    const Size now = sizes_.back(), half{now.height / 2, now.width / 2};
    if (shape.pooled) {
      unpooling_.push_back(
          register_module(name, std::make_shared<ConvLayer>(in, out, plain_kernel, same, f)));
    } else {
      if (now.height % 2 != now.width % 2)
        fail_usage("model.channels",
                   fmt::format("expected pictures whose height and width are both even or both odd "
                               "at each halving, got {} x {}; model.pooling=true takes any",
                               now.height, now.width));
      growing_.push_back(register_module(
          name, std::make_shared<TransposedConvLayer>(
                    in, out, strided_kernel,
                    KernelSteps{.stride = 2, .padding = 1, .output_padding = now.height % 2}, f)));
    }
    sizes_.push_back(half);
    out = in;
  }
}

void PicturesUp::initialise(Rng& rng) {
  for (const auto& layer : growing_) layer->initialise(rng);
  for (const auto& layer : unpooling_) layer->initialise(rng);
}

std::int64_t PicturesUp::in() const {
  return shape_.channels.back() * sizes_.back().height * sizes_.back().width;
}

Tensor PicturesUp::forward(const Tensor& x) const {
  const Size least = sizes_.back();
  Tensor pictures = to_pictures(x, {shape_.channels.back(), least.height, least.width});
  for (std::size_t l = shape_.channels.size(); l-- > 0;) {
    if (!shape_.pooled) {
      pictures = growing_[l]->forward(pictures);
      continue;
    }
    const Tensor corners = at::zeros(pictures.sizes(), at::kByte);
    pictures = unpooling_[l]->forward(max_unpool(pictures, corners, sizes_[l].height, sizes_[l].width));
  }
  return to_rows(pictures);
}

}  // namespace deepgen
