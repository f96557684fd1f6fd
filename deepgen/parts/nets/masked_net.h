// Networks whose outputs see only the inputs before them in an order (Germain et al. 2015).
//
//   h_0 = x
//   h_l = f(h_(l-1) (W_l * M_l) + b_l)
//   logits = h_L (W * M) + b [+ x (D * M_D)]
//
// Variables are bits or categories, one-hot groups of columns whose logits are those of a softmax. Every unit
// has a rank: the inputs of the variable at position p of the order have p + 1, its outputs p, a hidden unit any
// number from 1 to variables - 1. M is 1 where the rank of the lower unit is at most that of
// the upper one. So a unit of rank r sees the first r variables of the order and no other, and the Jacobian
// of the logits is strictly triangular in the order. Without hidden layers this is a logistic regression of
// each variable on those before it.
//
// In an ancestral pass a unit is computed once, as soon as the inputs that it sees are known: such a pass
// costs what one evaluation of all logits costs.
#pragma once

#include <string>
#include <vector>

#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/nets/variable_layout.h"

namespace deepgen {

// One choice of ranks.
struct Ranks {
  std::vector<Tensor> layers;       // inputs, hidden layers, outputs: [size] int32
  std::vector<std::int64_t> order;  // variables from first to last
};

// Inputs and outputs of an ancestral pass over bits and categories.
struct AncestralPass {
  Tensor x;        // [B, D] float32, dense: variables that are drawn are overwritten
  Tensor uniform;  // [B, variables]: a bit that is drawn becomes [u < sigmoid(logit)]
  Tensor held;     // [B, D] bool: what keeps its value, categories as a whole; undefined: nothing
};

// u in [0, 1) draws x [size] under these logits: a bit, or the one column of a category that is on.
void draw_variable(bool category, const float* logits, std::int64_t size, float u, float* x);

class MaskedNet : public torch::nn::Module {
 public:
  // `activation`: relu, tanh or sigmoid. `direct`: inputs also reach the outputs past the hidden layers.
  MaskedNet(VariableLayout layout, const std::vector<std::int64_t>& sizes, const std::string& activation,
            bool direct);
  // Weights anew; the outputs' biases at these logits [D].
  void initialise(const Tensor& output_bias, Rng& rng);

  // Ranks of the hidden units, for an order of the variables, drawn from rng, none below the lowest rank of the layer before it.
  Ranks draw_ranks(std::vector<std::int64_t> order, Rng& rng) const;

  Tensor logits(const Tensor& x, const Ranks& ranks, const Dropout& dropout = {}) const;  // [B, D]
  // Draws what is not held, in the order; the logits [B, D] under which it was drawn, without a graph.
  Tensor draw(const AncestralPass& pass, const Ranks& ranks) const;

  const DenseLayer& first_layer() const { return *layers_.front(); }

 private:
  struct Sorted;
  class Block;
  std::vector<Sorted> sorted_layers(const Ranks& ranks) const;
  void draw_rows(const AncestralPass& pass, const Ranks& ranks, const std::vector<Sorted>& layers,
                 float* logits, std::int64_t begin, std::int64_t end) const;

  VariableLayout layout_;
  std::int64_t columns_;
  Activation activation_;
  std::vector<std::shared_ptr<DenseLayer>> layers_;  // the last one gives the logits
  Tensor direct_;                                    // [D, D], or undefined
};

// [0, 1, .., n - 1]
std::vector<std::int64_t> natural_order(std::int64_t n);

// The logits of independent bits at the means of rows x [N, D], each mean taken with half a one and half a
// zero more, so that it is a number: [D].
Tensor base_rate_logits(const Tensor& x);

}  // namespace deepgen
