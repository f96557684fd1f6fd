#include "deepgen/parts/nets/discriminator.h"

#include <fmt/format.h>

namespace deepgen {

Discriminator::Discriminator(std::int64_t in, const std::vector<std::int64_t>& sizes,
                             const std::string& activation, std::int64_t pieces)
    : pieces_(activation == "maxout" ? pieces : 1) {
  const Activation f = activation == "maxout" ? Activation::identity : activation_of(activation);
  for (const std::int64_t size : sizes) {
    layers_.push_back(register_module(fmt::format("layer{}", layers_.size()),
                                      std::make_shared<DenseLayer>(in, size * pieces_, f)));
    in = size;
  }
  layers_.push_back(register_module("logit", std::make_shared<DenseLayer>(in, 1)));
}

void Discriminator::initialise(Rng& rng) {
  for (const auto& each : layers_) each->initialise(rng);
}

Tensor Discriminator::layer(std::size_t number, const Tensor& x, bool frozen) const {
  const Tensor y = layers_[number]->forward(x, frozen);
  if (pieces_ == 1 || number + 1 == layers_.size()) return y;
  return std::get<0>(y.view({y.size(0), -1, pieces_}).max(2));
}

Tensor Discriminator::forward(Tensor x, const Dropout& dropout, bool frozen, const Tensor& beside) const {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    if (dropout.rng) x = dropped(x, l == 0 ? dropout.input : dropout.hidden, *dropout.rng);
    if (l == 0 && beside.defined()) x = at::cat({x, beside}, 1);
    x = layer(l, x, frozen);
  }
  return x;
}

}  // namespace deepgen
