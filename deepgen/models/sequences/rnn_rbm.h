// RNN-RBM: sequences of rows of bits, each row by a restricted Boltzmann machine whose biases come from a recurrent net
// that has read the rows before.
//
//   p(x_t, h | x_<t) = exp(x_t.b_t + h.c_t + x_t W h) / Z_t
//   b_t = b + u_(t-1) P
//   c_t = c + u_(t-1) Q
//   u_t = tanh(a + x_t A + u_(t-1) B)
//   u_0 = 0
//
// Learning, scores and draws are those of recurrent_rbm.h.
//
// Differs from the paper: Adam in place of stochastic gradient descent; u_0 is zero and not learnt; the recurrent net
// is not trained beforehand; rows of large machines are scored by a lower bound, beside which stands the paper's
// estimate by annealed importance sampling (log_prob_annealed), which errs to the high side.
//
// Known to fail: contrastive divergence has the faults that rbm.h says; with few temperatures the bound is loose.
//
// Source: Boulanger-Lewandowski, Bengio, Vincent 2012, "Modeling temporal dependencies in high-dimensional sequences",
// section 4.
#pragma once

#include "deepgen/models/sequences/recurrent_rbm.h"

namespace deepgen {

class RnnRbm : public RecurrentRbm {
 public:
  RnnRbm(RnnRbmOptions options, RecurrentRbmLearning learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  RecurrentWeights recurrent() const override { return recurrent_; }
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Plan plan() const override { return {options_.temperatures, options_.exact_units, learning_.gibbs_steps}; }

 private:
  RnnRbmOptions options_;
  RecurrentRbmLearning learning_;
  RecurrentWeights recurrent_;
};

}  // namespace deepgen
