// Variational autoencoder (deep latent Gaussian model with an inference network).
//
//   p(x, z) = p(z) p(x | z),   p(x | z) a network's output read as independent Bernoulli variables,
//   p(z) standard normal, a mixture of Gaussians or a VampPrior (parts/latent_prior.h)
//   q(z | x) = N(z; m(x), diag s(x)^2),   m, log s^2 the outputs of another network
//
//   log p(x) >= E_q [log p(x | z)] - KL(q(z | x) || p(z)) = log p(x) - KL(q(z | x) || p(z | x))
//
// Trained by gradients of this bound, or of tighter ones (latent_model.h has the objectives). Sampled by
// z ~ p(z), x ~ p(x | z). The output bias begins at the logits of the training means, weights as in
// parts/nets.h.
//
// Differs from the papers: the standard deviations of q have a floor (model.smallest_deviation); Adam in
// place of Adagrad; the weights begin uniform.
//
// Known to fail: latent units that the decoder has no use for are drawn to the prior early and stay there
// (`active_units` counts the others; warm-up and free bits help). q has independent units, so the bound is
// loose where the true posterior has not, and the decoder learns to suit q. Single-draw bounds say little of
// log p(x): evaluate with thousands of draws.
//
// Sources: Kingma and Welling 2014, "Auto-encoding variational Bayes"; Rezende, Mohamed, Wierstra 2014,
// "Stochastic backpropagation and approximate inference in deep generative models"; Burda, Grosse,
// Salakhutdinov 2016, "Importance weighted autoencoders"; Tucker, Lawson, Gu, Maddison 2019, "Doubly
// reparameterized gradient estimators for Monte Carlo objectives"; Higgins et al. 2017, "beta-VAE"; Kingma et
// al. 2016, "Improved variational inference with inverse autoregressive flow" (free bits); Tomczak and
// Welling 2018, "VAE with a VampPrior".
#pragma once

#include "deepgen/models/latent_model.h"

namespace deepgen {

class Vae : public LatentModel, public HasBound, public CanSample, public CanEncode, public CanDecode {
 public:
  Vae(const VaeOptions& options, VaeLearning learning, std::int64_t columns);

  Tensor log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) override;
  Tensor sample(std::int64_t count, Rng& rng) override;
  Tensor encode(const Tensor& x) override;     // the mean of q(z | x)
  Tensor decode(const Tensor& code) override;  // the mean of p(x | z)
  Options& options() override { return options_; }

 private:
  VaeOptions options_;
};

}  // namespace deepgen
