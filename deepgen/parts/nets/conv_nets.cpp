#include "deepgen/parts/nets/conv_nets.h"

#include <algorithm>
#include <cmath>

#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

// `in` values reach one value of the layer, and one value of its input reaches `out`.
void begin_weights(Tensor& weight, Tensor& bias, double in, double out, Activation f, Rng& rng) {
  const bool rectifies = f == Activation::relu || f == Activation::leaky;
  fill_uniform(weight, std::sqrt(3 * (rectifies ? 2 / in : 2 / (in + out))), rng);
  NoGradGuard no_graph;
  bias.zero_();
}

// Values of one channel that a kernel with this stride reaches or is reached by, on average.
double area(const Tensor& weight, double stride) {
  return static_cast<double>(weight.size(0) * weight.size(1)) / (stride * stride);
}

}  // namespace

template <KernelWay way>
KernelLayer<way>::KernelLayer(std::int64_t in, std::int64_t out, std::int64_t kernel,
                              const KernelSteps& steps, Activation f)
    : weight(register_parameter("weight", way == KernelWay::convolution
                                              ? at::zeros({kernel, kernel, in, out})
                                              : at::zeros({kernel, kernel, out, in}))),
      bias(register_parameter("bias", at::zeros({out}))),
      steps_(steps),
      activation_(f) {}

template <KernelWay way>
void KernelLayer<way>::initialise(Rng& rng) {
  const bool grows = way == KernelWay::transposed;
  const auto in = static_cast<double>(weight.size(grows ? 3 : 2)), out = static_cast<double>(bias.size(0));
  const auto stride = static_cast<double>(steps_.stride);
  begin_weights(weight, bias, in * area(weight, grows ? stride : 1), out * area(weight, grows ? 1 : stride),
                activation_, rng);
}

template <KernelWay way>
Tensor KernelLayer<way>::forward(const Tensor& x) const {
  const auto product = way == KernelWay::convolution ? convolution : transposed_convolution;
  return activate(product(x, weight, bias, steps_), activation_);
}

template class KernelLayer<KernelWay::convolution>;
template class KernelLayer<KernelWay::transposed>;

BatchNorm::BatchNorm(std::int64_t channels, double momentum, double epsilon)
    : gain(register_parameter("gain", at::ones({channels}))),
      shift(register_parameter("shift", at::zeros({channels}))),
      running_mean(register_buffer("running_mean", at::zeros({channels}, at::kDouble))),
      running_variance(register_buffer("running_variance", at::ones({channels}, at::kDouble))),
      momentum_(momentum),
      epsilon_(epsilon) {}

void BatchNorm::initialise() {
  NoGradGuard no_graph;
  gain.fill_(1);
  shift.zero_();
  running_mean.zero_();
  running_variance.fill_(1);
}

Tensor BatchNorm::forward_batch(const Tensor& x, bool track) {
  const ChannelMoments moments = channel_moments(x);
  if (track) {
    const auto count = static_cast<double>(x.numel() / x.size(-1));
    running_mean.mul_(1 - momentum_).add_(moments.mean, momentum_);
    running_variance.mul_(1 - momentum_).add_(moments.variance, momentum_ * count / std::max(count - 1, 1.0));
  }
  return normalise_batch(x, moments, gain, shift, epsilon_);
}

Tensor BatchNorm::forward_running(const Tensor& x) const {
  return normalise_with(x, {running_mean, running_variance}, gain, shift, epsilon_);
}

}  // namespace deepgen
