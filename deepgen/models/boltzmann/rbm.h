// The restricted Boltzmann machine, with any units.
//
// Two layers of units (parts/units/unit_layer.h) and a dense coupling (parts/couplings/dense_coupling.h).
// With the coupled states
//
//   y = s * v   elementwise; s = 1 / sigma for Gaussian units, 1 / deviation of the data for counts, else 1,
//
// the joint density is
//
//   p(v, h) = exp(-E(v, h)) / Z
//   E(v, h) = E_v(v) + E_h(h) - y W h
//   E_v = -b.v - log base(v)        Gaussian units: (v^2 / 2 - b v) / sigma^2, sigma^2 = exp(z)
//   E_h = -c.h - log base(h)        Gaussian units: h^2 / 2 - c h
//
// and, the hidden units summed out,
//
//   F(v) = E_v(v) - log_partition_h(y W + c)
//   p(v) = exp(-F(v)) / Z.
//
// The conditionals are those of units with the activations
//
//   p(h | v):  y W + c
//   p(v | h):  theta + s * (W h),   theta = b   (Gaussian: b / sigma^2, whose mean is b + sigma W h).
//
// Objective: the mean log-likelihood, whose gradient is a difference of two means,
//
//   d log p / dW = <y h>_data - <y h>_model
//   d log p / db = <v>_data - <v>_model                     (Gaussian: / sigma^2)
//   d log p / dc = <h>_data - <h>_model
//   d log p / dz = <(v - b)^2 / sigma^2 - y W h>_data / 2 - <(v - b)^2 / sigma^2 - y W h>_model / 2.
//
// The model's mean comes from k steps of Gibbs sampling begun at the data (contrastive divergence, cd), from
// chains that persist over updates (pcd), driven on by fast weights (fpcd; rbm_fast_weights.cpp), from persistent
// chains at several temperatures (pt) or at earlier states of the training (trajectory; rbm_trajectory.cpp), or from
// enumeration (exact). Learning by ratio_matching or score_matching has an objective of its own (rbm_matching.cpp).
// Hidden means stand in for samples wherever only their expectation matters. The model's
// mean for z is taken given h, where it is
//
//   -1/2 + (b / sigma) W h / 2:
//
// what is left of its noise is that of the data's residuals, which keeps small variances from swinging.
//
// Centring (parts/couplings/centring.h): with offsets mu, lambda (moving averages of the units' means under
// the data) the gradient is taken in
//
//   E = E_v(v; b') - c'.(h - lambda) - (s (v - mu)) W (h - lambda)
//
// and carried back to the plain parameters:
//
//   db = db' - f dW lambda,   f = s (Gaussian: sigma)
//   dc = dc' - dW^T (s mu).
//
// z moves s, sigma with it, which adds
//
//   -f/2 (W lambda) dz      to db,
//   W^T (s mu dz) / 2       to dc.
//
// Under centring b' of Gaussian and count units is moved in units of the column's variance, and W, b' and z
// of a Gaussian column are slowed by sigma^2 over that column's variance: y grows like 1 / sigma, and steps
// that were right for sigma = 1 overshoot when it is small. The file holds plain W, b, c. Adam is refused:
// its scaling undoes centring.
//
// Gibbs steps (gibbs_steps=auto): of a function f of the hidden units that is an eigenvector of the Gibbs kernel
// with eigenvalue lambda, k steps leave
//
//   <f>_k - <f>_model = lambda^k (<f>_data - <f>_model),
//
// so CD-k misses the share lambda^k of its part of the gradient, and in equilibrium
//
//   cov(f(h_0), f(h_k)) / var(f(h_0)) = lambda^k.
//
// That is measured, at no cost, on the chains of each update (rows m, hidden units j together):
//
//   r = sum_j cov_m(h_0mj, <h_kmj>) / sum_j var_m(h_0mj)
//
// and averaged over some twenty updates. When the average is above gibbs_memory, k grows by a half (from 1 to 2),
// and the average becomes what it should be then, r^(k'/k). k never falls. The average is over functions, so slower
// ones are missed; it is the share of what the hidden units say, not a bound (docs/boltzmann.md).
//
// Missing cells (NaN): before an update they are filled by gap_steps Gibbs steps that clamp the known cells.
//
// Existence: Z is finite for every pair of layers but counts with Gaussian or rectified hidden units
// (refused) and, where Gaussian or rectified units stand on both sides, only while the largest gain is below
// 1 (parts/couplings/gain_limit.h, which holds it at 0.99).
//
// Gauge: the mean weight of each softmax group is held at zero (parts/couplings/softmax_gauge.h).
//
// Likelihood: exact when a binary layer has at most 25 units or both layers are Gaussian, otherwise by
// annealed importance sampling along
//
//   E_beta = (1 - beta) E_0 + beta E
//
// from the base-rate model E_0 (independent units at the moments of the training data).
//
// Known to fail: cd-1 leaves probability far from the data that its chains never see (good reconstructions,
// bad likelihood); pcd diverges when the rate outruns the chains' mixing. Look at the bracket and the
// free-energy gap. Rectified units learn with their noisy approximation, whose mean lies up to 0.4 below that
// of the copies it stands for, near activation 0; scores and samples use the copies.
//
// Sources: Smolensky 1986; Hinton 2002, "Training products of experts by minimizing contrastive divergence",
// eq. 5-10; Welling, Rosen-Zvi, Hinton 2005, "Exponential family harmoniums", eq. 4-8; Tieleman 2008,
// "Training restricted Boltzmann machines using approximations to the likelihood gradient"; Nair and Hinton
// 2010, "Rectified linear units improve restricted Boltzmann machines"; Cho, Ilin, Raiko 2011, "Improved
// learning of Gaussian-Bernoulli restricted Boltzmann machines" (log variances); Desjardins et al. 2010,
// "Tempered Markov chain Monte Carlo for training of restricted Boltzmann machines"; Montavon and Mueller
// 2012 and Melchior, Fischer, Wiskott 2016, "How to center deep Boltzmann machines", eq. 9-14; Salakhutdinov
// and Murray 2008, "On the quantitative analysis of deep belief networks", eq. 12-18; Hinton 2010, "A
// practical guide to training restricted Boltzmann machines" (sparsity, section 11).
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/rbm_options.h"
#include "deepgen/parts/couplings/dense_coupling.h"
#include "deepgen/parts/couplings/gain_limit.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class RbmDiagnosis;
struct RbmWorkspace;

class Rbm : public Model,
            public HasGradients,
            public HasFreeEnergy,
            public HasLogPartition,
            public HasChain,
            public CanClamp,
            public CanAnneal,
            public CanEncode,
            public CanDecode,
            public HasPseudoLikelihood {
 public:
  Rbm(RbmOptions options, RbmLearning learning, const DataShape& data);
  // Of a visible layer of any kind, whatever model.visible_units says.
  Rbm(RbmOptions options, RbmLearning learning, UnitLayer visible_layer);

  // Conditionals. v [B, V], h [B, H] float32.
  Tensor mean_h_given_v(const Tensor& v) const;
  Tensor mean_v_given_h(const Tensor& h) const;
  Tensor sample_h_given_v(const Tensor& v, Rng& rng) const;
  Tensor sample_v_given_h(const Tensor& h, Rng& rng) const;

  // Training (rbm_training.h; what is seen of it: rbm_diagnosis.h).
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;  // b at the data's moments, W small, offsets
  void project(const Turn& turn) override;                 // variances, gains, gauge
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  Tensor filters() const override;  // [H, V]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name, int stage) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores. Rows with missing cells have a marginal_free_energy only, with at most 12 binary hidden units.
  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;
  std::int64_t enumeration_units() const override;
  bool enumerates_hidden() const;                              // and not the visible layer
  std::optional<double> exact_log_partition() const override;  // cost 2^units * V * H / units
  std::optional<Tensor> pseudo_log_likelihood(const Rows& rows) const override;  // binary, softmax columns

  // Chains.
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& v, Rng& rng) const override;
  // v with its missing cells drawn from a chain of learning.gap_steps steps; v itself where none is missing.
  Tensor fill_gaps(const Tensor& v, Rng& rng) const;
  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features.
  Tensor encode(const Rows& rows) const override;
  Tensor decode(const Rows& codes) const override { return mean_v_given_h(codes.x); }

  // Moves that leave every free energy as it is, up to one number for all v: unit j as 1 - h_j (binary hidden
  // units), and the zero mean of softmax groups.
  void flip_hidden_unit(std::int64_t j);
  void centre_softmax_groups();
  // Of parts/couplings/gain_limit.h, found by `rounds` rounds of power iteration from `starts` starts; at 1
  // and above log Z is infinite. 0 where only one side has units that grow without bound.
  double largest_gain(int rounds = 100, int starts = 8) const;

  std::int64_t visible() const { return weights.size(0); }
  std::int64_t hidden() const { return weights.size(1); }
  const UnitLayer& visible_layer() const { return visible_units_; }
  const UnitLayer& hidden_layer() const { return hidden_units_; }
  DenseCoupling coupling() const { return DenseCoupling(weights); }
  bool has_moments() const { return data_variance.defined(); }

  // The layers' parameters in the form of parts/units/unit_layer.h; base: of the base-rate model.
  NaturalParameters visible_natural() const { return natural_of(visible_bias, visible_log_variance); }
  NaturalParameters hidden_natural() const { return {hidden_bias, {}, {}}; }
  NaturalParameters base_natural() const;
  Tensor coupled(const Tensor& v) const;  // y = s * v

  Tensor weights, visible_bias, hidden_bias;  // W [V, H], b [V], c [H]
  Tensor visible_log_variance;                // z [V], where there are Gaussian columns and it is learned
  Tensor data_mean;      // [V] smoothed means of (at most 20,000) training rows: the base-rate model
  Tensor data_variance;  // [V] likewise, where there are Gaussian or count columns
  Tensor visible_offset, hidden_offset;  // mu [V], lambda [H]
  Tensor chains;  // [chains, H] hidden states of the persistent chains; pt, trajectory: [T * chains, H]
  Tensor gain_directions;  // [12, H] where power iteration stands (Gaussian or rectified pairs)
  Tensor chain_memory;     // [2] Gibbs steps now, and how much survives them (gibbs_steps=auto)
  Tensor swap_rates;       // [T - 1] moving averages of accepted swaps between neighbours (pt, trajectory)
  Tensor fast_weights, fast_visible_bias, fast_hidden_bias;  // fpcd
  // Earlier states, oldest first, [snapshots, ...]; those of z where it is there (trajectory).
  Tensor snapshot_weights, snapshot_visible_bias, snapshot_hidden_bias, snapshot_log_variance;

 private:
  friend class RbmStep;
  friend class RbmDiagnosis;

  void register_tensors();
  void register_chains();
  void refuse_infinite_partition() const;
  void refuse_learning() const;  // what this machine cannot learn by
  // Of the visible layer with these b and z (undefined where there is none).
  NaturalParameters natural_of(const Tensor& bias, const Tensor& log_variance) const;
  void initialise_visible(const Tensor& sample);
  void add_input_to_bias(const Tensor& input);  // of the visible units, whatever the hidden ones do

  RbmOptions options_;
  RbmLearning learning_;
  UnitLayer visible_units_, hidden_units_;
  GainLimit gain_limit_;
  std::shared_ptr<RbmWorkspace> workspace_;  // buffers of training, kept between steps
  std::shared_ptr<RbmDiagnosis> diagnosis_;
};

// The visible layer that options and data ask for.
UnitLayer visible_layer_of(const RbmOptions& options, const DataShape& data);

}  // namespace deepgen
