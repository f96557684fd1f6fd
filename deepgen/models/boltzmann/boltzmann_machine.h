// The general Boltzmann machine: binary units, some of them visible, each coupled to every other.
//
// With s = (x, h) the states of all units, 0 or 1,
//
//   E(s) = -s'W s / 2 - b's     W symmetric, its diagonal zero
//   p(s) = exp(-E(s)) / Z
//
// and, the hidden units summed out,
//
//   F(x) = -x'W_xx x / 2 - b_x'x - log sum_h exp(h'W_hh h / 2 + b_h'h + x'W_xh h)
//   p(x) = exp(-F(x)) / Z.
//
// What a unit receives from the others decides it:
//
//   a_i = sum_j W_ij s_j + b_i
//   p(s_i = 1 | all others) = sigmoid(a_i).
//
// No two units are independent given the rest, so there are no blocks: a sweep takes the units one by one,
// and rows are independent (boltzmann_sweeps.h). The file holds each weight once, as the pair i < j, so that
// no update, momentum or decay can make W asymmetric or give it a diagonal.
//
// Objective: the mean log-likelihood. The rule is local: a weight is moved by what its two units do,
//
//   d log p / dW_ij = <s_i s_j>_data - <s_i s_j>_model
//   d log p / db_i = <s_i>_data - <s_i>_model,
//
// <.>_data with the visible units held at the rows and the hidden ones by p(h | x): summed over all their
// states where there are at most 12, else sampled. <.>_model by enumeration of all units (exact), or from
// chains that persist over updates (pcd), which fast weights may drive on (fpcd; parts/couplings/fast_weights.h).
// The machine without hidden units may learn instead by the
// pseudo-likelihood, which needs neither Z nor chains and is concave:
//
//   sum_i log p(x_i | x_-i) = sum_i (x_i a_i - log(1 + exp(a_i)))
//   d / dW_ij = (x_i - sigmoid(a_i)) x_j + (x_j - sigmoid(a_j)) x_i
//   d / db_i = x_i - sigmoid(a_i).
//
// Missing cells (NaN) are free like hidden units: exact learning sums them out, the others fill them by
// gap_steps sweeps that hold the known cells.
//
// Samples: chains of sweeps over all units. Between calls a chain is known by its visible units: h begins
// with a draw from p(h | x), by enumeration, so that a chain at p(x) stays there. Completion: the same, known
// cells held.
//
// Likelihood: exact when all units are at most 25, otherwise by annealed importance sampling along
//
//   E_beta = (1 - beta) E_0 + beta E
//
// from E_0, independent units: visible ones at the means of the training data, hidden ones even. Up to 12
// hidden units are summed out of the weights; more are annealed with the visible ones.
//
// Known to fail: sweeps of coupled units mix slowly, and pcd then runs away from chains that stand still; the
// likelihood has several maxima where there are hidden units; the pseudo-likelihood of strongly coupled data
// gives chains that leave the data.
//
// Sources: Hinton and Sejnowski 1983, "Optimal perceptual inference"; Ackley, Hinton, Sejnowski 1985, "A
// learning algorithm for Boltzmann machines", eq. 1-6; Hinton and Sejnowski 1986, "Learning and relearning in
// Boltzmann machines"; Besag 1975, "Statistical analysis of non-lattice data" (pseudo-likelihood); Tieleman
// 2008, "Training restricted Boltzmann machines using approximations to the likelihood gradient"; Neal 2001,
// "Annealed importance sampling".
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/boltzmann_machine_options.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class BoltzmannMachine : public Model,
                         public HasGradients,
                         public HasFreeEnergy,
                         public HasLogPartition,
                         public HasChain,
                         public CanClamp,
                         public CanAnneal,
                         public HasPseudoLikelihood {
 public:
  static constexpr std::int64_t summed_hidden = 12;    // hidden units that are summed over, not sampled
  static constexpr std::int64_t exact_units = 20;      // of exact learning
  static constexpr std::int64_t exact_by_itself = 16;  // of learning=auto

  BoltzmannMachine(BoltzmannMachineOptions options, BoltzmannMachineLearning learning, const DataShape& data);

  // Training (boltzmann_machine.cpp).
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;  // b at the data's means, W small, chains
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Tensor filters() const override;  // [H, V], where there are hidden units
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }
  // What `auto` stands for.
  const std::string& rule() const { return rule_; }

  // Scores (boltzmann_machine_scores.cpp). Rows with missing cells have a marginal_free_energy where all
  // units are at most 20.
  Tensor free_energy(const Rows& rows) const override;  // cost 2^H a row
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;
  std::int64_t enumeration_units() const override { return units(); }
  std::optional<double> exact_log_partition() const override;
  std::optional<Tensor> pseudo_log_likelihood(const Rows& rows) const override;  // up to 12 hidden units

  // Chains (boltzmann_machine_chains.cpp).
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;
  Tensor fill_gaps(const Tensor& x, Rng& rng) const;
  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t chains, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Of states [B, D] float64 without weights, the exponent -E(s), [B].
  Tensor log_joint(const Tensor& states) const;
  // log sum_h exp(beta (h'W_hh h / 2 + b_h'h + input h)), [B] float64; input [B, H] float64 = x W_xh.
  Tensor log_hidden_sum(const Tensor& input, double beta = 1) const;
  // A draw of h at inverse temperature beta, [B, H] float32, by enumeration.
  Tensor sample_hidden(const Tensor& input, double beta, Rng& rng) const;
  // x W_xh, [B, H] float64.
  Tensor hidden_input(const Tensor& x) const;
  // x'W_xx x / 2 + b_x'x, [B] float64.
  Tensor visible_part(const Tensor& x) const;

  // <s_i s_j>, [D, D] float64, the means on its diagonal (s_i^2 = s_i): rows of x [B, V] in the shares
  // `weights` [B] float64, hidden units summed out; and of the model, by enumeration.
  Tensor data_moments(const Tensor& x, const Tensor& weights) const;
  Tensor model_moments() const;

  std::int64_t visible() const { return visible_units_.size(); }
  std::int64_t hidden() const { return options_.hidden; }
  std::int64_t units() const { return visible() + hidden(); }
  const UnitLayer& visible_layer() const { return visible_units_; }
  Tensor weights() const;                                                // W [D, D], visible units first
  Tensor block_of_weights(bool rows_hidden, bool columns_hidden) const;  // of W, float64
  Tensor visible_bias() const { return biases.narrow(0, 0, visible()); }
  Tensor hidden_bias() const { return biases.narrow(0, visible(), hidden()); }
  Tensor base_activation() const;  // of the visible units of E_0, [V]

  Tensor pair_weights;                    // W_ij of the pairs i < j, row by row
  Tensor biases;                          // b [D]
  Tensor data_mean;                       // [V] smoothed means of training rows
  Tensor chains;                          // [chains, D] states of the persistent chains (pcd, fpcd)
  Tensor fast_pair_weights, fast_biases;  // fpcd: chains move under these too

 private:
  void register_tensors();
  bool has_chains() const { return rule_ == "pcd" || rule_ == "fpcd"; }
  Tensor weights_of(const Tensor& of_pairs) const;  // W of the weights of pairs i < j
  // Calls body on blocks of all states of the hidden units: their numbers from `first` on, states [n, H] and
  // beta (h'W_hh h / 2 + b_h'h + input h), [B, n].
  using HiddenBody = std::function<void(std::int64_t first, const Tensor& states, const Tensor& exponents)>;
  void for_each_hidden_block(const Tensor& input, double beta, const HiddenBody& body) const;
  void likelihood_gradient(const Tensor& x, Rng& rng);
  void learn_fast_weights();
  void pseudo_likelihood_gradient(const Tensor& x);
  Tensor sampled_data_moments(const Tensor& x, Rng& rng) const;
  Tensor chain_moments(Rng& rng);
  void write_gradient(const Tensor& moments);  // of a [D, D] matrix by pair, its diagonal to the biases

  BoltzmannMachineOptions options_;
  BoltzmannMachineLearning learning_;
  UnitLayer visible_units_;
  std::string rule_;
  Tensor pairs_;  // [D (D - 1) / 2] int64: i D + j of the pairs i < j
};

// The rows that x [V] can be, its missing cells in every state: [2^gaps, V].
Tensor completions_of(const Tensor& x);

}  // namespace deepgen
