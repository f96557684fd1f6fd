// Everything that can be said of a run on data, and how it is written down.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/features.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/runs/open_run.h"

namespace deepgen {

struct RunEvaluation {
  EvaluationPlan plan = {};
  std::string split = "test";
  std::uint64_t seed = 1;
  bool features = false;  // also what the code is worth
  FeaturePlan feature_plan = {};
  bool sample_tests = false;  // also what samples alone can say; of a model without a likelihood in any case
};

// The scores of a run's model on a part of `data` (as load_data_for gives them): its likelihood and what
// stands beside it, how it classifies where it can and labels are known, and what is asked for. Equal seeds
// give equal scores. Interruptible. What the model or a test refuses is said before long work begins.
std::vector<Score> evaluate_run(const OpenRun& run, const Dataset& data, const RunEvaluation& what,
                                Observer& observer);

// How scores name a split: a file with one matrix has all its rows in each.
std::string split_label(const Dataset& data, const std::string& split);

// The object of `evaluate --json`.
nlohmann::ordered_json evaluation_json(const std::string& model, const Dataset& data,
                                       const std::string& split, const std::vector<Score>& scores);

// Keeps it in run.json, whose report shows the latest evaluation of each data set and split.
void record_evaluation(const RunFolder& folder, const nlohmann::ordered_json& evaluation);

}  // namespace deepgen
