// What models with Gaussian latent variables and a network that infers them have in common (vae.h says what
// they are): the objective, its gradient and the bound.
//
//   log w(z) = log p(x | z) + log p(z) - log q(z | x),   z = m(x) + s(x) n,  n standard normal
//
//   k = 1   1/M sum_i log p(x | z_i) - beta KL(q(z | x) || p(z)), the divergence in closed form where there
//   is
//           one, else from the draws
//   k > 1   the mean over M of log 1/k sum_i w_i                                           (Burda et al.
//   2016)
//
// Gradients by reparameterisation. Doubly reparameterised (Tucker et al. 2019, eq. 8): with normalised
// weights v_i the encoder's gradient is sum_i v_i^2 d log w_i / d z_i  d z_i / d phi, in which the term of
// the score of q, whose mean is zero, is gone; with k = 1 this is the path derivative of Roeder et al. 2017.
// The gradient of all other parameters is sum_i v_i d log w_i / d theta either way.
#pragma once

#include <memory>

#include "deepgen/models/capabilities.h"
#include "deepgen/models/vae_options.h"
#include "deepgen/parts/gaussian_code.h"
#include "deepgen/parts/latent_prior.h"
#include "deepgen/parts/likelihood.h"
#include "deepgen/parts/nets.h"

namespace deepgen {

// A network whose output is a Gaussian: hidden layers, then one layer for means and one for log-variances.
class GaussianNet : public torch::nn::Module {
 public:
  GaussianNet(std::int64_t in, const std::vector<std::int64_t>& hidden, const std::string& activation,
              std::int64_t out, double smallest_deviation);
  void initialise(Rng& rng);
  Gaussian forward(const Tensor& x) const;  // [B, in] -> [B, out]

 private:
  std::shared_ptr<Mlp> body_;
  std::shared_ptr<DenseLayer> mean_, log_variance_;
  double least_;  // log-variance
};

// A network that ends in the parameters of a likelihood.
class DecoderNet : public torch::nn::Module {
 public:
  DecoderNet(std::int64_t in, const std::vector<std::int64_t>& hidden, const std::string& activation,
             std::int64_t out);
  void initialise(Rng& rng);
  Tensor forward(const Tensor& x) const;  // [B, in] -> [B, out]
  Tensor& output_bias() { return output_->bias; }

 private:
  std::shared_ptr<Mlp> body_;
  std::shared_ptr<DenseLayer> output_;
};

// What the networks see of a case.
struct LatentShape {
  std::int64_t inputs = 0;       // columns of the encoder's input
  std::int64_t condition = 0;    // columns that the decoder is given beside the code; 0: none
  bool prior_network = false;    // the code's prior is a network's output given the condition
  std::string prior = "normal";  // where it is not
  std::int64_t prior_components = 1;
};

class LatentModel : public Model {
 public:
  LatentModel(std::string name, const LatentOptions& sizes, VaeLearning learning,
              std::shared_ptr<Likelihood> likelihood, LatentShape shape);

  Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Batch& sample, Rng& rng) override;
  Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& learning() override { return learning_; }

  // The terms of log w for `draws` draws a row; draws of a row are neighbours.
  struct Terms {
    Tensor log_likelihood, log_prior, log_posterior;  // [B * draws] float64
    Gaussian posterior;                               // [B, latent]
    Tensor divergence;  // KL(q || p) unit by unit, [B, latent], or undefined where it has no closed form
    std::shared_ptr<Tensor> factors;  // of the gradient with respect to z, [B * draws]; to be set before it
                                      // is taken. Null: the plain gradient
    // log w of a row's draws, the divergence's part weighted by beta: [B, draws].
    Tensor log_weights(double beta = 1) const;
  };
  Terms terms(const Batch& rows, std::int64_t draws, const PriorState& prior, Rng& rng,
              bool doubly = false) const;
  PriorState prior_state() const;
  const LatentPrior& prior() const { return *prior_; }

 protected:
  // As HasBound says; pieces of bounded size.
  Tensor bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const;
  // As bound_of with draws from the prior in place of q: a looser bound, which needs no encoder.
  Tensor prior_bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const;
  Gaussian posterior_of(const Batch& rows) const { return encoder_->forward(encoder_input(rows)); }
  Tensor decoded(const Tensor& z, const Tensor& condition) const;  // z [B * draws, latent], condition [B, C]

  // What conditional models change: the whole case is both input and target, and there is no condition.
  virtual Tensor encoder_input(const Batch& rows) const { return rows.x; }
  virtual Tensor target(const Batch& rows) const { return rows.x; }
  virtual Tensor condition_of(const Batch&) const { return {}; }
  // Beside the objective, of parameters that are not in it; undefined: nothing.
  virtual Tensor other_loss(const Batch&, Metrics&) const { return {}; }

  std::string name_;
  LatentOptions sizes_;
  VaeLearning learning_;
  std::shared_ptr<Likelihood> likelihood_;
  std::shared_ptr<GaussianNet> encoder_;
  std::shared_ptr<DecoderNet> decoder_;
  std::shared_ptr<LatentPrior> prior_;
  std::shared_ptr<GaussianNet> prior_network_;  // null: the prior does not depend on the case

 private:
  template <class Weights>
  Tensor in_pieces(const Batch& rows, std::int64_t samples, Weights weights) const;
  double beta_at(const Turn& turn) const;
  Tensor evidence_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor importance_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const;
  Tensor closed_cost(const Tensor& units, double& divergence) const;
  Tensor drawn_cost(const Terms& t, double& divergence) const;
};

}  // namespace deepgen
