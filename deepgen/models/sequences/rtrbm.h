// RTRBM, the recurrent temporal restricted Boltzmann machine: sequences of rows of bits, each row by a machine whose
// biases come from the hidden means of the row before.
//
//   p(x_t, h | x_<t) = exp(x_t.b_t + h.c_t + x_t W h) / Z_t
//   b_t = b + u_(t-1) P
//   c_t = c + u_(t-1) Q
//   u_t = sigmoid(c_t + x_t W)
//   u_0 = 0
//
// So u_t is the mean of the hidden units given the rows up to t, and the recurrent weights are the machine's own: it
// is the RNN-RBM with A = W, B = Q and a = c. Gradients of W, Q and c come from the machine of each row and back
// through time alike. Learning, scores and draws are those of recurrent_rbm.h.
//
// Differs from the first source: b_t moves too, as in the second; the hidden biases of the first row are those of all
// others.
//
// Known to fail: what it says of the hidden units and what it remembers are one, so it remembers less than an RNN-RBM;
// and what is said there.
//
// Sources: Sutskever, Hinton, Taylor 2008, "The recurrent temporal restricted Boltzmann machine"; Boulanger-
// Lewandowski, Bengio, Vincent 2012, section 3.
#pragma once

#include "deepgen/models/sequences/recurrent_rbm.h"

namespace deepgen {

class Rtrbm : public RecurrentRbm {
 public:
  Rtrbm(RtrbmOptions options, RecurrentRbmLearning learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  RecurrentWeights recurrent() const override {
    return {weights, to_hidden, hidden_bias, Activation::sigmoid};
  }
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Plan plan() const override { return {options_.temperatures, options_.exact_units, learning_.gibbs_steps}; }

 private:
  RtrbmOptions options_;
  RecurrentRbmLearning learning_;
};

}  // namespace deepgen
