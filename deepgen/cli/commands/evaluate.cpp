// score, evaluate: what a run's model says of rows, and what can be said of the model.
#include "deepgen/runs/evaluate_run.h"

#include <fmt/format.h>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/html.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/train/check_split.h"

namespace deepgen {
namespace {

EvaluationPlan evaluation_plan(const Arguments& arguments) {
  EvaluationPlan plan;
  plan.schedule = arguments.ais, plan.chains = arguments.chains;
  plan.samples = arguments.samples, plan.orders = arguments.orders;
  return plan;
}

RunEvaluation asked_evaluation(const Arguments& arguments) {
  return {.plan = evaluation_plan(arguments),
          .split = arguments.split,
          .seed = arguments.seed,
          .features = arguments.features,
          .feature_plan = {arguments.feature_rows},
          .sample_tests = arguments.sample_tests};
}

void print_scores(const OpenRun& run, const Arguments& arguments, const std::vector<Score>& scores) {
  fmt::print("{} on {}\n", run.checkpoint.model, arguments.data);
  for (const Score& score : scores) fmt::print("  {}\n", score_line(score));
  fmt::print("  peak memory {}\n", bytes_text(peak_memory_bytes()));
}

}  // namespace

void score_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  const Dataset data = load_and_tell(run, arguments, observer);
  const Split part = asked_part(data, arguments);
  check_split(*run.model, part, part.name);  // before the annealing
  const RowScores scores =
      row_scores(*run.model, data, part, evaluation_plan(arguments), Rng(arguments.seed), observer);
  write_rows(arguments.out, scores.values, {scores.column});
  observer.message(fmt::format("{}: {}; {}", arguments.out, rows_in_words(scores), scores.how));
  if (!scores.warning.empty()) observer.message("warning: " + scores.warning);
}

void evaluate_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  const Dataset data = load_and_tell(run, arguments, observer);
  const bool recorded = run.folder.opened_as_folder() && run.folder.has("run.json");
  if (recorded) run.folder.read_run();  // a damaged one is an error before the work
  for (const std::string& caution : cautions(run, data)) observer.message("warning: " + caution);
  const std::vector<Score> scores = evaluate_run(run, data, asked_evaluation(arguments), observer);
  const nlohmann::ordered_json result = evaluation_json(run.checkpoint.model, data, arguments.split, scores);
  if (arguments.json)
    fmt::print("{}\n", result.dump(2));
  else
    print_scores(run, arguments, scores);
  if (!recorded) return;
  try {
    record_evaluation(run.folder, result);
  } catch (const std::exception& error) {  // never spoils the printed result
    observer.message(fmt::format("the evaluation is not kept in the run: {}", error.what()));
  }
}

}  // namespace deepgen
