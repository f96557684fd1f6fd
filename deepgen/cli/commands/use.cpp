// sample, score, evaluate, encode, reconstruct: what is done with a trained run.
#include <fmt/format.h>

#include <charconv>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/core/error.h"
#include "deepgen/evaluate/features.h"
#include "deepgen/evaluate/sample_tests.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {
namespace {

EvaluationPlan evaluation_plan(const Arguments& arguments) {
  EvaluationPlan plan;
  plan.schedule = arguments.ais, plan.chains = arguments.chains;
  plan.samples = arguments.samples, plan.orders = arguments.orders;
  return plan;
}

// "y=3" for a conditional model; -1 when nothing is given.
std::int64_t given_label(const Arguments& arguments, const OpenRun& run) {
  if (arguments.given.empty()) return -1;
  auto* conditional = as<IsConditional>(*run.model);
  if (!conditional || conditional->condition_classes() == 0)
    fail_usage("--given", conditional ? fmt::format("the condition of {} is {}: use `deepgen complete`",
                                                    run.checkpoint.model, conditional->condition())
                                      : fmt::format("the model {} is not conditional: it learnt no labels",
                                                    run.checkpoint.model));
  const std::int64_t classes = conditional->condition_classes();
  const std::string text = arguments.given.starts_with("y=") ? arguments.given.substr(2) : "";
  std::int64_t label = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), label);
  if (text.empty() || code != std::errc() || end != text.data() + text.size() || label < 0 ||
      label >= classes)
    fail_usage("--given", fmt::format("expected y=0 to y={}, got '{}'", classes - 1, arguments.given));
  return label;
}

constexpr std::int64_t check_chunk = 10000;  // rows that are checked at a time

// The model of a run refuses data that do not fit before long work begins.
void check_rows(const Model& model, const Split& split, const std::string& name) {
  for (std::int64_t first = 0; first < split.rows(); first += check_chunk)
    model.check_data(Dataset::rows(split, first, std::min(check_chunk, split.rows() - first), Rng(0)), name,
                     first);
}

// Numbers under different binarisations are not comparable.
void warn_of_binarisation(const OpenRun& run, const Dataset& data, Observer& observer) {
  const nlohmann::ordered_json& about = run.checkpoint.data;
  if (!about.contains("binarize") || !about["binarize"].is_string() || about["binarize"] == data.binarize)
    return;
  observer.message(
      fmt::format("warning: the run was trained with binarize={}, these data have binarize={}; numbers under "
                  "different binarisations are not comparable",
                  about["binarize"].get<std::string>(), data.binarize));
}

// The same set cut up in another way: rows of the split may be rows that the run learnt from.
void warn_of_split(const OpenRun& run, const std::string& text, Observer& observer) {
  const std::string theirs = run.checkpoint.data.value("spec", text);
  DataSpec a = parse_data_spec(theirs), b = parse_data_spec(text);
  if (a.name != b.name) return;
  for (const char* option : {"train", "valid", "test", "seed"})
    if (a.options[option] != b.options[option]) {
      observer.message(
          fmt::format("warning: the run was trained on {}, whose rows are cut up by another {}; rows of this "
                      "split may be among those that it learnt from",
                      theirs, option));
      return;
    }
}

// Keeps the evaluation in run.json, whose report shows the latest one of each data set and split.
void record_evaluation(const RunFolder& folder, const nlohmann::ordered_json& result) {
  nlohmann::ordered_json run = folder.read_run(), kept = nlohmann::ordered_json::array();
  const auto same = [&](const nlohmann::ordered_json& each, const char* key) {
    return each.contains(key) && each[key] == result[key];
  };
  if (run.contains("evaluations"))
    for (const auto& each : run["evaluations"])
      if (!same(each, "data") || !same(each, "split")) kept.push_back(each);
  kept.push_back(result);
  run["evaluations"] = kept;
  folder.write_run(run);
  folder.write_report();
}

}  // namespace

void sample_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  OpenRun run = open_run(arguments.subject);
  const std::int64_t label = given_label(arguments, run);
  const bool picture = arguments.out.ends_with(".png");
  const SamplingPlan plan{.count = arguments.count,
                          .steps = arguments.steps,
                          .rows = arguments.rows,
                          .between = arguments.between,
                          .means = picture,
                          .label = label};
  Rng rng(arguments.seed);
  const Tensor samples = sample_model(*run.model, plan, rng, observer);
  const Grid grid{.columns = arguments.columns > 0 ? arguments.columns
                             : arguments.rows > 1  ? arguments.count
                                                   : 0};
  write_cases(run, arguments.out, samples, grid);
  observer.message(
      fmt::format("{} samples in {}{}", samples.size(0), arguments.out,
                  picture && !samples_directly(*run.model) ? " (means of the last Gibbs step)" : ""));
}

void score_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const EvaluationPlan plan = evaluation_plan(arguments);
  OpenRun run = open_run(arguments.subject);
  const Dataset data = load_data_for(run, arguments.data);
  const Split& split = data.split(arguments.split);
  check_rows(*run.model, split, arguments.data);
  Rng rng(arguments.seed);
  if (is_bounded(*run.model)) {
    const Tensor bounds = bound_rows(*run.model, data, split, plan.samples, rng.fork({9}), observer);
    write_rows(arguments.out, bounds, {"log_prob_bound"}, {}, {});
    observer.message(fmt::format("{} lower bounds of log-probabilities (nats) in {}; {}", bounds.size(0),
                                 arguments.out, bound_method(*run.model, plan.samples)));
    return;
  }
  const Normaliser normaliser = split_normaliser(*run.model, split, plan, rng, observer);
  const Tensor scores =
      log_prob_rows(*run.model, data, split, normaliser, rng.fork({3}));  // as in evaluate_model
  write_rows(arguments.out, scores, {"log_prob"}, {}, {});
  observer.message(fmt::format("{} log-probabilities ({}, nats) in {}; {}", scores.size(0),
                               kind_name(normaliser.kind), arguments.out, normaliser.how));
  if (!normaliser.warning.empty()) observer.message("warning: " + normaliser.warning);
}

void evaluate_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const EvaluationPlan plan = evaluation_plan(arguments);
  OpenRun run = open_run(arguments.subject);
  const Dataset data = load_data_for(run, arguments.data);
  check_rows(*run.model, data.split(arguments.split), arguments.data);
  const bool recorded = run.folder.opened_as_folder() && run.folder.has("run.json");
  if (recorded) run.folder.read_run();  // a damaged one is an error before the work
  warn_of_binarisation(run, data, observer);
  warn_of_split(run, arguments.data, observer);
  Rng rng(arguments.seed);
  std::vector<Score> features;  // before the annealing: what they refuse should be said at once
  if (arguments.features)
    features =
        feature_scores(*run.model, data, arguments.split, {arguments.feature_rows}, rng.fork({7}), observer);
  const bool tests = arguments.sample_tests || (has_no_likelihood(*run.model) && can_draw(*run.model));
  if (tests) check_sample_tests(*run.model, data, arguments.split);
  std::vector<Score> scores = evaluate_model(*run.model, data, arguments.split, plan, rng, observer);
  scores.insert(scores.end(), features.begin(), features.end());
  if (tests)
    for (const Score& each : sample_scores(*run.model, data, arguments.split, {}, rng.fork({11}), observer))
      scores.push_back(each);
  const nlohmann::ordered_json result = evaluation_json(run.checkpoint.model, data, arguments.split, scores);
  if (arguments.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{} on {}\n", run.checkpoint.model, arguments.data);
    for (const Score& score : scores) fmt::print("  {}\n", score_line(score));
  }
  if (!recorded) return;
  try {
    record_evaluation(run.folder, result);
  } catch (const std::exception& error) {  // never spoils the printed result
    observer.message(fmt::format("the evaluation is not kept in the run: {}", error.what()));
  }
}

void encode_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  OpenRun run = open_run(arguments.subject);
  const Dataset data = load_data_for(run, arguments.data);
  refuse_gaps(data.split(arguments.split), arguments.data);
  check_rows(*run.model, data.split(arguments.split), arguments.data);
  const Tensor codes = encode_rows(*run.model, data.split(arguments.split), Rng(arguments.seed));
  write_rows(arguments.out, codes, {}, {codes.size(1)}, {});
  observer.message(fmt::format("{} codes of {} numbers in {}", codes.size(0), codes.size(1), arguments.out));
}

void reconstruct_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  OpenRun run = open_run(arguments.subject);
  const Dataset data = load_data_for(run, arguments.data);
  refuse_gaps(data.split(arguments.split), arguments.data);
  check_rows(*run.model, data.split(arguments.split), arguments.data);
  const Tensor rows = reconstruct_rows(*run.model, data.split(arguments.split), Rng(arguments.seed));
  write_cases(run, arguments.out, rows, {});
  observer.message(fmt::format("{} reconstructions in {}", rows.size(0), arguments.out));
}

}  // namespace deepgen
