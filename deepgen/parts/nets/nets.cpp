#include "deepgen/parts/nets/nets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/ops/binary_units.h"

namespace deepgen {

void fill_uniform(Tensor& parameter, double limit, Rng& rng) {
  NoGradGuard no_graph;
  const std::int64_t columns = parameter.size(-1);
  const Tensor u = uniform(parameter.numel() / columns, columns, rng.next());
  parameter.copy_(u.view(parameter.sizes()).mul_(2 * limit).sub_(limit));
}

DenseLayer::DenseLayer(std::int64_t in, std::int64_t out, Activation f)
    : weight(register_parameter("weight", at::zeros({in, out}))),
      bias(register_parameter("bias", at::zeros({out}))),
      activation_(f) {}

void DenseLayer::initialise(Rng& rng) {
  const bool rectifies = activation_ == Activation::relu || activation_ == Activation::leaky;
  const auto in = static_cast<double>(weight.size(0)), out = static_cast<double>(weight.size(1));
  fill_uniform(weight, std::sqrt(3 * (rectifies ? 2 / in : 2 / (in + out))), rng);
  NoGradGuard no_graph;
  bias.zero_();
}

Mlp::Mlp(std::int64_t in, std::vector<std::int64_t> sizes, const std::string& activation) : out_(in) {
  const bool gated = activation == "gated";
  const Activation f = gated ? Activation::identity : activation_of(activation);
  for (const std::int64_t size : sizes) {
    const std::string number = fmt::format("{}", layers_.size());
    layers_.push_back(register_module("layer" + number, std::make_shared<DenseLayer>(out_, size, f)));
    if (gated)
      gates_.push_back(
          register_module("gate" + number, std::make_shared<DenseLayer>(out_, size, Activation::sigmoid)));
    out_ = size;
  }
}

void Mlp::initialise(Rng& rng) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l]->initialise(rng);
    if (!gates_.empty()) gates_[l]->initialise(rng);
  }
}

Tensor Mlp::forward(Tensor x, bool frozen) const {
  for (std::size_t l = 0; l < layers_.size(); ++l)
    x = gates_.empty() ? layers_[l]->forward(x, frozen)
                       : layers_[l]->forward(x, frozen) * gates_[l]->forward(x, frozen);
  return x;
}

Tensor dropped(const Tensor& x, double share, Rng& rng) {
  if (share == 0) return x;
  const Tensor kept = (uniform(x.size(0), x.size(1), rng.next()) >= share).to(at::kFloat);
  return x * kept.mul_(1 / (1 - share));
}

// Torch shares sums of 32768 numbers or more out among its threads.
Tensor ordered_mean(const Tensor& values) {
  constexpr std::int64_t most = 32767;
  const Tensor all = values.reshape({-1});
  if (all.size(0) <= most) return all.mean();
  Tensor sum = at::zeros({}, all.options());
  for (std::int64_t first = 0; first < all.size(0); first += most)
    sum = sum + all.narrow(0, first, std::min(most, all.size(0) - first)).sum();
  return sum / static_cast<double>(all.size(0));
}

double ordered_norm(const Tensor& values) {
  const double mean = ordered_mean(values.detach().to(at::kDouble).square()).item<double>();
  return std::sqrt(mean * static_cast<double>(values.numel()));
}

void fill_gradients(const Tensor& loss, const std::vector<Tensor>& parameters) {
  const auto gradients = torch::autograd::grad({loss}, parameters, {}, false, false, /*allow_unused=*/true);
  NoGradGuard no_graph;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Tensor parameter = parameters[i];
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    if (gradients[i].defined())
      parameter.mutable_grad().copy_(gradients[i]);
    else
      parameter.mutable_grad().zero_();
  }
}

}  // namespace deepgen
