// What models with Gaussian latent variables and a network that infers them have in common (vae.h says what
// they are): the objective, its gradient and the bound.
//
//   log w(z) = log p(x | z) + log p(z) - log q(z | x),   z = m(x) + L(x) n,  n standard normal
//
//   k = 1   1/M sum_i log p(x | z_i) - beta KL(q(z | x) || p(z)), the divergence in closed form where there
//   is
//           one, else from the draws
//   k > 1   the mean over M of log 1/k sum_i w_i                                           (Burda et al.
//   2016)
//
// With a second stochastic layer z = (z1, z2): p(z) = p(z2) p(z1 | z2), q(z | x) = q(z1 | x) q(z2 | z1).
//
// Gradients by reparameterisation. Doubly reparameterised (Tucker et al. 2019, eq. 8): with normalised
// weights v_i the encoder's gradient is sum_i v_i^2 d log w_i / d z_i  d z_i / d phi, in which the term of
// the score of q, whose mean is zero, is gone; with k = 1 this is the path derivative of Roeder et al. 2017.
// Where the divergence's part is weighted by beta, log w is log p(x | z) + beta (log p(z) - log q(z | x)),
// the score stands in the objective beta times, and v_i^2 becomes v_i (beta v_i + 1 - beta). The gradient of
// all other parameters is sum_i v_i d log w_i / d theta either way.
#pragma once

#include <memory>

#include "deepgen/models/capabilities.h"
#include "deepgen/models/vae_options.h"
#include "deepgen/parts/code_nets.h"
#include "deepgen/parts/latent_prior.h"
#include "deepgen/parts/likelihood.h"

namespace deepgen {

// What the networks see of a case, and how the codes are distributed before it is seen.
struct LatentShape {
  std::int64_t inputs = 0;            // columns of the encoder's input
  bool bounded = true;                // they lie in [0, 1]
  std::int64_t condition = 0;         // columns that the decoder is given beside the code; 0: none
  bool prior_network = false;         // the code's prior is a network's output given the condition
  std::string prior = "normal";       // where it is not
  std::int64_t prior_components = 1;  // of a mixture or VampPrior
  std::int64_t upper = 0;             // units of a second stochastic layer, whose prior that is; 0: none
  std::vector<std::int64_t> upper_hidden = {};
  std::optional<PictureShape> pictures = {};  // of convolutional networks
};

class LatentModel : public Model {
 public:
  LatentModel(std::string name, const LatentOptions& sizes, VaeLearning learning,
              std::shared_ptr<Likelihood> likelihood, const LatentShape& shape);

  Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Batch& sample, Rng& rng) override;
  Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& learning() override { return learning_; }

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
  Latents infer(const Gaussian& posterior, std::int64_t draws, Rng& rng, bool doubly = false) const;
  Terms weigh(const Batch& rows, const Gaussian& posterior, const Latents& z, const PriorState& prior) const;
  Terms terms(const Batch& rows, std::int64_t draws, const PriorState& prior, Rng& rng,
              bool doubly = false) const;
  Gaussian posterior_of(const Batch& rows) const { return encoder_->forward(encoder_input(rows)); }
  PriorState prior_state() const;
  const LatentPrior& prior() const { return *prior_; }

 protected:
  // As HasBound says; pieces of bounded size.
  Tensor bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const;
  // As bound_of with draws from the prior in place of q: a looser bound, which needs no encoder. One layer.
  Tensor prior_bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const;
  Tensor sample_code(std::int64_t count, Rng& rng) const;          // z1 ~ p(z1), [count, latent]
  Tensor decoded(const Tensor& z, const Tensor& condition) const;  // z [B * draws, latent], condition [B, C]

  // Rows with their missing cells (NaN) drawn by this many steps of the chain that vae.h describes, [B, D].
  Tensor completed(const Batch& rows, std::int64_t steps, Rng& rng) const;

  // What conditional models change: the whole case is both input and target, and there is no condition.
  virtual Tensor encoder_input(const Batch& rows) const { return likelihood_->input_of(rows.x); }
  virtual Tensor target(const Batch& rows) const { return rows.x; }
  virtual Tensor condition_of(const Batch&) const { return {}; }
  // The objective's share in what is descended, and what stands beside it; undefined: nothing.
  virtual double bound_share() const { return 1; }
  virtual Tensor other_loss(const Batch&, Rng&, Metrics&) const { return {}; }

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
  void weigh_prior(const Batch& rows, const Latents& z, const PriorState& prior, Terms& t) const;
  template <class Weights>
  Tensor in_pieces(const Batch& rows, std::int64_t samples, Weights weights) const;
  double beta_at(const Turn& turn) const;
  Tensor evidence_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor importance_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor closed_cost(const Tensor& units, double& divergence) const;
  Tensor drawn_cost(const Terms& t, double& divergence) const;

  std::int64_t upper_ = 0;
};

}  // namespace deepgen
