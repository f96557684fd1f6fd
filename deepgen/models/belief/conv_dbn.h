// The convolutional deep belief network: layers of convolutional machines with probabilistic max pooling
// (models/boltzmann/conv_rbm.h, whose letters these are), each trained on the pooling units of the one below.
//
// Layer l = 1 .. L has hidden units h_l in blocks and pooling units s_l, which say of each block whether one of
// its units is on; s_0 = v. The uppermost machine is undirected, all below it is directed downwards:
//
//   p(v, h, s) = p(s_0 | h_1) p(h_1 | s_1) ... p(s_L-2 | h_L-1) p(h_L-1 | s_L-1) p(s_L-1, h_L)
//   p(s_l-1 | h_l)   = units as of machine l, given its hidden units
//   p(h_l | s_l)     = in each block that is on one of its c x c units, all alike: (1 / c^2)^(sum of s_l)
//   p(s_L-1, h_L)    = exp(-E_L(s_L-1, h_L)) / Z_L.
//
// Inference goes up through the same weights; s_l follows from h_l:
//
//   q(h | v) = q(h_1 | s_0) ... q(h_L-1 | s_L-2),   q(h_l | s_l-1) = p(h | v) of machine l.
//
// Objective: the bound of the log-likelihood
//
//   log p(v) >= E_q[sum_l log p(s_l-1 | h_l) + log p(h_l | s_l) - log q(h_l | s_l-1)] - E_q[F_L(s_L-1)] - log Z_L.
//
// Layer by layer, each a stage of training: while layer L is the uppermost, machine L learns (cd, pcd) from the
// pooling units' probabilities (inputs=means, as in the source; not the bound's gradient) or from a draw of them
// for each row of each batch (inputs=samples). Machines below keep their weights. The network is made of as many
// layers as have begun; before training of all.
//
// Score: with K draws of q for each row, less log Z_L, the logarithm of the mean weight, whose mean rises from
// the bound (K = 1) to log p(v).
//
// Sampling: a chain of the uppermost machine, then one pass down. No chain of v is known that leaves p(v) as it
// is, so cases are not completed by one; the source's completions are of an undirected net of all layers, which
// this is not.
//
// Code: probabilities of the pooling units of all layers that have begun, layer after layer, each inferred from
// the probabilities below.
//
// Filters as pictures: those of layer 1 in the middle of the picture; then those of the layers above, pulled back
// to it: pooling units send their weight evenly to the units of their blocks, and these through their filters.
//
// Known to fail: where within a block a unit was on is forgotten on the way down, so that a net with pooling has a
// worse bound than its first machine's likelihood, and samples are blurred by c pixels. A log Z that is annealed
// too low makes every score too high: look at the bracket. Missing cells are refused.
//
// Source: Lee, Grosse, Ranganath, Ng 2009, "Convolutional deep belief networks for scalable unsupervised learning
// of hierarchical representations", sections 3.5 and 4.3.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/top_machine.h"
#include "deepgen/models/belief/conv_dbn_options.h"
#include "deepgen/models/boltzmann/conv_rbm.h"

namespace deepgen {

class ConvDbn : public Model,
                public HasGradients,
                public HasBound,
                public HasLogPartition,
                public HasTopMachine,
                public CanEncode {
 public:
  ConvDbn(ConvDbnOptions options, ConvDbnLearning learning, const DataShape& data);

  // Training.
  std::vector<Stage> stages() override;  // "layer1", "layer2", ...
  void initialise(const Rows& sample, Rng& rng) override;
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  // Of the uppermost machine, on what it learns from.
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override { return top().diverged(diagnosis); }
  Tensor filters() const override;  // of all layers, [sum of filters, D]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores: importance weights of draws from q, which owe the log Z of the uppermost machine.
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  RowScoreKind bound_kind() const override { return {ScoreKind::lower_bound, true, true}; }
  std::int64_t enumeration_units() const override { return top().enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return top().exact_log_partition(); }

  // Chains, in the pooling units of layer depth() - 1.
  const Model& top_machine() const override { return top(); }
  Tensor states_of(const Tensor& x, Rng& rng) const override;
  Tensor cases_of(const Tensor& states, bool means, Rng& rng) const override;

  // Features.
  Tensor encode(const Rows& rows) const override;

  // How many layers have begun, from 1; before training all.
  std::size_t depth() const;
  const ConvRbm& machine(std::size_t l) const { return *machines_.at(l); }
  const ConvRbm& top() const { return *machines_[depth() - 1]; }

 private:
  // What the machine that is `level` layers above the data learns from.
  Tensor inputs_of(const Tensor& x, std::size_t level, Rng& rng) const;
  // Hidden units of machine l given its pooling units, rows [B, K rows columns]: a draw, or their means.
  Tensor unpooled(const Tensor& pooled, std::size_t l, Rng* rng) const;
  Tensor log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const;

  ConvDbnOptions options_;
  ConvDbnLearning learning_;
  std::vector<std::shared_ptr<ConvRbm>> machines_;
  Tensor depth_;  // [1] float32
};

}  // namespace deepgen
