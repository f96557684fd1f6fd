// NADE, the neural autoregressive distribution estimator.
//
//   p(x) = prod_i p(x_i | x_<i)
//   log odds of x_i = b_i + v_i . h_i
//   h_i = sigmoid(c + sum_(j<i) x_j w_j)
//
// of bits. Where a variable v is a category, a one-hot group of columns,
//
//   p(x_v | x_<v) = softmax over the columns k of v of b_k + v_k . h_v
//   h_v = sigmoid(c + sum over the columns j of the variables before v of x_j w_j)
//
// Objective: the mean log-probability, exact. Gradients by hand: what the hidden units receive changes by one
// row of W from variable to variable, so a pass costs O(D H) forwards and backwards. Of bits alone it changes
// only behind columns that are on, and the sigmoids are computed as often as there are ones (ops/nade.h,
// kernels/column_passes.h); with categories, once a variable (nade_groups.h). Sampled in the same pass, each
// variable being drawn as it is reached. Columns are taken in their order in the data.
//
// Differs from the paper: Adam in place of stochastic gradient descent; the order of the data in place of a
// random one, which the paper found to make no difference; categories too, each a softmax.
//
// Known to fail: without decay or patience small sets are learnt by heart; far apart columns are joined by
// sums alone, so the samples of digits have loose ends; data that are mostly ones are slow (their negative is
// not).
//
// Source: Larochelle and Murray 2011, "The neural autoregressive distribution estimator", equations 2 to 8,
// algorithm 1.
#pragma once

#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/models/autoregressive/nade_options.h"
#include "deepgen/ops/nade.h"

namespace deepgen {

class Nade : public DiscreteAutoregressive {
 public:
  Nade(NadeOptions options, NoOptions learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  Tensor filters() const override { return weights.w.detach().t(); }  // [H, D]

  Tensor log_prob(const Rows& rows) const override;  // [B] float64
  Tensor logits(const Tensor& x) const;              // of each column given those before it, [B, D]

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  NadeWeights weights;

 protected:
  Tensor draw_pass(const AncestralPass& pass) const override;
  std::vector<std::int64_t> order() const override { return natural_order(layout_.variables()); }

 private:
  NadeOptions options_;
  NoOptions learning_;
  NadeBuffers buffers_;
};

}  // namespace deepgen
