// Variational autoencoder (deep latent Gaussian model with an inference network).
//
//   p(x, z) = p(z) p(x | z),   p(x | z) independent columns whose parameters are a network's output
//   (parts/likelihood.h), p(z) standard normal, a mixture of Gaussians or a VampPrior (parts/latent_prior.h)
//   q(z | x) = N(z; m(x), S(x)),   S diagonal or full by its Cholesky factor, the outputs of another network
//
//   log p(x) >= E_q [log p(x | z)] - KL(q(z | x) || p(z)) = log p(x) - KL(q(z | x) || p(z | x))
//
// Trained by gradients of this bound, or of tighter ones (latent_model.h has the objectives, and what a
// second stochastic layer is). Sampled by z ~ p(z), x ~ p(x | z). The output bias begins at the marginals of
// the training rows, weights as in parts/nets.h.
//
// Networks are dense, or convolutional on pictures (parts/picture_nets.h).
//
// Missing cells are filled in by Metropolis within Gibbs (Mattei and Frellsen 2018, algorithm 2): z' ~ q(z |
// x) is accepted with probability min(1, w(z') / w(z)), w = p(x, z) / q(z | x), then the missing cells are
// drawn from p(x | z); the first quarter of the steps accepts everything. It leaves p(z, missing | known)
// unchanged, but a finite number of steps draws from it only nearly, and q is asked about cases that it may
// never have seen.
//
// Differs from the papers: the standard deviations of q have a floor (model.smallest_deviation); Adam in
// place of Adagrad; the weights begin uniform.
//
// Known to fail: latent units that the decoder has no use for are drawn to the prior early and stay there
// (`active_units` counts the others; warm-up and free bits help). The bound is loose where the true posterior
// is no such Gaussian, and the decoder learns to suit q. Single-draw bounds say little of log p(x): evaluate
// with thousands of draws. The density of a Gaussian decoder grows without end where columns are functions of
// others: its floor (model.smallest_noise) then decides the score.
//
// Sources: Kingma and Welling 2014, "Auto-encoding variational Bayes"; Rezende, Mohamed, Wierstra 2014,
// "Stochastic backpropagation and approximate inference in deep generative models"; Burda, Grosse,
// Salakhutdinov 2016, "Importance weighted autoencoders"; Tucker, Lawson, Gu, Maddison 2019, "Doubly
// reparameterized gradient estimators for Monte Carlo objectives"; Higgins et al. 2017, "beta-VAE"; Kingma et
// al. 2016, "Improved variational inference with inverse autoregressive flow" (free bits); Tomczak and
// Welling 2018, "VAE with a VampPrior"; Mattei and Frellsen 2018, "Leveraging the exact likelihood of deep
// latent variable models".
#pragma once

#include "deepgen/models/latent_model.h"

namespace deepgen {

class Vae : public LatentModel,
            public HasBound,
            public CanSample,
            public CanComplete,
            public CanEncode,
            public CanDecode {
 public:
  Vae(const VaeOptions& options, VaeLearning learning, std::shared_ptr<Likelihood> likelihood,
      const std::vector<std::int64_t>& case_shape = {});

  Tensor log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) override;
  Tensor sample(std::int64_t count, Rng& rng) override;
  Tensor complete(const Tensor& x, Rng& rng) override;
  Tensor encode(const Tensor& x) override;     // the mean of q(z1 | x)
  Tensor decode(const Tensor& code) override;  // the mean of p(x | z1)
  Options& options() override { return options_; }

 private:
  VaeOptions options_;
};

}  // namespace deepgen
