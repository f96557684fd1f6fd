// Networks around latent variables: one ends in Gaussians, one in the parameters of a likelihood.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/parts/latents/gaussian_latent.h"
#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/nets/picture_nets.h"

namespace deepgen {

// Hidden layers, then one layer for means, one for log-variances and, of full covariances, one for what is
// below the diagonal of their Cholesky factors. Log-variances are clamped to a sane range.
class GaussianNet : public torch::nn::Module {
 public:
  struct Shape {
    std::vector<std::int64_t> hidden;
    std::string activation;
    double smallest_deviation = 0.01;
    bool full = false;
    std::optional<PictureNetShape> pictures = {};  // convolutions before the hidden layers
  };
  GaussianNet(std::int64_t in, const Shape& shape, std::int64_t out);
  void initialise(Rng& rng);
  Gaussian forward(const Tensor& x, bool frozen = false) const;  // [B, in] -> [B, out]; frozen as in nets.h

 private:
  std::shared_ptr<PicturesDown> pictures_;  // null: none
  std::shared_ptr<Mlp> body_;
  std::shared_ptr<DenseLayer> mean_, log_variance_, below_;
  double least_;  // log-variance
};

// Hidden layers and an output layer; or hidden layers, a layer that makes small pictures of them, and a
// convolutional network that makes them grow, each number of the output with a bias of its own.
class DecoderNet : public torch::nn::Module {
 public:
  DecoderNet(std::int64_t in, const std::vector<std::int64_t>& hidden, const std::string& activation,
             std::int64_t out, const std::optional<PictureNetShape>& pictures = {});
  void initialise(Rng& rng, const Tensor& bias);  // bias [out] of the output
  Tensor forward(const Tensor& x) const;          // [B, in] -> [B, out]

 private:
  std::shared_ptr<Mlp> body_;
  std::shared_ptr<DenseLayer> output_;  // or what makes small pictures
  std::shared_ptr<PicturesUp> pictures_;
  Tensor bias_;
};

}  // namespace deepgen
