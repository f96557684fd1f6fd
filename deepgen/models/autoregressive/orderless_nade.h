// The order-agnostic, deep NADE of bits: one network for every order of the columns.
//
//   p(x | o) = prod_p p(x_o(p) | x_o(<p))
//   all log odds of the missing columns = net(x * m, m),   m marks the columns that are known
//
// For each row of a batch a number n of missing columns, from 1 to D, and which ones are drawn at random, and
//
//   1 / (n q(n)) sum_(i missing) log p(x_i | known)
//   q(n) = sqrt(n / D) - sqrt((n - 1) / D)
//
// is raised: an unbiased estimate of the mean over all orders of log p(x | o), for any q. With n drawn
// evenly, as in the paper (q = 1 / D), a missing column of a row that lacks a single one counts D times; with
// this q, which draws small n more often, sqrt(D) times, and gradients are less noisy. The n of a batch are
// spread: one from each of as many equally likely shares. Gradients come from automatic differentiation; a
// step is one pass, however many columns there are.
//
// Every order gives an exact distribution of its own (HasOrders, endlessly many: order o is the o-th
// permutation of a fixed stream of random numbers, the same for all models). They are not equal; log_prob and
// samples are those of order 0, and the mean of the probabilities under several is better, and an ensemble.
// A row costs D passes through all layers but the first, which changes by two rows of its weights from column
// to column.
//
// Completion draws the missing columns in an order drawn anew for each row, given the known ones, which come
// first: exact draws of p(missing | known, o) for the orders o that begin with the known columns, where
// fixed-order models need a chain.
//
// Differs from the paper: q above; Adam in place of stochastic gradient descent with momentum; no layer-wise
// pre-training.
//
// Known to fail: a single order is worse than a model trained for it; the estimates are noisy, and need many
// epochs at a small rate.
//
// Source: Uria, Murray, Larochelle 2014, "A deep and tractable density estimator", equations 6 to 10,
// section 4.
#pragma once

#include "deepgen/model/capabilities.h"
#include "deepgen/models/autoregressive/orderless_nade_options.h"
#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class OrderlessNade : public Model,
                      public HasGradients,
                      public HasLogProb,
                      public HasOrders,
                      public CanSample,
                      public CanComplete {
 public:
  OrderlessNade(OrderlessNadeOptions options, OrderlessNadeLearning learning, const DataShape& data);

  // Training.
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  // Scores and draws.
  Tensor log_prob(const Rows& rows) const override { return log_prob_under(rows, 0); }
  std::int64_t orders() const override { return 0; }
  Tensor log_prob_under(const Rows& rows, std::int64_t order) const override;  // [B] float64
  Tensor sample(std::int64_t count, Rng& rng) const override;                  // [count, D]
  Tensor complete(const Rows& rows, Rng& rng) const override;                  // [B, D]

  // Log odds of every column given those of x [B, D] where known [B, D] (0 or 1) is 1: one pass.
  Tensor logits_given(const Tensor& x, const Tensor& known, double dropout, Rng& rng) const;
  std::vector<std::int64_t> order(std::int64_t number) const;  // columns; below 0 a usage error

  struct Splits {
    Tensor known;   // [rows, D] of 0 and 1
    Tensor weight;  // [rows, 1]: what each missing column counts
  };
  Splits draw_splits(std::int64_t rows, Rng& rng) const;  // rows >= 1

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 private:
  struct Walk;
  Tensor walk(Walk& walk) const;
  void learn_column(Walk& walk, std::int64_t r, std::int64_t step, const Tensor& h, Tensor& a,
                    Tensor& logits) const;
  Tensor objective(const Tensor& x, double dropout, Rng& rng) const;
  std::int64_t columns_;
  OrderlessNadeOptions options_;
  OrderlessNadeLearning learning_;
  UnitLayer units_;
  std::shared_ptr<Mlp> net_;
  std::shared_ptr<DenseLayer> output_;
};

}  // namespace deepgen
