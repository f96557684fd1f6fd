// Fully visible belief network: logistic autoregression.
//
//   p(x) = prod_i p(x_i | x_<i)
//   log odds of x_i = b_i + sum_(j<i) x_j W_ji
//
// of bits; a category is a softmax over its columns, each of which has such a sum over the columns of the
// variables before it.
//
// Objective: the mean log-probability, exact; convex, so any optimiser finds the same optimum. The gradient
// comes from automatic differentiation of one product with the strictly triangular part of W; the rest of W
// has no gradient and no effect. Sampled column by column; the sums run over the columns that are there, so a
// sample costs D^2 / 2 multiplications. Columns are taken in their order in the data, or in a random one that
// is drawn once and kept with the weights (model.order): which is better depends on the data.
//
// Known to fail: it sees only pairs of columns, so what only three or more together tell is missed; on digits
// its samples fall apart into strokes.
//
// Sources: Frey, Hinton, Dayan 1996, "Does the wake-sleep algorithm produce good density estimators?"; Frey
// 1998, "Graphical models for machine learning and digital communication"; Larochelle and Murray 2011, "The
// neural autoregressive distribution estimator", section 2 (there named FVSBN).
#pragma once

#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/models/autoregressive/fvbn_options.h"

namespace deepgen {

class Fvbn : public DiscreteAutoregressive {
 public:
  Fvbn(FvbnOptions options, NoOptions learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  Tensor log_prob(const Rows& rows) const override;  // [B] float64
  Tensor logits(const Tensor& x) const;              // of each column given those before it, [B, D]
  Ranks ranks() const;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Tensor draw_pass(const AncestralPass& pass) const override;
  std::vector<std::int64_t> order() const override { return ranks().order; }

 private:
  FvbnOptions options_;
  NoOptions learning_;
  std::shared_ptr<MaskedNet> net_;
  Tensor order_;  // [variables] int64, from first to last; undefined: as in the data
  Ranks natural_;
};

}  // namespace deepgen
