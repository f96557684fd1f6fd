// Machines whose hidden units gate the covariance of real columns, and others their mean: the mean-covariance
// RBM and the mean product of Student-t distributions.
//
// With u = v - m, m the means of the training data, filters C, a pooling P (never negative), mean units W and
//
//   y_f = C_f.u
//   q_k = sum_f P_fk y_f^2 / 2,
//
// the free energy is
//
//   F(v) = sum_d lambda_d u_d^2 / 2 - c.u - sum_j softplus(W_j.u + b_j) + sum_k G_k(q_k)
//   p(v) = exp(-F(v)) / Z,      lambda = exp(log_precision).
//
//   mcrbm    G_k(q) = -softplus(a_k - q)            binary units, on while their constraint holds
//   mpot     G_k(q) = g_k log(1 + q)                Gamma units, summed out; g = exp(log_exponents)
//
// A violated constraint (q large) costs q itself while its unit is on, but no more than about a_k, or its
// logarithm: so single directions may have large values that a Gaussian would forbid. The slope and the
// gradients are exact: with w_k = G_k'(q_k),
//
//   mcrbm    w_k = sigmoid(a_k - q_k)
//   mpot     w_k = g_k / (1 + q_k),
//
// r_f = sum_k P_fk w_k and s_j = sigmoid(W_j.u + b_j),
//
//   dF/du      = lambda u - c - W s + C (y r)
//   dF/dC_df   = u_d y_f r_f
//   dF/dP_fk   = y_f^2 w_k / 2
//   dF/da_k    = -w_k
//   dF/dlog g_k = g_k log(1 + q_k)
//   dF/dW_dj   = -u_d s_j
//   dF/db_j    = -s_j
//   dF/dc_d    = -u_d
//   dF/dlog lambda_d = lambda_d u_d^2 / 2.
//
// Objective: the mean log-likelihood, whose gradient is <dF>_model - <dF>_data. The model's mean comes from
// moves of hybrid Monte Carlo on F (hybrid_monte_carlo.h) begun at the data (cd) or at chains that persist
// (pcd), with the columns' deviations as scales and a step length that training adapts. Outside training it
// stays as it is, so chains leave p unchanged.
//
// After each update negative P become 0, and each filter is brought to length 1 (in deviations of the
// columns), its pooling taking up the square of its length: F stays as it was. lambda is held above a
// hundredth of the base's.
//
// Existence: Z is finite whatever the weights: the quadratic term outgrows the mean units, and G is bounded
// below.
//
// Likelihood: annealed importance sampling along (1 - beta) E_0 + beta F, E_0 independent Gaussians at the
// moments of the data, by moves of hybrid Monte Carlo. There is no exact Z.
//
// Missing cells (NaN): before an update they are filled by moves that hold the known cells.
//
// Against the sources: lambda is learned where theirs is 1, and the covariance part sees u itself and not u
// over its length, so that F is a density of the columns as they are.
//
// Known to fail: short chains of strongly gated units reject or stand still, and AIS of few temperatures is
// then too low; look at the acceptance and the bracket.
//
// Sources: Ranzato and Hinton 2010, "Modeling pixel means and covariances using factorized third-order
// Boltzmann machines", eq. 3-9; Ranzato, Mnih, Hinton 2010, "Generating more realistic images using gated
// MRF's", eq. 1-7; Welling, Hinton, Osindero 2003, "Learning sparse topographic representations with products
// of Student-t distributions".
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/gaussian_base.h"
#include "deepgen/models/boltzmann/hybrid_monte_carlo.h"
#include "deepgen/models/boltzmann/mean_covariance_options.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class MeanCovarianceMachine : public Model,
                              public HasGradients,
                              public HasFreeEnergy,
                              public HasChain,
                              public CanClamp,
                              public CanAnneal,
                              public CanEncode,
                              public EnergyField {
 public:
  enum class Gate { binary, student };  // mcrbm, mpot

  MeanCovarianceMachine(Gate gate, MeanCovarianceOptions options, MeanCovarianceLearning learning,
                        const DataShape& data);

  // Training.
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Tensor filters() const override;  // those of the factors, then those of the mean units
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores.
  Tensor free_energy(const Rows& rows) const override { return energy(rows.x); }
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;  // complete rows only
  Tensor energy(const Tensor& v) const override;
  Tensor slope(const Tensor& v) const override;

  // Chains: a step is a move of hybrid Monte Carlo. Its distribution has no mean in closed form, so
  // chain_mean is a draw.
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& v, Rng& rng) const override { return chain_steps(v, 1, rng); }
  double log_base_partition() const override { return base().log_partition(); }
  Tensor log_base_partition_given(const Tensor& x) const override { return base().log_partition_given(x); }
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features: the mean units' means and, of the covariance units, sigmoid(a - q) or 1 / (1 + q).
  Tensor encode(const Rows& rows) const override;

  std::int64_t visible() const { return weights.size(0); }
  GaussianBase base() const { return {data_mean, data_variance}; }
  // known [B, D] bool: those columns are held; undefined: none.
  HybridPlan plan(const Tensor& known = {}) const;

  Tensor factors;                      // C [D, F]
  Tensor pooling;                      // P [F, K]; negative ones count as 0
  Tensor covariance_bias;              // a [K]; mpot: log_exponents, log g
  Tensor weights, hidden_bias;         // W [D, M], b [M]
  Tensor visible_bias, log_precision;  // c, log lambda [D]
  Tensor data_mean, data_variance;     // [D] of (at most 20,000) training rows
  Tensor step_length;                  // [2] of hybrid_monte_carlo.h
  Tensor chains;                       // [chains, D] (pcd)

 private:
  // What the hidden units are given rows, and what they answer.
  struct Gated {
    Tensor u, answers, pooled, mean_input;  // u [B, D], y [B, F], q [B, K], W_j.u [B, M]
  };
  Gated gated(const Tensor& v) const;
  Tensor gate_slopes(const Tensor& pooled) const;  // w
  Tensor gate_energy(const Tensor& pooled) const;  // sum_k G_k(q_k), [B] float64
  Tensor mean_units(const Tensor& input) const;    // s
  // To the gradients: share times the sum over the rows of dF.
  void add_statistics(const Tensor& v, double share);
  void add_gate_statistics(const Tensor& pooled, const Tensor& slopes, double share);

  Gate gate_;
  MeanCovarianceOptions options_;
  MeanCovarianceLearning learning_;
  UnitLayer visible_units_;
};

class Mcrbm : public MeanCovarianceMachine {
 public:
  Mcrbm(MeanCovarianceOptions options, MeanCovarianceLearning learning, const DataShape& data)
      : MeanCovarianceMachine(Gate::binary, std::move(options), std::move(learning), data) {}
};

class Mpot : public MeanCovarianceMachine {
 public:
  Mpot(MeanCovarianceOptions options, MeanCovarianceLearning learning, const DataShape& data)
      : MeanCovarianceMachine(Gate::student, std::move(options), std::move(learning), data) {}
};

}  // namespace deepgen
