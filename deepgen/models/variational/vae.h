// Variational autoencoder (deep latent Gaussian model with an inference network).
//
//   p(x, z) = p(z) p(x | z)
//   p(z)       standard normal, a mixture of Gaussians or a VampPrior (parts/latents/latent_prior.h)
//   p(x | z)   independent columns whose parameters are a network's output (parts/likelihoods/likelihood.h)
//   q(z | x) = N(z; m(x), S(x)),   S diagonal or full by its Cholesky factor: another network's outputs
//
//   log p(x) >= E_q [log p(x | z)] - KL(q(z | x) || p(z))
//             = log p(x) - KL(q(z | x) || p(z | x))
//
// Trained by gradients of this bound, or of tighter ones (latent_model.h has the objectives, and what a
// second stochastic layer is). Sampled by z ~ p(z), x ~ p(x | z). The output bias begins at the marginals of
// the training rows, weights as in parts/nets/nets.h.
//
// Networks are dense, or convolutional on pictures (parts/nets/picture_nets.h).
//
// Missing cells are filled in by Metropolis within Gibbs (Mattei and Frellsen 2018, algorithm 2). With the
// weight w(z) = p(x, z) / q(z | x):
//
//   z' ~ q(z | x), accepted with probability min(1, w(z') / w(z)),
//   missing cells ~ p(x | z).
//
// A model that is told of gaps asks its encoder of the known cells alone in every other step:
//
//   w(z) = p(known, z) / q(z | known).
//
// The first quarter of the steps accepts everything. It leaves p(z, missing | known) unchanged, but a finite
// number of steps draws from it only nearly, and q is asked about cases that it may never have seen.
//
// Trained on rows with gaps it raises the bound of the known cells (Mattei and Frellsen 2019), and scores of
// such rows are bounds of what is known. A table's columns that mark gaps (ColumnGroup::marks) are decoded as
// others are, so that samples have gaps as the data do, and never shown to the encoder, since they are known in
// training alone.
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
// latent variable models"; Mattei and Frellsen 2019, "MIWAE: deep generative modelling and imputation of
// incomplete data sets".
#pragma once

#include "deepgen/models/variational/latent_model.h"

namespace deepgen {

class Vae : public LatentModel, public CanSample, public CanComplete, public CanEncode, public CanDecode {
 public:
  Vae(const VaeOptions& options, const VaeLearning& learning, const DataShape& data);

  Tensor sample(std::int64_t count, Rng& rng) const override;
  Tensor complete(const Rows& rows, Rng& rng) const override;
  Tensor encode(const Rows& rows) const override;  // the mean of q(z1 | x)
  bool encodes_gaps() const override { return knows_gaps(); }
  Tensor decode(const Rows& codes) const override;  // the mean of p(x | z1)
  Options& options() override { return options_; }

 private:
  VaeOptions options_;
};

}  // namespace deepgen
