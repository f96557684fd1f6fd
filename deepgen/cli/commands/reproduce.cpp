// reproduce: a recipe's published number beside ours, recorded with all that is needed to judge it.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/cli/recipe.h"
#include "deepgen/cli/results.h"
#include "deepgen/core/error.h"
#include "deepgen/core/version.h"
#include "deepgen/evaluate/classification.h"
#include "deepgen/evaluate/features.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/evaluate/sample_tests.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/runs/evaluate_run.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/train_into.h"
#include "deepgen/runs/write_cases.h"

namespace deepgen {
namespace {

const Score& find_score(const std::vector<Score>& scores, const std::string& metric,
                        const std::string& split) {
  std::string others;
  for (const Score& score : scores) {
    if (score.split != split) continue;
    if (score.metric == metric) return score;
    others += (others.empty() ? "" : ", ") + score.metric;
  }
  fail_usage("reproduce", fmt::format("the model gives no score named {} ([evaluate] metric); it gives {}",
                                      metric, others));
}

bool starts_with_any(const std::string& metric, std::initializer_list<const char*> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](const char* start) { return metric.starts_with(start); });
}

bool is_of_features(const std::string& metric) {
  return starts_with_any(metric, {"linear_error_", "nearest_neighbour_error_"});
}

bool is_of_classes(const std::string& metric) {
  return starts_with_any(metric, {"classification_", "calibration_error"});
}

bool is_of_samples(const std::string& metric) {
  return starts_with_any(metric,
                         {"parzen_", "two_sample_", "mmd2", "nearest_training_", "label_recognition"});
}

// What a score has to be compared with.
bool stands_beside(const std::string& metric) {
  return metric == "baseline_log_prob" || metric == "log_prob" || metric == "log_prob_per_row" ||
         metric.find("elbo") != std::string::npos || metric.starts_with("conditional_") ||
         is_of_samples(metric) || is_of_features(metric) || is_of_classes(metric);
}

// Only what the recipe's metric asks for: the others may take long.
std::vector<Score> scores_of(const Recipe& recipe, const Model& model, const Dataset& data, const Rng& rng,
                             Observer& observer) {
  const std::string& metric = recipe.metric;
  if (is_of_features(metric)) return feature_scores(model, data, recipe.split, {}, rng.fork({7}), observer);
  if (is_of_samples(metric)) return sample_scores(model, data, recipe.split, {}, rng.fork({11}), observer);
  if (is_of_classes(metric))
    return classification_scores(model, data, data.split(recipe.split), rng.fork({13}), observer);
  EvaluationPlan plan;
  plan.schedule = recipe.ais, plan.chains = recipe.chains;
  plan.samples = recipe.samples, plan.orders = recipe.orders;
  return evaluate_model(model, data, recipe.split, plan, rng, observer);
}

nlohmann::ordered_json record(const Recipe& recipe, const Dataset& data, const std::vector<Score>& scores,
                              const TrainingResult& training, std::uint64_t seed) {
  const std::string split = split_label(data, recipe.split);
  const Score& score = find_score(scores, recipe.metric, split);
  nlohmann::ordered_json r = {{"recipe", recipe.name},
                              {"title", recipe.title},
                              {"model", recipe.model},
                              {"data", recipe.data},
                              {"binarize", data.binarize}};
  r.update(score.to_json());
  for (const Score& each : scores)
    if (each.metric == recipe.metric && each.split == "train" && recipe.split != "train")
      r["train_value"] = each.value;
  for (const Score& each : scores)
    if (each.split == score.split && each.metric != score.metric && stands_beside(each.metric))
      r["beside"][each.metric] = each.value;
  if (recipe.published) r["published"] = *recipe.published;
  if (recipe.aim) r["aim"] = *recipe.aim;
  if (recipe.bracket) r["bracket"] = *recipe.bracket;
  r["source"] = recipe.source;
  r["note"] = recipe.note;
  r["seed"] = seed;
  r["training_seconds"] = training.seconds;
  r["epochs_done"] = training.epochs;
  r["finished"] = !training.interrupted;
  r["threads"] = at::get_num_threads();
  r["peak_memory_bytes"] = peak_memory_bytes();
  r["commit"] = program_commit();
  r["kernels"] = kernels().name;
  return r;
}

void print_result(const nlohmann::ordered_json& r) {
  fmt::print("{}\n  {} ({}) on {} {}: {:.2f}", r.at("title").get<std::string>(),
             r.at("metric").get<std::string>(), r.at("kind").get<std::string>(),
             r.at("data").get<std::string>(), r.at("split").get<std::string>(), r.at("value").get<double>());
  if (r.contains("standard_error")) fmt::print(" +- {:.2f}", r["standard_error"].get<double>());
  if (r.contains("lower")) fmt::print("  at least {:.2f}", r["lower"].get<double>());
  if (r.contains("upper")) fmt::print("  at most {:.2f}", r["upper"].get<double>());
  if (r.contains("published"))
    fmt::print("\n  published {:.2f} ({})", r["published"].get<double>(), r.at("source").get<std::string>());
  fmt::print("\n  {}\n", verdict(r));
}

// The record of a recipe, and the page made of all of them.
void write_result(const std::string& folder, const std::string& name, const nlohmann::ordered_json& result) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_data(folder, "cannot make the folder of results: " + error.message());
  write_text(folder + "/" + name + ".json", result.dump(2) + "\n");
  write_text(folder + ".md", results_markdown(read_results(folder)));
}

}  // namespace

void reproduce_command(const Arguments& arguments) {
  const std::string results = arguments.results.empty() ? "docs/results" : arguments.results;
  if (arguments.markdown) {
    fmt::print("{}", results_markdown(read_results(results)));
    return;
  }
  const auto [recipe, plan] = plan_reproduction(arguments);
  const std::string out = arguments.out.empty() ? "runs/" + recipe.name : arguments.out;
  const RunFolder folder = RunFolder::create(out, arguments.resume, arguments.overwrite);
  ConsoleObserver observer(arguments.quiet);
  const Dataset data = load_dataset(recipe.data);
  data.split(recipe.split);  // a part that is missing is an error before the training
  tell_notes(data, observer);
  observer.message(fmt::format("{}: {} rows of {} columns; run in {}", recipe.name, data.train.rows(),
                               data.columns(), out));
  const TrainingResult training =
      train_into(folder, plan, arguments.resume, data, observer, arguments.budget_seconds);
  if (training.interrupted && observer.stop_requested())
    throw Error(ErrorKind::interrupted, "reproduce",
                "interrupted; a checkpoint was written; go on with --resume");
  const OpenRun run = open_run(out);
  const std::vector<Score> scores = scores_of(recipe, *run.model, data, Rng(plan.seed), observer);
  const nlohmann::ordered_json result = record(recipe, data, scores, training, plan.seed);
  write_result(results, recipe.name, result);
  record_evaluation(folder, evaluation_json(recipe.model, data, recipe.split, scores));
  if (arguments.json)
    fmt::print("{}\n", result.dump(2));
  else
    print_result(result);
}

}  // namespace deepgen
