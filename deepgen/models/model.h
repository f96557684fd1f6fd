// What a model owes the trainer: gradients.
//
// A model fills `.grad` of the parameters whose turn it is, by autograd or by hand, from (parameters,
// buffers, batch, turn, rng) and nothing else, so that a run can be stopped, resumed and repeated bit for
// bit. State that is no parameter (persistent chains, running means) is a buffer, so checkpoints have it for
// nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/options.h"
#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// Cases and, where there are any, their labels.
struct Batch {
  Tensor x;             // [B, D] float32
  Tensor y;             // [B] int64, or undefined
  Tensor weights = {};  // [B], 0 or more, or undefined: every row counts once. For CanFit::gather alone: the
                        // batches of gradients are drawn by weight
};

// Parameters that are updated together; `repeats` updates are made before the next phase's turn, with `rate`
// times the learning rate.
struct Phase {
  std::string name;
  std::vector<Tensor> parameters;
  int repeats = 1;
  double rate = 1;
};

// A part of training with its own phases (layers of a stack, for one); `share` of the epochs falls to it.
struct Stage {
  std::string name;
  double share = 1;
  std::vector<Phase> phases;
};

// Whose turn it is, and how far training has come: update `step` of `steps` in this stage.
struct Turn {
  int stage = 0, phase = 0, repeat = 0;
  std::int64_t step = 0, steps = 1;
};

class Model : public torch::nn::Module {
 public:
  // Fills the gradient of the batch mean of the objective, to be descended; returns numbers worth showing.
  virtual Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) = 0;

  // One stage with one phase that owns every parameter, unless the model says otherwise.
  virtual std::vector<Stage> stages();

  // Called once before the first step with a large sample of the training data.
  virtual void initialise(const Batch& sample, Rng& rng);

  // Called after every update: constraints, gauge, moving averages.
  virtual void project() {}

  // Weight decay is for weights, not biases: true for parameters with two dimensions or more.
  virtual bool decays(const std::string& parameter_name, const Tensor& parameter) const;

  // Numbers of the learning curve beyond the objective: dead units, gaps, proxies (marked so by their name).
  virtual Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng);

  // Why training is lost although every number is finite, from the last line of the learning curve; "" when
  // it is not. The trainer then goes back to the last good state and halves the rate.
  virtual std::string lost(const Metrics& diagnosis);

  // Rows of weights that are pictures of the input, [n, D], or undefined.
  virtual Tensor filters() { return {}; }

  // Throws a data error that names row (counted from first_row) and column of the first value the model
  // cannot take.
  virtual void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const;
  // Throws a usage error when the model's gradients do not go with this optimiser.
  virtual void check_optimiser(const std::string& name) const;

  virtual Options& options() = 0;   // settable as model.<name>
  virtual Options& learning() = 0;  // settable as training.<name>, beside the trainer's own
};

}  // namespace deepgen
