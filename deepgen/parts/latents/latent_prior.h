// Distributions of the latent variables of a case before it is seen.
//
//   normal    p(z) = N(z; 0, I)
//
//   mixture   p(z) = sum_k pi_k N(z; m_k, diag exp v_k), all learned
//
//   vamp      p(z) = 1/K sum_k q(z | u_k)
//             u_k are pseudo-inputs, learned through the encoder q: the aggregate of posteriors is the prior
//             that the bound would choose (Tomczak and Welling 2018, "VAE with a VampPrior", eq. 8 to 10)
//
// The density of a mixture is one product: log N(z; m, diag exp v) is linear in (z^2, z).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "deepgen/core/rng.h"
#include "deepgen/parts/latents/gaussian_latent.h"

namespace deepgen {

// A mixture of K Gaussians, as it stands for one pass.
struct GaussianMixtureLatent {
  Gaussian components;  // [K, units]
  Tensor log_mixing;    // [K], summing to 1 as probabilities

  // z [R, units] -> [R] float64, nats. Gradients flow to everything.
  Tensor log_density(const Tensor& z) const;
  Tensor sample(std::int64_t count, Rng& rng) const;  // [count, units]
};

namespace composed {
Tensor log_density(const GaussianMixtureLatent& mixture, const Tensor& z);
}  // namespace composed

// What a pass needs of a prior: nothing where it is standard normal.
struct PriorState {
  std::shared_ptr<GaussianMixtureLatent> mixture;

  bool closed() const { return !mixture; }  // whether the divergence of a Gaussian from it is
  Tensor log_density(const Tensor& z) const;
  Tensor sample(std::int64_t count, std::int64_t units, Rng& rng) const;
};

class LatentPrior : public torch::nn::Module {
 public:
  // kind: normal, mixture or vamp; `columns` of an encoder's input, which lies in [0, 1] where `bounded`.
  LatentPrior(std::string kind, std::int64_t components, std::int64_t units, std::int64_t columns,
              bool bounded);

  using Encoder = std::function<Gaussian(const Tensor& x)>;
  void initialise(const Tensor& inputs, Rng& rng);  // inputs [N, columns] of the encoder
  PriorState state(const Encoder& encoder) const;
  bool standard() const { return kind_ == "normal"; }
  Tensor pseudo_inputs() const;  // [K, columns], or undefined

 private:
  std::string kind_;
  bool bounded_;
  Tensor mean_, log_variance_, mixing_, pseudo_;
};

}  // namespace deepgen
