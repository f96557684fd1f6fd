// What of a run falls to each stage: its options, its length, and where the parameters of its phases lie.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/training_options.h"
#include "deepgen/train/flat.h"

namespace deepgen {

struct StagePlan {
  std::string name;
  TrainingOptions options;    // the run's, with those of the stage (its epochs too) in their place
  std::vector<Phase> phases;  // one or more
  std::vector<std::vector<Slice>> slices;  // of each phase
  std::vector<Slice> trained;              // of any phase, in buffer order
  bool labelled = false;                   // visits rows with a known label alone
  std::int64_t batches = 1;                // steps an epoch
  std::int64_t pass = 1;                   // steps a pass over the rows; an epoch has one or more of them

  std::int64_t steps() const { return options.epochs * batches; }
  std::int64_t updates() const;  // in a step: phases times their repeats
  bool trains(const Slice& slice) const;
};

// The options of one stage: those of the run, with what the stage says of itself, and its share of the run's
// epochs. `shares`: the sum over the stages that say no number of epochs of their own. A name that is no
// option, or one of the whole run (updates, checkpoint_every, rollbacks), is a usage error naming the stage.
TrainingOptions stage_options(const TrainingOptions& run, const Stage& stage, double shares);

// How many cases an epoch visits.
struct EpochCases {
  std::int64_t all = 0;
  std::int64_t labelled = 0;  // of a stage that visits the labelled ones alone
};

// A last batch of less than `fewest` of them is left out (HasGradients::fewest_rows). A
// model without a stage, or a stage without a phase, is a bug.
std::vector<StagePlan> plan_stages(const std::vector<Stage>& stages, const FlatParameters& flat,
                                   const TrainingOptions& run, const EpochCases& cases,
                                   std::int64_t fewest = 1);

// How many steps like those of this stage the rest of the run amounts to: a step of another stage counts by
// its updates and its rows.
double steps_left(const std::vector<StagePlan>& plans, int stage, std::int64_t step);

// Steps of all stages, and of these those before `step` of a stage: stages that ended early count in full.
std::int64_t steps_in_all(const std::vector<StagePlan>& plans);
std::int64_t steps_before(const std::vector<StagePlan>& plans, int stage, std::int64_t step);

}  // namespace deepgen
