// The restricted Boltzmann machine as a deep sigmoid belief net whose layers share their weights: small, exact by
// enumeration, for study. No model of the registry; dbn.h is the one that learns.
//
// Layers of binary units s_0 = v, s_1, ..., s_L, by turns as large as the visible and the hidden layer of a machine
// with weights W and biases b, c. The uppermost pair is that machine, all below it is directed downwards:
//
//   p(s_0, ..., s_L)  = p(s_0 | s_1) ... p(s_L-2 | s_L-1) p(s_L-1, s_L)
//   p(s_l-1 | s_l)    = sigmoid(W s_l + b) or sigmoid(W's_l + c), by turns
//   p(s_L-1, s_L)     = exp(-E(s_L-1, s_L)) / Z.
//
// A pass down is Gibbs sampling of the machine, from its own distribution. So every pair of layers has that
// distribution, p(v) is the machine's for any L, and without a top the net of endless depth has it too. What lies
// above a layer is its complementary prior: it undoes explaining away, and the posterior, which of a belief net is no
// product, is one,
//
//   p(s_l | s_l-1) = sigmoid(W's_l-1 + c) or sigmoid(W s_l-1 + b):
//
// a Gibbs chain upwards from the data. The learning rule of a belief net is, for the weights between two layers,
//
//   d log p(v) / dW_l = <(s_l-1 - <s_l-1 | s_l>) s_l'>        <.> under the posterior of the data,
//
// a sample less its mean. The weights are all one W, so its gradient is the sum over the layers. The mean given s_l
// is that of s_l+1 given s_l, hence, with the pairs C_l = <s_l s_l+1'> (as [V, H]),
//
//   layer 1:    C_0 - C_1
//   layer 2:    C_1 - C_2
//   ...
//   layer L-1:  C_L-2 - C_L-1
//   the top:    C_L-1 - C_model
//   sum:        C_0 - C_model = <v h>_data - <v h>_model.
//
// Contrastive divergence with k steps is the sum of the first 2k terms, C_0 - C_2k: it leaves out what the layers
// above contribute. They matter as little as the chain remembers of the data (enumerated_rbm.h: its second
// eigenvalue to the power k), so little while weights are small.
//
// Untying: with the layers below `first` held, those above may have other weights. The posterior is then no product
// any more, and inference by
//
//   q(s_l | s_l-1) = sigmoid(W's_l-1 + c), ... of the machine that each layer was learnt with
//
// gives a bound,
//
//   log p(v) >= E_q[sum_l log p(s_l-1 | s_l) - log q(s_l | s_l-1)] + E_q[log p(s_L-1)]
//   log p(v) -  bound = KL(q(. | v) || p(. | v)),
//
// which is exact while all is tied and which new weights above change only in its last terms. What raises those
// raises log p(v) at least as much, since the gap was 0.
//
// Sources: Hinton, Osindero, Teh 2006, "A fast learning algorithm for deep belief nets", section 3 (infinite directed
// nets with tied weights, eq. 3 to 6), section 4 and appendix A; Hinton 2002, "Training products of experts by
// minimizing contrastive divergence"; Bengio and Delalleau 2009, "Justifying and generalizing contrastive
// divergence" (the series); Hinton's lectures, 14.
#pragma once

#include <vector>

#include "deepgen/models/boltzmann/enumerated_rbm.h"

namespace deepgen {

class TiedBeliefNet {
 public:
  // Layers s_0 .. s_depth with the weights of this machine. Depth 1 is the machine itself.
  TiedBeliefNet(const EnumeratedRbm& machine, std::size_t depth);

  // The layers s_first and above become those of another machine, tied among themselves; `first` from 0, its
  // visible units are s_first. What is below keeps its weights, for generation and for inference.
  void untie(std::size_t first, const EnumeratedRbm& machine);

  std::size_t depth() const { return machines_.size(); }
  // The machine of s_l (its visible units) and s_l+1.
  const EnumeratedRbm& machine(std::size_t l) const { return machines_.at(l); }

  Tensor prior(std::size_t l) const;      // p(s_l) [2^n_l]
  Tensor posterior(std::size_t l) const;  // p(s_l+1 | s_l) [2^n_l, 2^n_l+1], by Bayes' rule
  const Tensor& recognition(std::size_t l) const { return machines_.at(l).up(); }  // q(s_l+1 | s_l)
  Tensor log_prob() const { return prior(0).log(); }  // log p(v) of every state of v, [2^V]

  // Means over a distribution `data` of v, [2^V].
  double log_likelihood(const Tensor& data) const;
  double bound(const Tensor& data) const;
  // q(s_l), [2^n_l].
  Tensor inferred(const Tensor& data, std::size_t l) const;

  // The gradient of the log-likelihood, term by term: entry l is of the parameters of machine(l) alone, in its
  // orientation. Of a directed layer the upper biases have none.
  std::vector<RbmMoments> gradient_terms(const Tensor& data) const;
  // The sum of the first `count` terms as a gradient of one machine, in the orientation of machine(0).
  static RbmMoments tied_sum(const std::vector<RbmMoments>& terms, std::size_t count);

 private:
  std::vector<EnumeratedRbm> machines_;
};

}  // namespace deepgen
