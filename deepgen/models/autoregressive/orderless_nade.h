// The order-agnostic, deep NADE of bits and categories: one network for every order of the variables.
//
//   p(x | o) = prod_p p(x_o(p) | x_o(<p))
//   p(x_i | known) = sigmoid of its log odds, or softmax over the group of a category
//   all log odds = net(e(x * m), m) + U (x * m, m),   m marks the variables that are known; U where asked for
//
// A variable is a bit or a one-hot group (numbers of a table are categories too: number_bins.h); e stands for
// categories of many values by a few learnt numbers (category_embeddings.h). For each row of
// a batch, with D cells that are not missing, a number n of unknown ones, from 1 to D, and which ones are drawn
// at random, and
//
//   1 / (n q(n)) sum_(i unknown) log p(x_i | known)
//   q(n) = sqrt(n / D) - sqrt((n - 1) / D)
//
// is raised: an unbiased estimate of the mean over all orders of log p(x | o), for any q. With n drawn
// evenly, as in the paper (q = 1 / D), an unknown variable of a row that lacks a single one counts D times; with
// this q, which draws small n more often, sqrt(D) times, and gradients are less noisy. The n of a batch are
// spread: one from each of as many equally likely shares. Gradients come from automatic differentiation; a
// step is one pass, however many variables there are.
//
// Missing cells are never known and never asked for: the objective is that of the cells that are there, and so
// is the score, exactly, as any subset of the cells comes first in some order.
//
// Every order gives an exact distribution of its own (HasOrders, endlessly many: order o is the o-th
// permutation of a fixed stream of random numbers, the same for all models). They are not equal; log_prob is
// that of order 0, and the mean of the probabilities under several is better, and an ensemble. A sample is drawn
// in an order of its own: samples are those of the ensemble of all orders.
// A row costs D passes through all layers but the first, which changes by two rows of its weights from variable
// to variable.
//
// Where a table's column says what is missing (ColumnGroup::marks), these variables come first in every order,
// and samples lack the cells that are so marked, as the data do. In training half of the rows, drawn at random,
// know nothing of them: scores do without.
//
// Completion draws the missing variables in an order drawn anew for each row, given the known ones, which come
// first: exact draws of p(missing | known, o) for the orders o that begin with the known variables, where
// fixed-order models need a chain.
//
// Differs from the paper: q above; categories, embedded; hidden layers that are added to what they receive; Adam in place
// of stochastic gradient descent with momentum; no layer-wise pre-training.
//
// Known to fail: a single order is worse than a model trained for it; the estimates are noisy, and need many
// epochs at a small rate.
//
// Source: Uria, Murray, Larochelle 2014, "A deep and tractable density estimator", equations 6 to 10,
// section 4.
#pragma once

#include "deepgen/model/capabilities.h"
#include "deepgen/models/autoregressive/orderless_nade_options.h"
#include "deepgen/parts/nets/category_embeddings.h"
#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/nets/variable_layout.h"
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

  // Log odds of every column given x [B, D] where the variables known [B, V] (0 or 1) are 1: one pass.
  Tensor logits_given(const Tensor& x, const Tensor& known, double dropout, Rng& rng) const;
  std::vector<std::int64_t> order(std::int64_t number) const;  // variables; below 0 a usage error
  std::int64_t variables() const { return layout_.variables(); }

  struct Splits {
    Tensor known, asked;  // [rows, V] of 0 and 1; what is missing is neither
    Tensor weight;        // [rows, 1]: what each variable that is asked for counts
  };
  // rows >= 1; `there` [rows, V] of 0 and 1: which variables are not missing; undefined: all.
  Splits draw_splits(std::int64_t rows, Rng& rng, const Tensor& there = {}) const;

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 private:
  std::int64_t columns() const { return layout_.columns; }
  struct Walk;
  std::vector<double> walk(Walk& walk) const;
  void learn_variable(Walk& walk, std::int64_t r, std::int64_t step, const Tensor& h, Tensor& a,
                      std::vector<float>& logits, double& log_prob) const;
  Tensor entrance(const Tensor& input) const;
  Tensor log_odds(const Tensor& h, const Tensor& input) const;
  Tensor hidden_from(Tensor h, std::size_t first, double dropout, Rng* rng) const;
  Tensor there(const Tensor& x) const;
  Tensor objective(const Tensor& x, double dropout, Rng& rng) const;

  OrderlessNadeOptions options_;
  OrderlessNadeLearning learning_;
  UnitLayer units_;
  VariableLayout layout_;
  std::vector<bool> added_;  // of each hidden layer: whether it is added to what it receives
  std::shared_ptr<CategoryEmbeddings> embeddings_;
  std::shared_ptr<Mlp> net_;
  std::shared_ptr<DenseLayer> output_;
  Tensor direct_;  // [D + V, D], or undefined
};

}  // namespace deepgen
