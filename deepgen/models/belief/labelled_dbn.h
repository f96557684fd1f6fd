// The deep belief network with labels: an associative memory of codes and labels on top of a directed net,
// learnt layer by layer and then by up-down, the contrastive wake-sleep algorithm.
//
// Layers of binary units h_1, ..., h_L above the cells h_0 = x. The uppermost machine (models/boltzmann/
// discriminative_rbm.h) joins layer L with the one below it and with the label y, one-hot as e_y; all below
// is directed downwards by generative weights G, b:
//
//   p(x, y, h_1, ..., h_L) = p(h_0 | h_1) ... p(h_L-2 | h_L-1) p(h_L-1, y, h_L)
//   p(h_l-1 | h_l)         = units with the activation b_l + G_l h_l
//   p(h_L-1, y, h_L)       = exp(-E([h_L-1, e_y], h_L)) / Z.
//
// Inference goes up through recognition weights R, c that are its own:
//
//   q(h_1, ..., h_L-1 | x) = q(h_1 | h_0) ... q(h_L-1 | h_L-2)
//   q(h_l | h_l-1)         = sigmoid(h_l-1 R_l + c_l).
//
// Layers (a stage each): layer l is a machine of rbm.h, tied, G_l = R_l = W_l, that learns what q makes of
// the data; then the uppermost one learns log p(h_L-1, y), its hidden units summed out. A layer that has not
// begun has small random weights, so until its turn the uppermost machine knows no more than how frequent the
// labels are.
//
// Up-down (the last stage): the weights are untied, and each update goes up, around and down.
//
//   wake     h_1, ..., h_L-1 are drawn from q; generative weights follow:
//            d/dG_l = (h_l-1 - <h_l-1 | h_l>_p) h_l'
//   top      from (h_L-1, y) k steps of Gibbs sampling of the uppermost machine; contrastive divergence,
//            d/dW = <v h>_start - <v h>_end,  v = [h_L-1, e_y]
//   sleep    from h_L-1 at the end of the chain h_L-2, ..., h_0 are drawn from p; recognition weights follow:
//            d/dR_l = h_l-1 (h_l - <h_l | h_l-1>_q)'
//
// The wake phase descends the negative bound in G; the sleep phase fits q to p's own fantasies and not to the
// data, and its fantasies are near the data since the chain began there: so modes are less averaged over than
// by wake-sleep. Fantasies of cells that are means of bits (visible_units=expected_bits) are means too. It
// begins as the network that the layers made: no number changes by being untied.
//
// A row whose label is unknown counts like any other: it is given one, drawn from p(y | h_L-1), which on
// average is the gradient of log p(h_L-1). Below the uppermost machine labels play no part.
//
// Class: p(y | x) by the free energies of the uppermost machine at the means of h_L-1, layer by layer.
// Training is judged by it.
//
// Score of x, the label summed out in F(h_L-1): with K draws of q for each row, less log Z of the uppermost
// machine (exact when layer L has at most 25 units, else annealed, both ways),
//
//   log 1/K sum_k exp(-F(h_L-1^k)) prod_l p(h_l-1^k | h_l^k) / q(h_l^k | h_l-1^k),
//
// whose mean rises from the bound (K = 1) to log p(x). Of cells that are means of bits it lies below the mean
// over the bits (log sum exp is convex).
//
// Sampling: a chain of the uppermost machine, then one pass down; given a label, a chain in which it is held
// (cases_given). Code: means of h_L given the means of h_L-1, the label summed out; decoded the same way
// down.
//
// Known to fail: up-down does not descend one objective, and its recognition weights can lag behind, so the
// bound may fall while the classes improve; few Gibbs steps leave probability where the chain never comes.
// Layers never undo what those below have lost, and up-down only slowly. Missing cells are refused.
//
// Sources: Hinton, Osindero, Teh 2006, "A fast learning algorithm for deep belief nets", sections 4 to 6 and
// appendix B (up-down); Hinton, Dayan, Frey, Neal 1995, "The wake-sleep algorithm for unsupervised neural
// networks".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/top_machine.h"
#include "deepgen/models/belief/labelled_dbn_options.h"
#include "deepgen/models/boltzmann/discriminative_rbm.h"

namespace deepgen {

// What an update of up-down learns from: states of the layers 0 .. L-1, drawn up from the cases and down from
// the end of the uppermost machine's chain, and its visible units [h_L-1, e_y] at both ends.
struct UpDownStates {
  std::vector<Tensor> wake, sleep;
  Tensor chain_start, chain_end;
};

class LabelledDbn : public Model,
                    public HasGradients,
                    public HasBound,
                    public HasLogPartition,
                    public HasTopMachine,
                    public CanClassify,
                    public CanEncode,
                    public CanDecode {
 public:
  LabelledDbn(LabelledDbnOptions options, LabelledDbnLearning learning, const DataShape& data);

  // Training. Labels must be known of some rows of the sample.
  std::vector<Stage> stages() override;  // "layer1", ..., "top", "up_down"
  void initialise(const Rows& sample, Rng& rng) override;
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void project(const Turn& turn) override;
  // Of the machine that learns, on what it learns from; of the uppermost one as a classifier.
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  Tensor filters() const override;  // of layer 1
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Up-down (labelled_dbn_up_down.cpp): one pass up, `steps` of Gibbs sampling and one pass down; and the
  // gradients of all parameters given its states.
  UpDownStates draw_up_down(const Rows& batch, std::int64_t steps, Rng& rng) const;
  void follow_up_down(const UpDownStates& states);

  // Classes. The labels of the rows play no part.
  std::int64_t classes() const override { return top_->classes(); }
  Tensor log_class_probs(const Rows& rows) const override;
  bool judged_by_classes() const override { return true; }

  // Scores of x, the label summed out (labelled_dbn_scores.cpp).
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  RowScoreKind bound_kind() const override { return {ScoreKind::lower_bound, true, true}; }
  std::int64_t enumeration_units() const override { return top_->enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return top_->exact_log_partition(); }

  // Chains, in the states of layer L - 1, the label drawn beside them.
  const Model& top_machine() const override { return *top_; }
  Tensor states_of(const Tensor& x, Rng& rng) const override;
  Tensor cases_of(const Tensor& states, bool means, Rng& rng) const override;
  // For each label y [B] a case (or its means) from a chain of so many steps in which the label is held,
  // begun at independent units: [B, D]. As near to p(x | y) as the chain has come.
  Tensor cases_given(const Tensor& y, std::int64_t steps, bool means, Rng& rng) const;

  // Features.
  Tensor encode(const Rows& rows) const override;
  Tensor decode(const Rows& codes) const override;

  std::size_t levels() const { return machines_.size(); }  // below the uppermost machine: L - 1
  // R, c and b of the layers l and l + 1.
  const Rbm& machine(std::size_t l) const { return *machines_.at(l); }
  const DiscriminativeRbm& top() const { return *top_; }
  // Whether up-down has begun; G, which is R until then.
  bool untied() const { return !generative_.empty() && begun() > machines_.size() + 1; }
  const Tensor& generative_weights(std::size_t l) const {
    return untied() ? generative_.at(l) : machines_.at(l)->weights;
  }

 private:
  std::size_t begun() const;  // how many stages, from 1; before training all
  // What the machine that is `level` layers above the data learns from; means of layer L - 1.
  Tensor inputs_of(const Tensor& x, std::size_t level, Rng& rng) const;
  Tensor top_means(const Tensor& x) const;
  Tensor layer_below(std::size_t l, const Tensor& above, bool mean, Rng& rng) const;
  Tensor top_rows(const Tensor& h, const Tensor& y, Rng& rng) const;
  void begin_layer(std::size_t l, const Rows& sample, Rng& rng);
  void untie();
  void follow_wake(std::size_t l, const Tensor& below, const Tensor& above);
  void follow_sleep(std::size_t l, const Tensor& below, const Tensor& above);
  void follow_chain(const Tensor& start, const Tensor& end);
  Tensor log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const;

  LabelledDbnOptions options_;
  LabelledDbnLearning learning_;
  std::vector<std::shared_ptr<Rbm>> machines_;
  std::shared_ptr<DiscriminativeRbm> top_;
  std::vector<Tensor> generative_;  // of the machines below the uppermost, where there is up-down
  Tensor begun_;                    // [1] float32
};

}  // namespace deepgen
