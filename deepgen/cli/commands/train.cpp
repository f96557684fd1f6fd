#include "deepgen/runs/train_into.h"

#include <fmt/format.h>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/runs/auto_train.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/table_training.h"

namespace deepgen {
namespace {

void train_auto(const Arguments& arguments) {
  if (arguments.data.empty()) fail_usage("train auto", "expected --data FILE, a table");
  if (arguments.resume || !arguments.settings.empty() || !arguments.starts.empty())
    fail_usage("train auto",
               "expected no --set, --start or --resume: it chooses for itself; train a model by its name for "
               "these");
  constexpr double usual_budget = 300;
  const double budget = arguments.budget_seconds > 0 ? arguments.budget_seconds : usual_budget;
  ConsoleObserver observer(arguments.quiet);
  const AutoResult result = train_best_of({.data = arguments.data,
                                           .out = arguments.out,
                                           .seed = arguments.seed,
                                           .budget_seconds = budget,
                                           .choose = arguments.choose,
                                           .overwrite = arguments.overwrite},
                                          observer);
  for (const std::string& line : auto_table(result)) observer.message(line);
  if (result.interrupted)
    throw Error(ErrorKind::interrupted, "train auto", "interrupted; the best so far is kept");
  if (!result.refitted)
    observer.message(
        fmt::format("next: deepgen evaluate {} --data {} --split valid", arguments.out, result.data));
}

}  // namespace

void train_command(const Arguments& arguments) {
  if (arguments.subject == "auto") return train_auto(arguments);
  if (!arguments.choose.empty()) fail_usage("--choose", "expected the model auto, which tries several");
  TrainingPlan plan = plan_training(arguments);
  ConsoleObserver observer(arguments.quiet);
  const RunFolder folder = RunFolder::create(arguments.out, arguments.resume, arguments.overwrite);
  const Dataset data =
      arguments.resume ? load_for_resume(plan, folder, observer) : load_for_training(plan, observer);
  tell_notes(data, observer);
  observer.message(fmt::format("{} on {}: {} rows of {} columns ({} values), {} validation rows",
                               plan.settings.model, plan.data, data.train.rows(), data.columns(),
                               name_of(data.values), data.valid.rows()));
  const TrainingResult result =
      train_into(folder, plan, arguments.resume, data, observer, arguments.budget_seconds);
  if (result.interrupted && !observer.stop_requested()) {
    observer.message(fmt::format("the time is over at step {}; --resume goes on from there", result.steps));
  } else if (result.interrupted) {
    observer.message(
        fmt::format("stopped at step {}; go on with the same command and --resume", result.steps));
    throw Error(ErrorKind::interrupted, "train", "interrupted; a checkpoint was written");
  }
  observer.message(fmt::format("trained in {}, peak memory {}; pictures, curves and options: {}",
                               duration_text(result.seconds), bytes_text(peak_memory_bytes()),
                               folder.path("report.html")));
}

}  // namespace deepgen
