// RNN-NADE: sequences of rows of bits, each row by a neural autoregressive estimator whose biases come from a
// recurrent net that has read the rows before.
//
//   log p(x_1, x_2, ...) = sum_t sum_i log p(x_ti | x_t,<i, x_<t)
//   log odds of x_ti = b_ti + v_i . sigmoid(c_t + sum_(j<i) x_tj w_j)
//   b_t = b + u_(t-1) P
//   c_t = c + u_(t-1) Q
//   u_t = tanh(a + x_t A + u_(t-1) B)
//   u_0 = 0
//
// Objective: the mean of log p(x_t | x_<t) over the rows, exact. Gradients by hand: the pass of nade.h gives them for
// the row's weights and its biases, recurrent_model.h takes the latter back through time, whole sequences long.
//
// A score is that of a row given those before it in its sequence. Of rows that are no sequences it is that of a first
// row: every row is then a sequence of its own, and the recurrent net learns nothing.
//
// Differs from the paper: Adam in place of stochastic gradient descent; u_0 is zero and not learnt; the recurrent net
// is not trained beforehand to predict the next row, nor by Hessian-free optimisation.
//
// Known to fail: small sets are learnt by heart within some ten passes without patience or decay; what lies some ten
// rows back is forgotten; long sequences have gradients that grow, so training.clip should stay.
//
// Source: Boulanger-Lewandowski, Bengio, Vincent 2012, "Modeling temporal dependencies in high-dimensional sequences",
// sections 4 and 5.
#pragma once

#include "deepgen/models/sequences/recurrent_model.h"
#include "deepgen/models/sequences/rnn_nade_options.h"
#include "deepgen/ops/nade.h"

namespace deepgen {

class RnnNade : public RecurrentModel, public HasLogProb {
 public:
  RnnNade(RnnNadeOptions options, NoOptions learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override { return w.detach().t(); }  // [H, D]
  RecurrentWeights recurrent() const override { return recurrent_; }

  Tensor log_prob(const Rows& rows) const override;  // of each row given those before it, [B] float64
  Tensor logits(const Rows& rows) const;             // of each cell given all that comes before it, [B, D]

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  Tensor w, v;  // [D, H]

 protected:
  Metrics row_gradients(const Tensor& x, const RowBiases& biases, RowBiases& slopes, const Turn& turn,
                        Rng& rng) override;
  Tensor draw_rows(const RowBiases& biases, Rng& rng) const override;

 private:
  NadeWeights with(const RowBiases& biases) const { return {w, biases.hidden, v, biases.visible}; }

  RnnNadeOptions options_;
  NoOptions learning_;
  RecurrentWeights recurrent_;
  NadeBuffers buffers_;
};

}  // namespace deepgen
