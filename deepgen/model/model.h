// What every model has, whatever it can do (capabilities.h).
//
// Training fills `.grad` of the parameters whose turn it is (HasGradients) or fits in passes (CanFit), from
// (parameters, buffers, rows, turn, rng) and nothing else, so that a run can be stopped, resumed and repeated
// bit for bit. State that is no parameter (persistent chains, running means) is a buffer, so checkpoints have
// it for nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/options.h"
#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/data/rows.h"

namespace deepgen {

// Parameters that are updated together; `repeats` updates are made before the next phase's turn, with `rate`
// times the learning rate.
struct Phase {
  std::string name;
  std::vector<Tensor> parameters;
  int repeats = 1;
  double rate = 1;
};

// A part of training with its own phases (layers of a stack, for one). Stages follow each other; `share` of
// training.epochs falls to each, unless `training` says how many.
struct Stage {
  std::string name;
  double share = 1;
  std::vector<Phase> phases;
  // Training options of this stage alone, by name, in place of the run's: epochs, batch, optimiser, rate,
  // momentum, decay, schedule, rate_final, average, patience, clip: {{"rate", "0.01"}, {"batch", "20"}}.
  std::map<std::string, std::string> training = {};
  bool labelled = false;  // an epoch visits the rows with a known label alone
};

// Whose turn it is, and how far training has come: update `step` of `steps` in this stage.
struct Turn {
  int stage = 0, phase = 0, repeat = 0;
  std::int64_t step = 0, steps = 1;
};

class Model : public torch::nn::Module {
 public:
  // One stage with one phase that owns every parameter, unless the model says otherwise.
  virtual std::vector<Stage> stages();

  // Called once before the first step with a large sample of the training data.
  virtual void initialise(const Rows& sample, Rng& rng);

  // Called when a stage begins, the first one too (after initialise), with turn.stage and the same sample:
  // weights that are copied or tied, marginals of a lower layer, the base of annealing. What it changes lies
  // in parameters and buffers; a resumed run does not call it again for a stage that has begun.
  virtual void begin_stage(const Turn& turn, const Rows& sample, Rng& rng);

  // Called after every update with the turn that was made: constraints, gauge, moving averages.
  virtual void project(const Turn& turn);

  // Weight decay is for weights, not biases: true for parameters with two dimensions or more.
  virtual bool decays(const std::string& parameter_name, const Tensor& parameter) const;

  // Numbers of the learning curve beyond the objective: dead units, gaps, proxies (marked so by their name).
  virtual Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng);

  // Why training has diverged although every number is finite, from the last line of the learning curve; ""
  // when it has not. The trainer then goes back to the last good state and halves the rate.
  virtual std::string diverged(const Metrics& diagnosis) const;

  // Rows of weights that are pictures of the input, [n, D], or undefined.
  virtual Tensor filters() const;

  // Throws a data error that names row (counted from first_row) and column of the first value the model
  // cannot take.
  virtual void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const;
  // Throws a usage error when the gradients of this stage (turn.stage) do not go with this optimiser.
  virtual void check_optimiser(const std::string& name, int stage) const;

  virtual Options& options() = 0;   // settable as model.<name>
  virtual Options& learning() = 0;  // settable as training.<name>, beside the trainer's own
};

}  // namespace deepgen
