// The deep belief network: layers of restricted Boltzmann machines, each trained on what the one below
// infers.
//
// Layers of units h_0 = v, h_1, ..., h_L of any kind, with a machine between each pair
// (models/boltzmann/rbm.h, whose letters these are). The uppermost pair is undirected, all below it is
// directed downwards:
//
//   p(v, h_1, ..., h_L) = p(h_0 | h_1) ... p(h_L-2 | h_L-1) p(h_L-1, h_L)
//   p(h_l-1 | h_l)      = units with the activation theta_l + s_l * (W_l h_l)
//   p(h_L-1, h_L)       = exp(-E_L(h_L-1, h_L)) / Z_L.
//
// Inference goes up through the same weights, unit by unit; of the machine alone it is the posterior, of the
// network it is not:
//
//   q(h_1, ..., h_L-1 | v) = q(h_1 | h_0) ... q(h_L-1 | h_L-2)
//   q(h_l | h_l-1)         = units with the activation y_l-1 W_l + c_l.
//
// Objective: the bound of the log-likelihood
//
//   log p(v) >= E_q[log p(v, h_1, ..., h_L-1) - log q(h_1, ..., h_L-1 | v)]
//            =  E_q[sum_l log p(h_l-1 | h_l) - log q(h_l | h_l-1)] - E_q[F_L(h_L-1)] - log Z_L,
//
// h_L summed out in F_L. Layer by layer, each a stage of training: while layer L is the uppermost, all but
// its last two terms are held, and these are the log-likelihood of the machine L on what q makes of the data.
// So machine L learns as any machine does (cd, pcd, pt, exact) from a draw of h_L-1 for each row of each
// batch (inputs=samples) or from the means of its units (inputs=means, which is not the bound's gradient).
// Machines below keep their weights. The network is made of as many layers as have begun; before training of
// all.
//
// A new layer may begin as the transpose of the machine below,
//
//   W_L = W_L-1^T,   b_L = c_L-1,   c_L = b_L-1,
//
// further units of it with small weights. Then p(h_L-1) is that of the machine below, q(h_L-1 | h_L-2) is its
// posterior, and the bound is that of the network without the new layer. Of layer 2 this is log p(v) itself:
// each improvement from there on is one of a bound that was exact, and the likelihood cannot end below where
// it began.
//
// Sampling: a chain of the uppermost machine, then one pass down. No chain of v is known that leaves p(v) as
// it is, so cases are not completed by one.
//
// Score: with K draws h^k of q for each row, less log Z_L (exact when a binary one of the two uppermost
// layers has at most 25 units, else annealed, both ways),
//
//   log 1/K sum_k exp(-F_L(h_L-1^k)) prod_l p(h_l-1^k | h_l^k) / q(h_l^k | h_l-1^k),
//
// whose mean rises from the bound (K = 1) to log p(v).
//
// Code: means of the units layer by layer, those of the uppermost; decoded the same way down.
//
// Known to fail: greedy layers never go back, so what layer 1 has lost of the data the network has lost; with
// random weights a new layer begins far below the one it was put on. A log Z that is annealed too low makes
// every score too high: look at the bracket. The bound says little where q is far from the posterior, and
// then the weights of the draws have no variance that a few of them would show: compare numbers of draws.
// Missing cells are refused.
//
// Sources: Hinton, Osindero, Teh 2006, "A fast learning algorithm for deep belief nets", section 4 and
// appendix A (the bound, the transposed start); Bengio, Lamblin, Popovici, Larochelle 2007, "Greedy
// layer-wise training of deep networks" (units that are not binary); Salakhutdinov and Murray 2008, "On the
// quantitative analysis of deep belief networks", section 4; Murray and Salakhutdinov 2009, "Evaluating
// probabilities under high-dimensional latent variable models".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/top_machine.h"
#include "deepgen/models/belief/dbn_options.h"
#include "deepgen/models/boltzmann/rbm.h"

namespace deepgen {

class Dbn : public Model,
            public HasGradients,
            public HasBound,
            public HasLogPartition,
            public HasTopMachine,
            public CanEncode,
            public CanDecode {
 public:
  Dbn(DbnOptions options, DbnLearning learning, const DataShape& data);

  // Training.
  std::vector<Stage> stages() override;  // "layer1", "layer2", ...
  void initialise(const Rows& sample, Rng& rng) override;
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void project(const Turn& turn) override;
  // Of the uppermost machine, on what it learns from.
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  Tensor filters() const override;  // of layer 1
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name, int stage) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores: importance weights of draws from q, which owe the log Z of the uppermost machine.
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  RowScoreKind bound_kind() const override { return {ScoreKind::lower_bound, true, true}; }
  std::int64_t enumeration_units() const override { return top().enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return top().exact_log_partition(); }

  // Chains, in the states of layer depth() - 1.
  const Model& top_machine() const override { return top(); }
  Tensor states_of(const Tensor& x, Rng& rng) const override;
  Tensor cases_of(const Tensor& states, bool means, Rng& rng) const override;

  // Features.
  Tensor encode(const Rows& rows) const override;
  Tensor decode(const Rows& codes) const override;

  // How many layers have begun, from 1; before training all.
  std::size_t depth() const;
  const Rbm& machine(std::size_t l) const { return *machines_.at(l); }
  const Rbm& top() const { return *machines_[depth() - 1]; }

 private:
  // What the machine that is `level` layers above the data learns from.
  Tensor inputs_of(const Tensor& x, std::size_t level, Rng& rng) const;
  void begin_layer(std::size_t l, const Tensor& x, Rng& rng);
  void transpose_below(std::size_t l, Rng& rng);
  bool transposes(std::size_t l) const;
  Tensor log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const;

  DbnOptions options_;
  DbnLearning learning_;
  std::vector<std::shared_ptr<Rbm>> machines_;
  Tensor depth_;  // [1] float32
};

}  // namespace deepgen
