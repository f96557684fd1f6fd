#include "deepgen/runs/train_into.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/validation.h"
#include "deepgen/runs/open_run.h"
#include "deepgen/runs/run_pictures.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/table_baselines.h"

namespace deepgen {
namespace {

void check_patience(const Trainer& trainer, const Model& model, const Dataset& data) {
  if (!trainer.has_patience()) return;
  if (data.valid.rows() == 0)
    fail_usage("training.patience",
               "expected validation rows; hold some out with the data's option valid=0.1");
  if (!has_validation_score(model))
    fail_usage("training.patience",
               "expected 0: this model has no score of the validation rows that training could stop by");
}

// Fills in what the plan starts from.
void start(Trainer& trainer, const TrainingPlan& plan, Observer& observer) {
  for (const StartingPoint& from : plan.start) {
    const std::string path = RunFolder::open(from.run).checkpoint_path();
    const StartReport report = trainer.start_from(load_checkpoint(path), path, from.part);
    observer.message(fmt::format("{} of {} tensors{} are those of {} ({})", report.names.size(),
                                 report.names.size() + report.left.size(),
                                 from.part.empty() ? "" : " of " + from.part, path, report.model));
  }
}

// Goes on from the checkpoint in the folder; nothing where there is none. The folder is not changed.
std::optional<Checkpoint> resume_from(const RunFolder& folder, Trainer& trainer, Observer& observer) {
  const std::string path = folder.resume_path();
  if (path.empty()) {
    observer.message(fmt::format("nothing to resume in {}; starting", folder.name()));
    return std::nullopt;
  }
  Checkpoint checkpoint = load_checkpoint(path);
  trainer.resume(checkpoint, path);
  observer.message(fmt::format("going on from step {}", checkpoint.step));
  return checkpoint;
}

// The first version's scores were in the units of the model, and where log Z was annealed of another kind:
// its best state is scored anew, so that later epochs are compared with their like.
void rescore_best(Trainer& trainer, const RunFolder& folder, const Checkpoint& from, const Dataset& data,
                  std::uint64_t seed) {
  if (from.state.contains("stage_begun") || !from.state.contains("best") || !trainer.has_patience()) return;
  const std::string path = folder.checkpoint_path();
  const auto score = judge_model(*load_model(load_checkpoint(path), path), data, seed);
  if (score) trainer.restate_best(score->value);
}

void connect(Trainer& trainer, const RunFolder& folder, const TrainingPlan& plan, const Dataset& data,
             bool pictures) {
  const bool patient = trainer.has_patience();  // else the latest state is the one to use
  if (patient) trainer.validate = validation_score(data, plan.seed);
  if (pictures)
    trainer.after_epoch = [&](Model& now, std::int64_t epoch) {
      if (!is_milestone(epoch, trainer.stage_epochs())) return;
      const std::string stage = trainer.stage_names().size() > 1 ? trainer.stage_name() + "-" : "";
      draw_samples_and_filters(folder, now, data, fmt::format("samples-{}{:04}", stage, epoch), plan.seed);
    };
  trainer.save = [&, patient](const Checkpoint& now, bool best) {
    folder.write_checkpoint(now, best || !patient);
  };
  trainer.rolled_back = [&](const nlohmann::ordered_json& event) {
    folder.truncate_metrics(event.at("to_stage"), event.at("to_step"), trainer.rollbacks());
  };
}

}  // namespace

TrainingResult train_into(const RunFolder& folder, const TrainingPlan& plan, bool resume, const Dataset& data,
                          Observer& observer, double budget_seconds, bool pictures) {
  Settings settings(plan.settings.model);
  settings.set_all(plan.settings.to_json());
  const std::shared_ptr<Model> model = make_model(settings, data);
  Trainer trainer(model, data, std::move(settings), plan.seed);
  check_patience(trainer, *model, data);
  std::optional<Checkpoint> from;
  if (resume) from = resume_from(folder, trainer, observer);
  if (from) rescore_best(trainer, folder, *from, data, plan.seed);
  if (!from) start(trainer, plan, observer);
  nlohmann::ordered_json run = describe_run(plan, data);
  if (!trainer.started_from().empty()) run["started_from"] = trainer.started_from();
  if (const auto stages = trainer.stage_names(); stages.size() > 1)
    run["stages"] = fmt::format("{}", fmt::join(stages, ", "));
  folder.begin(from.has_value());
  if (from) folder.truncate_metrics(from->stage, from->step, trainer.rollbacks());
  connect(trainer, folder, plan, data, pictures);
  folder.write_run(run);
  RunObserver recording(observer, folder, budget_seconds);
  TrainingResult result;
  try {
    result = trainer.run(recording);
  } catch (const std::exception& error) {
    record_failure(folder, run, error);
    throw;
  }
  if (pictures) {
    const OpenRun used = open_run(folder.name());
    draw_samples_and_filters(folder, *used.model, data, "samples", plan.seed);
    draw_completions(folder, *used.model, data, plan.seed);
    note_baselines(run, *used.model, data, plan.seed, observer);
  }
  record_end(folder, run, result, observer);
  return result;
}

}  // namespace deepgen
