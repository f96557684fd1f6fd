// Layers of convolutional networks, as models use them: deterministic parts whose parameters the optimiser
// sees. Pictures are [B, height, width, channels] (ops/convolution.h).
//
// Weights begin uniform with variance
//
//   2 / (in + out)    (Glorot and Bengio 2010),
//   2 / in            before rectifiers (He et al. 2015),
//
// where in and out count the values that reach one value and that one value reaches; biases at zero.
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/ops/convolution.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/picture_layers.h"

namespace deepgen {

// f(x * W + b), a square kernel; transposed: its adjoint in place of the convolution, so that pictures grow
// by the stride.
enum class KernelWay : bool { convolution, transposed };

template <KernelWay way>
class KernelLayer : public torch::nn::Module {
 public:
  KernelLayer(std::int64_t in, std::int64_t out, std::int64_t kernel, const KernelSteps& steps = {},
              Activation f = Activation::identity);
  void initialise(Rng& rng);  // the weights anew, the bias zero
  Tensor forward(const Tensor& x) const;

  Tensor weight, bias;  // [kernel, kernel, in, out], or [kernel, kernel, out, in] when transposed; [out]

 private:
  KernelSteps steps_;
  Activation activation_;
};

using ConvLayer = KernelLayer<KernelWay::convolution>;
using TransposedConvLayer = KernelLayer<KernelWay::transposed>;

// Batch normalisation (Ioffe and Szegedy 2015), of pictures or rows [.., channels]:
//
//   y = gain (x - mean) / sqrt(variance + epsilon) + shift,   moments of each channel
//
// Which moments are used is said at each call; there is no mode to forget.
class BatchNorm : public torch::nn::Module {
 public:
  explicit BatchNorm(std::int64_t channels, double momentum = 0.1, double epsilon = 1e-5);
  void initialise();  // gain one, shift zero, running moments zero and one
  // By the moments of this batch; with `track` the running moments move towards them (the variance as that
  // of a sample, divided by the count less one).
  Tensor forward_batch(const Tensor& x, bool track = true);
  // By the running moments: each case for itself.
  Tensor forward_running(const Tensor& x) const;

  Tensor gain, shift;                     // [channels]
  Tensor running_mean, running_variance;  // [channels] float64, buffers

 private:
  double momentum_, epsilon_;
};

}  // namespace deepgen
