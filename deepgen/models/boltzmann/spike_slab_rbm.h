// The spike-and-slab restricted Boltzmann machine: hidden units that change the covariance of real columns.
//
// A hidden unit is a binary spike h_i and a real slab s_i. With u = v - m, m the means of the training data,
//
//   E(v, s, h) = sum_d lambda_d u_d^2 / 2 - c.u - b.h
//                + sum_i [(s_i - mu_i h_i)^2 / 2 - h_i s_i W_i.u + h_i sum_d Phi_di u_d^2 / 2]
//   p(v, s, h) = exp(-E) / ((2 pi)^(H/2) Z)
//
// where lambda = exp(log_precision) and Phi = contraction^2. (Slabs of another precision are the same machine
// with other W and mu.) With the slabs summed out a spike receives
//
//   t_i(v) = (W_i.u)^2 / 2 + mu_i W_i.u - sum_d Phi_di u_d^2 / 2 + b_i,
//
// and all conditionals are simple:
//
//   p(h_i = 1 | v) = sigmoid(t_i)
//   p(s_i | v, h)  = N(h_i (mu_i + W_i.u), 1)
//   p(v | s, h)    = N(m + (c + W (h s)) / D_h, 1 / D_h),   D_h = lambda + Phi h, a diagonal.
//
// Given the spikes alone v is Gaussian with the precision D_h - sum_i h_i W_i W_i': each spike shrinks the
// precision along its filter and raises it elsewhere. The free energy is
//
//   F(v) = sum_d lambda_d u_d^2 / 2 - c.u - sum_i softplus(t_i(v)).
//
// Objective: the mean log-likelihood, d log p = <d(-F)>_data - <d(-F)>_model with g_i = sigmoid(t_i), a_i =
// W_i.u:
//
//   d(-F)/dW_di          = u_d g_i (a_i + mu_i)
//   d(-F)/dmu_i          = g_i a_i
//   d(-F)/db_i           = g_i
//   d(-F)/dcontraction_di = -u_d^2 g_i contraction_di
//   d(-F)/dc_d           = u_d
//   d(-F)/dlog_precision_d = -lambda_d u_d^2 / 2.
//
// The model's means come from block Gibbs steps (h | v, s | v h, v | s h) begun at the data (cd) or at chains
// that persist (pcd).
//
// Existence: Z is finite exactly when D_h - sum_i h_i W_i W_i' is positive definite for every h. After each
// update W_i is shortened to
//
//   sum_d W_di^2 / (Phi_di + 0.99 lambda_d / H) <= 1
//
// (by a hair, for rounding), which is enough: then Phi_i + 0.99 Lambda / H - W_i W_i' is positive
// semidefinite for each i, and the sum over any spikes leaves 0.01 Lambda at least.
//
// Likelihood: Z is the sum over 2^H states of Gaussian integrals, each a Cholesky factor; exact where that is
// cheap. Otherwise annealed importance sampling along (1 - beta) E_0 + beta E, E_0 independent Gaussians at
// the moments of the data, where
//
//   log p*_beta(v) = -(1 - beta) E_0(v) + beta (c.u - sum_d lambda_d u_d^2 / 2) + sum_i softplus(beta t_i(v))
//
// and the slab given v and h is N(sqrt(beta) h_i (mu_i + W_i.u), 1). Every precision on the way is a mean of
// two that are positive definite.
//
// Missing cells (NaN): before an update they are filled by gap_steps Gibbs steps that clamp the known cells.
//
// Known to fail: v given s and h is independent column by column, so chains mix slowly where slabs are
// strong; two spikes with nearly equal filters trade with each other. Rates that suit reals of deviation 1
// are too large or too small for others: whiten or standardise. Averaged weights (training.average) are not
// projected, so their Z need not be finite.
//
// Sources: Courville, Bergstra, Bengio 2011, "A spike and slab restricted Boltzmann machine", eq. 1-10 (one
// slab a spike); the same 2011, "Unsupervised models of images by spike-and-slab RBMs", eq. 1-8 (means of
// slabs, Phi).
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/gaussian_base.h"
#include "deepgen/models/boltzmann/spike_slab_rbm_options.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class SpikeSlabRbm : public Model,
                     public HasGradients,
                     public HasFreeEnergy,
                     public HasLogPartition,
                     public HasChain,
                     public CanClamp,
                     public CanAnneal,
                     public CanEncode {
 public:
  SpikeSlabRbm(SpikeSlabRbmOptions options, SpikeSlabRbmLearning learning, const DataShape& data);

  // Training.
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override;  // keeps Z finite
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Tensor filters() const override;  // [H, D]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores. exact_log_partition: nothing where its 2^H Cholesky factors would take long.
  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;  // complete rows only
  std::int64_t enumeration_units() const override { return hidden(); }
  std::optional<double> exact_log_partition() const override;

  // Chains.
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& v, Rng& rng) const override;
  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features: sigmoid(t).
  Tensor encode(const Rows& rows) const override;

  // The pieces, of rows v [B, D].
  struct SpikeInput {
    Tensor filtered, total;  // W_i.u and t_i, [B, H] each
  };
  SpikeInput spike_input(const Tensor& v) const;
  Tensor visible_part(const Tensor& v) const;  // c.u - sum_d lambda_d u_d^2 / 2, [B] float64
  // p(v | s, h) at inverse temperature beta: means and precisions [B, D] of v, given the spikes h and the
  // products h s.
  struct VisibleGiven {
    Tensor mean, precision;
  };
  VisibleGiven visible_given(const Tensor& h, const Tensor& h_times_s, double beta = 1) const;
  // A draw of h s given v (by what it receives) and h.
  Tensor draw_slabs(const Tensor& filtered, const Tensor& h, Rng& rng, double beta = 1) const;
  Tensor draw_visible(const VisibleGiven& given, Rng& rng) const;

  std::int64_t visible() const { return weights.size(0); }
  std::int64_t hidden() const { return weights.size(1); }
  GaussianBase base() const { return {data_mean, data_variance}; }

  Tensor weights, contraction;      // W, root of Phi [D, H]
  Tensor slab_means, spike_bias;    // mu, b [H]
  Tensor visible_bias;              // c [D]
  Tensor log_precision;             // log lambda [D]
  Tensor data_mean, data_variance;  // [D] of (at most 20,000) training rows
  Tensor chains;                    // [chains, D] persistent chains (pcd)

 private:
  // To the gradients: share times the sum over the rows of d(-F).
  void add_statistics(const Tensor& v, double share);

  SpikeSlabRbmOptions options_;
  SpikeSlabRbmLearning learning_;
  UnitLayer visible_units_;
};

}  // namespace deepgen
