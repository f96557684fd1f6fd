// Whole cases drawn: directly, given labels, or by chains.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/tasks/blocks.h"

namespace deepgen {

struct SamplingPlan {
  std::int64_t count = 100;
  std::int64_t steps = 1000;    // before the first sample (chains)
  std::int64_t rows = 1;        // samples taken of each chain
  std::int64_t between = 1000;  // steps between them
  bool means = false;           // the last transition's means: smoother pictures
  std::int64_t label = -1;      // of a conditional model: all of this class; -1: the classes in turn
};

// The number of classes given which the model draws cases, or 0.
std::int64_t sampled_classes(const Model& model);
// Whether samples are drawn directly (CanSample, CanSampleGiven) and not by chains, which need steps.
bool samples_directly(const Model& model);
// Whether whole cases can be drawn, directly, by class or by a chain.
bool can_sample(const Model& model);

// [rows * count, D]: `count` independent chains, and below them the same chains later. Where the model
// samples directly all rows are independent, steps and means have no part; of a model that draws only given
// labels row i is of class i modulo their number. A usage error where the model cannot be sampled.
Tensor sample_model(const Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer);

// The same rows in the same order, some thousands at a time, so that memory does not grow with their number;
// but of more than chain_block chains the samples after the first are held until the end.
void sample_model(const Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer,
                  const RowSink& sink);

// One draw for each label y [N] int64: [N, D]. For models with sampled_classes; a label that is not among
// them is a data error.
Tensor sample_given_labels(const Model& model, const Tensor& y, Rng& rng, Observer& observer);

}  // namespace deepgen
