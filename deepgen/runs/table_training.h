// Training that fits a table: how long it is, and which rows it is judged by, where nothing is said of it
// (docs/training.md, tables).
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/runs/training_plan.h"

namespace deepgen {

// Below so many cases none is spared for validation.
inline constexpr std::int64_t fewest_cases_to_split = 20;

// The data of the plan, which is completed for them: of a table a tenth of the rows is held out (plan.data
// says so then), and epochs, passes and patience are set. What the plan states is kept as it is. The observer
// is told what was decided.
Dataset load_for_training(TrainingPlan& plan, Observer& observer);

// The same for a run that goes on: what was decided when it began is taken from its checkpoint. Where there
// is none, it begins.
Dataset load_for_resume(TrainingPlan& plan, const RunFolder& folder, Observer& observer);

// Epochs, passes and patience alone, for data that are loaded. True when the plan was changed.
bool plan_length(TrainingPlan& plan, const Dataset& data);

// How many epochs without a better score are too many: a fifth of all (half where the rate falls to the end),
// and 10 at least.
std::int64_t usual_patience(const TrainingOptions& training);

}  // namespace deepgen
