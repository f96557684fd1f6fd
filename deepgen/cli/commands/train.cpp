#include "deepgen/runs/train_into.h"

#include <fmt/format.h>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/runs/run_record.h"

namespace deepgen {

void train_command(const Arguments& arguments) {
  const TrainingPlan plan = plan_training(arguments);
  ConsoleObserver observer(arguments.quiet);
  const RunFolder folder = RunFolder::create(arguments.out, arguments.resume, arguments.overwrite);
  const Dataset data = load_dataset(plan.data);
  tell_notes(data, observer);
  observer.message(fmt::format("{} on {}: {} rows of {} columns ({} values), {} validation rows",
                               plan.settings.model, plan.data, data.train.rows(), data.columns(),
                               name_of(data.values), data.valid.rows()));
  const TrainingResult result = train_into(folder, plan, arguments.resume, data, observer);
  if (result.interrupted) {
    observer.message(
        fmt::format("stopped at step {}; go on with the same command and --resume", result.steps));
    throw Error(ErrorKind::interrupted, "train", "interrupted; a checkpoint was written");
  }
  observer.message(fmt::format("trained in {}, peak memory {}; pictures, curves and options: {}",
                               duration_text(result.seconds), bytes_text(peak_memory_bytes()),
                               folder.path("report.html")));
}

}  // namespace deepgen
