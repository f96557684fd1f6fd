// What models with Gaussian latent variables and a network that infers them have in common (vae.h says what
// they are): the objective, its gradient and the bound.
//
//   z = m(x) + L(x) n,   n standard normal
//   log w(z) = log p(x | z) + log p(z) - log q(z | x)
//
// The objective, to be raised, with M draws of one sample each, or of k that are weighed together:
//
//   k = 1   1/M sum_i log p(x | z_i) - beta KL(q(z | x) || p(z))
//   k > 1   1/M sum_m log 1/k sum_i w_mi                                   (Burda et al. 2016, eq. 8)
//
// The divergence is in closed form where there is one, else from the draws. With a second stochastic layer
// z = (z1, z2):
//
//   p(z) = p(z2) p(z1 | z2)
//   q(z | x) = q(z1 | x) q(z2 | z1)
//
// Gradients by reparameterisation. Doubly reparameterised (Tucker et al. 2019, eq. 8), with the normalised
// weights v_i, the encoder's gradient is
//
//   sum_i v_i^2 (d log w_i / d z_i) (d z_i / d phi),
//
// in which the term of the score of q, whose mean is zero, is gone; with k = 1 this is the path derivative of
// Roeder et al. 2017. Where the divergence's part is weighted by beta,
//
//   log w(z) = log p(x | z) + beta (log p(z) - log q(z | x)),
//
// the score stands in the objective beta times, and v_i^2 becomes v_i (beta v_i + 1 - beta). The gradient of
// all other parameters is sum_i v_i d log w_i / d theta either way.
//
// Missing cells are left out of log p(x | z): all of the above is then of the known cells, and its bound one of
// log p(known) (Mattei and Frellsen 2019, "MIWAE", eq. 4). The encoder sees zeros in their place and, where it is
// told of gaps, which cells are there as further inputs.
#pragma once

#include <memory>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/variational/vae_options.h"
#include "deepgen/parts/latents/latent_prior.h"
#include "deepgen/parts/likelihoods/likelihood.h"
#include "deepgen/parts/nets/encoder_decoder_nets.h"

namespace deepgen {

// What the encoder knows of missing cells.
struct GapInputs {
  std::vector<std::int64_t> told = {};    // columns: whether they are there is an input each
  std::vector<std::int64_t> unseen = {};  // columns that mark gaps: known in training alone, so never shown
};

// `asked`: auto (told where columns of the data mark gaps), always or never.
GapInputs gap_inputs(const std::string& asked, const DataShape& data);

// What the networks see of a case beside its cells, and how the codes are distributed before it is seen.
struct LatentShape {
  std::int64_t beside = 0;            // columns of the encoder's input beside those of the likelihood
  std::int64_t condition = 0;         // columns that the decoder is given beside the code; 0: none
  bool prior_network = false;         // the code's prior is a network's output given the condition
  std::string prior = "normal";       // where it is not
  std::int64_t prior_components = 1;  // of a mixture or VampPrior
  std::int64_t upper = 0;             // units of a second stochastic layer, whose prior that is; 0: none
  std::vector<std::int64_t> upper_hidden = {};
  std::optional<PictureNetShape> pictures = {};  // of convolutional networks
  GapInputs gaps = {};
};

// The distribution of a case that these options ask for.
std::shared_ptr<Likelihood> case_likelihood(const std::string& who, const LatentOptions& options,
                                            const DataShape& data);

class LatentModel : public Model, public HasGradients, public HasBound {
 public:
  LatentModel(std::string name, const LatentOptions& sizes, VaeLearning learning,
              std::shared_ptr<Likelihood> likelihood, const LatentShape& shape);

  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  Options& learning() override { return learning_; }

  // Cells and their condition, worked out and checked once a call.
  struct Cases {
    Tensor x, condition;  // [B, D]; [B, C], or undefined: none
    Cases narrow(std::int64_t first, std::int64_t count) const;
  };
  // Draws of the latent variables, and what the gradient with respect to them is multiplied by.
  struct Latents {
    Tensor lower, upper;              // [B * draws, units]; draws of a row are neighbours
    Gaussian upper_posterior;         // q(z2 | z1), where there is a second layer
    std::shared_ptr<Tensor> factors;  // [B * draws], to be set before the gradient is taken; null: ones
  };
  // The terms of log w.
  struct Terms {
    Tensor log_likelihood, log_prior, log_posterior;  // [B * draws] float64
    Gaussian posterior;                               // q(z1 | x)
    Tensor divergence;  // KL(q || p) unit by unit, [B, latent], or undefined where it has no closed form
    std::shared_ptr<Tensor> factors;
    // log w of a row's draws, the divergence's part weighted by beta: [B, draws].
    Tensor log_weights(double beta = 1) const;
  };
  Cases cases_of(const Rows& rows) const { return {rows.x, condition_of(rows)}; }
  Latents infer(const Gaussian& posterior, std::int64_t draws, Rng& rng, bool doubly = false) const;
  Terms weigh(const Cases& cases, const Gaussian& posterior, const Latents& z, const PriorState& prior) const;
  Terms terms(const Cases& cases, std::int64_t draws, const PriorState& prior, Rng& rng,
              bool doubly = false) const;
  Gaussian posterior_of(const Cases& cases) const { return encoder_->forward(encoder_input(cases)); }
  PriorState prior_state() const;
  const LatentPrior& prior() const { return *prior_; }

 protected:
  // As log_prob_bound with draws from the prior in place of q: a looser bound, which needs no encoder. One
  // layer.
  Tensor prior_bound(const Cases& cases, std::int64_t samples, Rng& rng) const;
  Tensor sample_code(std::int64_t count, Rng& rng) const;          // z1 ~ p(z1), [count, latent]
  Tensor decoded(const Tensor& z, const Tensor& condition) const;  // z [B * draws, latent], condition [B, C]

  // Rows with their missing cells (NaN) drawn by this many steps of the chain that vae.h describes, [B, D].
  Tensor completed(const Rows& rows, std::int64_t steps, Rng& rng) const;

  // What the encoder sees of cells: missing ones as zeros, and which are there where it is told, [B, inputs].
  Tensor shown(const Tensor& x) const;
  bool knows_gaps() const { return told_.defined() || unseen_.defined(); }

  // What conditional models change: the whole case is both input and target, and there is no condition.
  virtual Tensor condition_of(const Rows&) const { return {}; }
  virtual Tensor encoder_input(const Cases& cases) const { return shown(cases.x); }
  virtual Tensor target(const Tensor& x) const { return x; }
  // The objective's share in what is descended, and what stands beside it; undefined: nothing.
  virtual double bound_share() const { return 1; }
  virtual Tensor other_loss(const Cases&, Rng&, Metrics&) const { return {}; }

  std::string name_;
  LatentOptions sizes_;
  VaeLearning learning_;
  std::shared_ptr<Likelihood> likelihood_;
  std::shared_ptr<GaussianNet> encoder_;
  std::shared_ptr<DecoderNet> decoder_;
  std::shared_ptr<LatentPrior> prior_;
  std::shared_ptr<GaussianNet> prior_network_;                  // null: the prior does not depend on the case
  std::shared_ptr<GaussianNet> upper_encoder_, upper_decoder_;  // q(z2 | z1), p(z1 | z2); null: one layer

 private:
  void weigh_prior(const Cases& cases, const Latents& z, const PriorState& prior, Terms& t) const;
  template <class Weights>
  Tensor in_pieces(const Cases& cases, std::int64_t samples, Weights weights) const;
  Tensor bound_of(const Cases& cases, std::int64_t samples, Rng& rng) const;
  double beta_at(const Turn& turn) const;
  Tensor evidence_loss(const Cases& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor importance_loss(const Cases& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor closed_cost(const Tensor& units, double& divergence) const;
  Tensor drawn_cost(const Terms& t, double& divergence) const;

  std::int64_t upper_ = 0;
  Tensor told_, unseen_;  // as of GapInputs, int64; undefined: none
};

}  // namespace deepgen
