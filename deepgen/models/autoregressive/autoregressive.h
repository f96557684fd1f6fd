// What all autoregressive models are: a product of conditionals along an order of the variables, which are
// columns or, of categories, groups of columns.
//
//   p(x) = prod_p p(x_o(p) | x_o(0), .., x_o(p-1))
//
// The log-probability is exact and costs one evaluation of the network. A sample is drawn one by one in
// one pass that costs no more than that.
//
// Completion. Given known cells, the missing ones follow no conditional that could be drawn from directly,
// unless all known cells come first in the order. The chain is Metropolis and Hastings' with proposals of an
// ancestral pass: a block of missing cells (neighbours among the missing ones in the order; all of them, all
// from a random one on, or some from a random one on, a third of the time each) is drawn anew, each from its
// conditional, while all other cells keep their value. The proposal's density is that of the drawn cells, so
// the proposal x' is accepted with probability
//
//   min(1, prod_(i keeps its value) p(x_i | earlier x') / p(x_i | earlier x)),
//
// which leaves p(missing | known) unchanged. Where the drawn block is the end of the order it is always
// accepted; where many known cells follow, seldom, and chains are slow.
//
// Sources: Frey 1998, "Graphical models for machine learning and digital communication"; Hastings 1970,
// "Monte Carlo sampling methods using Markov chains and their applications", section 2.
#pragma once

#include "deepgen/model/capabilities.h"
#include "deepgen/parts/likelihoods/likelihood.h"
#include "deepgen/parts/nets/masked_net.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class Autoregressive : public Model,
                       public HasGradients,
                       public HasLogProb,
                       public CanSample,
                       public HasChain,
                       public CanClamp {
 public:
  Tensor sample(std::int64_t count, Rng& rng) const override;  // [count, D]
  Tensor chain_start(std::int64_t chains, Rng& rng) const override { return sample(chains, rng); }
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override;
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;  // [B, D]
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;

 protected:
  // An ancestral pass: cells, the log-probability of each given the earlier ones (float64; that of a category
  // stands at its first column, zeros at the others), and its mean.
  struct Draw {
    Tensor x, log_prob, mean;  // [B, D]
  };
  // Cells of x [B, D] where held [B, D] (bool) is true keep their value; the others are drawn in the order.
  // Categories are held as a whole.
  virtual Draw draw(const Tensor& x, const Tensor& held, Rng& rng) const = 0;
  virtual std::vector<std::int64_t> order() const = 0;  // variables from first to last
  virtual VariableLayout layout() const { return VariableLayout::of_bits(std::ssize(order())); }
  // Training by automatic differentiation: minus the batch mean of these log_probs [B] is descended.
  Metrics descend(const Tensor& log_prob);
};

// The variables are bits and categories.
class DiscreteAutoregressive : public Autoregressive {
 public:
  DiscreteAutoregressive(std::string name, const DataShape& data);
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

 protected:
  Draw draw(const Tensor& x, const Tensor& held, Rng& rng) const override;
  VariableLayout layout() const override { return layout_; }
  // The logits [B, D]; drawn cells go into pass.x.
  virtual Tensor draw_pass(const AncestralPass& pass) const = 0;
  // log p of x under the logits of all columns, [B] float64; gradients flow to the logits.
  Tensor differentiable_log_prob(const Tensor& logits, const Tensor& x) const;
  // The logits [D] of independent variables at the shares of rows x.
  Tensor base_logits(const Tensor& x) const;

  std::int64_t columns_;
  const VariableLayout layout_;

 private:
  std::string name_;
  UnitLayer units_;
  std::shared_ptr<Likelihood> cells_;  // of bits and categories; null: bits alone
};

// log p of x [B, D] under these logits, variable by variable in float64: so the probabilities of all states sum
// to one however large the logits are. [B] float64, without a graph.
Tensor exact_log_prob(const Tensor& logits, const Tensor& x, const VariableLayout& layout);

// The mean of values [B] float64, added in their order.
double mean_over_cases(const Tensor& values);

// Throws a data error that names the first missing cell, of models that cannot sum it out.
void refuse_missing(const Tensor& x, const std::string& model, const std::string& what,
                    std::int64_t first_row);

}  // namespace deepgen
