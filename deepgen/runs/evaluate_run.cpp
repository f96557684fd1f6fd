#include "deepgen/runs/evaluate_run.h"

#include <nlohmann/json.hpp>

#include "deepgen/evaluate/classification.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/evaluate/sample_tests.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/table_baselines.h"
#include "deepgen/train/check_split.h"

namespace deepgen {
namespace {

void append(std::vector<Score>& scores, const std::vector<Score>& more) {
  scores.insert(scores.end(), more.begin(), more.end());
}

}  // namespace

std::vector<Score> evaluate_run(const OpenRun& run, const Dataset& data, const RunEvaluation& what,
                                Observer& observer) {
  const Model& model = *run.model;
  const Split& split = data.split(what.split);
  check_split(model, split, data.spec);
  const bool tests = what.sample_tests || (has_no_likelihood(model) && can_draw(model));
  if (tests) check_sample_tests(model, data, what.split);
  const Rng rng(what.seed);
  std::vector<Score> features;  // before the annealing: what they refuse should be said at once
  if (what.features)
    features = feature_scores(model, data, what.split, what.feature_plan, rng.fork({7}), observer);
  std::vector<Score> scores = evaluate_model(model, data, what.split, what.plan, rng, observer);
  if (!scores.empty() && !needs_condition(model))
    append(scores, run_baselines(run.checkpoint.data.value("spec", data.spec), data, what.split,
                                 rng.fork({14}), observer));
  append(scores, classification_scores(model, data, split, rng.fork({13}), observer));
  append(scores, features);
  if (tests) append(scores, sample_scores(model, data, what.split, {}, rng.fork({11}), observer));
  return scores;
}

std::string split_label(const Dataset& data, const std::string& split) {
  return data.one_matrix ? "all" : split;
}

nlohmann::ordered_json evaluation_json(const std::string& model, const Dataset& data,
                                       const std::string& split, const std::vector<Score>& scores) {
  nlohmann::ordered_json json = {{"model", model},
                                 {"data", data.spec},
                                 {"binarize", data.binarize},
                                 {"split", split_label(data, split)},
                                 {"peak_memory_bytes", peak_memory_bytes()},
                                 {"scores", nlohmann::ordered_json::array()}};
  for (const Score& score : scores) json["scores"].push_back(score.to_json());
  return json;
}

void record_evaluation(const RunFolder& folder, const nlohmann::ordered_json& evaluation) {
  nlohmann::ordered_json run = folder.read_run(), kept = nlohmann::ordered_json::array();
  const auto same = [&](const nlohmann::ordered_json& each, const char* key) {
    return each.contains(key) && each[key] == evaluation[key];
  };
  if (run.contains("evaluations"))
    for (const auto& each : run["evaluations"])
      if (!same(each, "data") || !same(each, "split")) kept.push_back(each);
  kept.push_back(evaluation);
  run["evaluations"] = kept;
  folder.write_run(run);
  folder.write_report();
}

}  // namespace deepgen
