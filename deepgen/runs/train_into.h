// Training into the folder of a run: checkpoints, learning curve, pictures, report.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/runs/training_plan.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// Trains as planned on `data` (those of plan.data) and returns how it went; a run that is stopped by the
// observer or by `budget_seconds` (0: no limit) has written a checkpoint. `resume`: goes on from the
// checkpoint in the folder, to the same bits as a run that was never stopped; where there is none, training
// starts. The folder is changed only when the run is known to be able to start. Without `pictures` the run is
// quicker: none are drawn, neither on the way nor at its end, and baselines are not computed.
TrainingResult train_into(const RunFolder& folder, const TrainingPlan& plan, bool resume, const Dataset& data,
                          Observer& observer, double budget_seconds = 0, bool pictures = true);

}  // namespace deepgen
