#include "deepgen/parts/nets/encoder_decoder_nets.h"

#include <cmath>

#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

constexpr double largest_log_variance = 6;  // of a code; the prior's is 0
constexpr double first_share_below = 0.1;   // of the usual weights: a full covariance begins nearly diagonal

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// y + bias [columns], whose gradient is summed in an order that no number of threads changes.
class WithBias : public torch::autograd::Function<WithBias> {
 public:
  static Tensor forward(AutogradContext*, const Tensor& y, const Tensor& bias) { return y + bias; }
  static variable_list backward(AutogradContext*, variable_list gradients) {
    const Tensor g = gradients[0].contiguous();
    Tensor to_bias = at::empty({g.size(1)});
    column_sums(g, 1, false, to_bias);
    return {g, to_bias};
  }
};

}  // namespace

GaussianNet::GaussianNet(std::int64_t in, const Shape& shape, std::int64_t out)
    : pictures_(shape.pictures ? register_module("pictures", std::make_shared<PicturesDown>(*shape.pictures))
                               : nullptr),
      body_(register_module(
          "body", std::make_shared<Mlp>(pictures_ ? pictures_->out() : in, shape.hidden, shape.activation))),
      mean_(register_module("mean", std::make_shared<DenseLayer>(body_->out(), out))),
      log_variance_(register_module("log_variance", std::make_shared<DenseLayer>(body_->out(), out))),
      least_(2 * std::log(shape.smallest_deviation)) {
  if (shape.full && out > 1)
    below_ = register_module("below", std::make_shared<DenseLayer>(body_->out(), out * (out - 1) / 2));
}

void GaussianNet::initialise(Rng& rng) {
  if (pictures_) pictures_->initialise(rng);
  body_->initialise(rng);
  mean_->initialise(rng);
  log_variance_->initialise(rng);
  if (!below_) return;
  below_->initialise(rng);
  NoGradGuard no_graph;
  below_->weight.mul_(first_share_below);
}

Gaussian GaussianNet::forward(const Tensor& x, bool frozen) const {
  const Tensor h = body_->forward(pictures_ ? pictures_->forward(x) : x, frozen);
  return {mean_->forward(h, frozen), log_variance_->forward(h, frozen).clamp(least_, largest_log_variance),
          below_ ? below_->forward(h, frozen) : Tensor()};
}

DecoderNet::DecoderNet(std::int64_t in, const std::vector<std::int64_t>& hidden,
                       const std::string& activation, std::int64_t out,
                       const std::optional<PictureNetShape>& pictures)
    : body_(register_module("body", std::make_shared<Mlp>(in, hidden, activation))) {
  if (!pictures) {
    output_ = register_module("output", std::make_shared<DenseLayer>(body_->out(), out));
    return;
  }
  const std::int64_t pixels = pictures->shape[1] * pictures->shape[2];
  pictures_ = register_module("pictures", std::make_shared<PicturesUp>(*pictures, out / pixels));
  output_ = register_module("output", std::make_shared<DenseLayer>(body_->out(), pictures_->in(),
                                                                   activation_of(pictures->activation)));
  bias_ = register_parameter("bias", at::zeros({out}));
}

void DecoderNet::initialise(Rng& rng, const Tensor& bias) {
  body_->initialise(rng);
  output_->initialise(rng);
  if (pictures_) pictures_->initialise(rng);
  NoGradGuard no_graph;
  (pictures_ ? bias_ : output_->bias).copy_(bias);
}

Tensor DecoderNet::forward(const Tensor& x) const {
  const Tensor y = output_->forward(body_->forward(x));
  return pictures_ ? WithBias::apply(pictures_->forward(y), bias_) : y;
}

}  // namespace deepgen
