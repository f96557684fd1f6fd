// The deep Boltzmann machine: layers of binary units, each coupled with the next, none of it directed.
//
// Layers h_0 = v, h_1, ..., h_L of units that are 0 or 1,
//
//   E(h_0, ..., h_L) = -sum_l b_l.h_l - sum_l h_l W_l h_l+1
//   p(v, h_1, ..., h_L) = exp(-E) / Z.
//
// A layer receives what its neighbours send, from above and from below at once,
//
//   a_l = h_l-1 W_l-1 + W_l h_l+1 + b_l
//   p(h_l | all other layers) = units with the activation a_l,
//
// so all odd layers are independent of each other given the even ones, and the even ones given the odd.
// Either half can be drawn in one step, or summed out in closed form:
//
//   log sum over odd layers exp(-E) = sum_even b_l.h_l + sum_odd sum_j log(1 + exp(a_lj))
//
// and the same with the two exchanged. Below, the kept half is the one with fewer units, the other is summed
// out. A Gibbs step draws the other half, then the kept one.
//
// Inference: hidden layers given v depend on each other, so p(h | v) is taken for independent units with
// means mu_l (mu_0 = v), which bound
//
//   log p(v) >= sum_l b_l.mu_l + sum_l mu_l W_l mu_l+1 + H(mu) - log Z.
//
// Each half-step of the mean field,
//
//   mu_l = sigmoid(mu_l-1 W_l-1 + W_l mu_l+1 + b_l)   for all odd l, then for all even l > 0,
//
// is the maximum of the bound over the means that it moves: the bound never falls. It begins at the units'
// moving averages and ends when no mean moves further than model.tolerance.
//
// Objective: the mean bound, whose gradient is
//
//   dW_l = <mu_l mu_l+1>_data - <h_l h_l+1>_model
//   db_l = <mu_l>_data - <h_l>_model,
//
// <.>_model from chains that persist over updates (pcd): of each coupling one side is drawn, and of the other
// the mean given it stands in for the draw. Small machines can learn by the exact gradient of log p(v)
// instead (exact): every state of half of the hidden layers for the data, of the kept half for the model.
//
// Centring (parts/couplings/centring.h): with the moving averages m_l of the units' means under the data the
// gradient is taken in
//
//   E = -sum_l c_l.(h_l - m_l) - sum_l (h_l - m_l) W_l (h_l+1 - m_l+1)
//
// and carried back to the plain parameters:
//
//   dW_l = <(mu_l - m_l)(mu_l+1 - m_l+1)>_data - <(h_l - m_l)(h_l+1 - m_l+1)>_model
//   db_l = dc_l - dW_l m_l+1 - dW_l-1^T m_l-1.
//
// That is what lets all layers learn together from small weights, without pretraining. The file holds plain W
// and b.
//
// Other ways to learn:
//
//   pretraining        before all layers are joined, each two neighbours learn alone by contrastive
//                      divergence, as a machine that counts the side which it has twice (dbm_doubled.h): a
//                      stage each, then the joint one;
//   pt                 the chains of <.>_model lie on a ladder of inverse temperatures beta of E_beta below,
//                      and neighbours swap states: those at 1 are kept from standing still;
//   multi_prediction   of each row random units S are hidden, the mean field goes from the others to the
//                      means mu_S, and the gradient is that of
//
//                        sum_S log mu_i or log(1 - mu_i)
//
//                      back through all of its steps. No chain; the machine learns to infer.
//
// Samples: chains of the kept half, then v given it. Completion: Gibbs steps of all layers, known cells held,
// from independent units. What is drawn is the conditional as nearly as model.completion_steps steps come to
// it.
//
// Score: with K draws d^k of half of the hidden layers (the one with fewer units) from the mean field q, the
// other hidden layers summed out, less log Z,
//
//   log 1/K sum_k p*(v, d^k) / q(d^k),
//
// whose mean lies above the bound of the mean field for K = 1 already and rises to log p(v). log Z is exact
// where the kept half has at most 25 units, otherwise from annealed importance sampling of the kept half
// along
//
//   E_beta = (1 - beta) E_0 + beta E
//
// from E_0, independent units at their moving averages; forward and reverse.
//
// Code: means of all hidden layers, from the data up; decoded by p(v | h_1) with the mean of h_1.
//
// Known to fail: the mean field picks one of several explanations, so learning drives the posterior to have
// only one; chains mix slowly between kinds of cases and pcd diverges when the rate outruns them; without
// centring or pretraining the upper layers stay unused. A log Z that is annealed too low makes every score
// too high: look at the bracket. Missing cells are refused in training and scores.
//
// Sources: Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", eq. 4-12, sections 3.2 (pretraining) and
// 4.1 (annealing of one half); Goodfellow, Mirza, Courville, Bengio 2013, "Multi-prediction deep Boltzmann
// machines"; Desjardins et al. 2010, "Tempered Markov chain Monte Carlo for training of restricted Boltzmann
// machines"; Montavon and Mueller 2012, "Deep Boltzmann machines and the centering trick"; Melchior, Fischer,
// Wiskott 2016, "How to center deep Boltzmann machines"; Tieleman 2008 (persistent chains); Burda, Grosse,
// Salakhutdinov 2016, "Importance weighted autoencoders", theorem 1 (several draws).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/top_machine.h"
#include "deepgen/models/boltzmann/dbm_options.h"
#include "deepgen/parts/couplings/centring.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class DbmHalf;
struct DoubledMachine;

// States, means or activations of the layers 0 .. L, [B, n_l] each; undefined: not at hand.
using DbmLayers = std::vector<Tensor>;

// Means of all units and of the products of neighbouring layers, float64.
struct DbmMoments {
  std::vector<Tensor> means, products;  // [n_l], [n_l, n_l+1]
};

struct DbmMeanField {
  DbmLayers means;         // layer 0: the cases
  std::int64_t steps = 0;  // that were taken
};

class Dbm : public Model,
            public HasGradients,
            public HasBound,
            public HasLogPartition,
            public HasTopMachine,
            public CanComplete,
            public CanEncode,
            public CanDecode {
 public:
  static constexpr std::int64_t exact_hidden = 12;  // drawn units over which sums may run, case by case
  static constexpr std::int64_t exact_kept = 20;    // kept units of exact learning

  Dbm(DbmOptions options, DbmLearning learning, const DataShape& data);

  // Training (dbm_training.cpp; dbm_pretraining.cpp, dbm_tempering.cpp, dbm_prediction.cpp).
  std::vector<Stage> stages() override;  // one, or "machine1", "machine2", ..., "joint"
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;  // b_0 at the data's means, W small, chains
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override;  // of layer 1, [n_1, n_0]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name, int stage) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores (dbm_scores.cpp).
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  RowScoreKind bound_kind() const override { return {ScoreKind::lower_bound, true, true}; }
  std::int64_t enumeration_units() const override { return half_units(kept_, 0); }
  std::optional<double> exact_log_partition() const override;
  DbmMeanField mean_field(const Tensor& x) const;
  DbmMeanField mean_field(const Tensor& x, std::int64_t most_steps, double tolerance) const;
  // The bound of the mean field, log Z left out: [B] float64.
  Tensor mean_field_bound(const DbmLayers& means) const;
  // log of the sum over h of exp(-E(x, h)), [B] float64, or nothing with more than exact_hidden drawn units.
  std::optional<Tensor> exact_log_unnormalised(const Tensor& x) const;

  // Chains (dbm_chains.cpp), in the states of the kept half (dbm_half.h).
  const Model& top_machine() const override;
  Tensor states_of(const Tensor& x, Rng& rng) const override;
  Tensor cases_of(const Tensor& states, bool means, Rng& rng) const override;
  Tensor complete(const Rows& rows, Rng& rng) const override;

  // Features.
  Tensor encode(const Rows& rows) const override;
  Tensor decode(const Rows& codes) const override;

  // Halves (dbm_layers.cpp). `parity` 0: even layers, 1: odd ones.
  int kept() const { return kept_; }    // of the half with fewer units
  int drawn() const { return drawn_; }  // of the half of the hidden layers with fewer units
  std::size_t layers() const { return biases.size(); }
  std::int64_t units(std::size_t l) const { return biases.at(l).size(0); }
  std::int64_t half_units(int parity, std::size_t from) const;  // of the layers from, from + 1, ...
  // What layer l receives from its neighbours, without its bias; in float64 where they are.
  Tensor input_of(std::size_t l, const DbmLayers& s) const;
  void draw_half(int parity, DbmLayers& s, Rng& rng) const;
  // The means of the layers of a half that are undefined, given the other half.
  void add_means(int parity, DbmLayers& s) const;
  // log of the sum of exp(-E) over the layers of this half that are undefined, [B] float64.
  Tensor log_sum_over(int parity, const DbmLayers& s) const;
  // Between rows [B, units] of a half's layers side by side, from layer `from` on, and its layers.
  DbmLayers split_half(const Tensor& rows, int parity, std::size_t from) const;
  Tensor join_half(const DbmLayers& s, int parity) const;
  Tensor base_activation(std::size_t l) const;  // of E_0, [n_l]

  // Of rows of x, hidden layers summed out by p(h | x); and of the model: by enumeration.
  DbmMoments data_moments(const Tensor& x) const;
  DbmMoments model_moments() const;

  // Pretraining: layers l and l + 1 alone, and what their machine learns of rows x, draws of those below.
  DoubledMachine machine(std::size_t l) const;
  Tensor machine_rows(std::size_t l, const Tensor& x, Rng& rng) const;
  // Fills the gradients of minus the mean log-probability that the mean field gives the masked units of x,
  // masked [B, n_0] bool, after model.mean_field_steps steps from the other units and the moving averages;
  // returns it unnegated.
  double prediction_gradient(const Tensor& x, const Tensor& masked);

  std::vector<Tensor> weights, biases;  // W_l [n_l, n_l+1], b_l [n_l]
  std::vector<Tensor> means;   // m_l [n_l] moving averages under the data; layer 0 begins at smoothed means
  std::vector<Tensor> chains;  // [chains, n_l] of the kept layers (pcd; pt: [T * chains, n_l]) or undefined
  Tensor swap_rates;           // [T - 1] moving averages of accepted swaps between neighbours (pt)
  // Where there is pretraining: b of the lower and c of the upper layer of each machine that is learned
  // alone.
  std::vector<Tensor> lower_biases, upper_biases;

 private:
  void register_tensors(std::int64_t columns);
  void register_machines();
  void refuse_large() const;
  void begin_gradient();
  void follow_data(const DbmLayers& s);
  void add_statistics(const DbmLayers& s, double share, double keep);
  void finish_gradient();
  void start_chains(Rng& rng);
  void chain_phase(Rng& rng);
  void tempered_phase(const Turn& turn, Rng& rng);
  void add_model_statistics(const DbmLayers& s);
  bool pretrains(const Turn& turn) const;
  void join_biases();  // from those of the machines
  Metrics pretraining_gradients(std::size_t l, const Tensor& x, Rng& rng);
  Metrics prediction_gradients(const Tensor& x, Rng& rng);
  void exact_gradient(const Tensor& x);
  DbmLayers of_case(const Tensor& x, const Tensor& drawn_states) const;
  Tensor log_weights(const Tensor& x, const DbmLayers& inputs, std::int64_t draws, Rng& rng) const;

  DbmOptions options_;
  DbmLearning learning_;
  UnitLayer visible_units_;
  int kept_ = 1, drawn_ = 1;
  std::vector<Centring> centring_;  // buffers of training, kept between steps
  std::shared_ptr<DbmHalf> half_;
};

}  // namespace deepgen
