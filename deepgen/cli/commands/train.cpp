#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/core/version.h"
#include "deepgen/evaluate/sample_tests.h"
#include "deepgen/tasks/tasks.h"
#include "deepgen/train/findings.h"

namespace deepgen {
namespace {

constexpr std::int64_t pictured_samples = 100, picture_steps = 200, pictured_filters = 100;

bool is_picture(const std::vector<std::int64_t>& shape) { return shape.size() == 3; }

// Draws what people look at: filters now, samples of chains from the start.
void draw_pictures(const RunFolder& folder, Model& model, const Dataset& data,
                   const std::string& samples_name, std::uint64_t seed) {
  if (!is_picture(data.shape)) return;
  Observer silent;
  Rng rng = Rng(seed).fork({11});
  // Of a model that draws given labels each class has a column of its own.
  auto* conditional = as<IsConditional>(model);
  const std::int64_t classes = conditional && !as<CanSample>(model) ? conditional->condition_classes() : 0;
  const SamplingPlan plan{.count = classes > 0
                                       ? std::max(pictured_samples / classes, std::int64_t{1}) * classes
                                       : pictured_samples,
                          .steps = picture_steps,
                          .rows = 1,
                          .between = 1,
                          .means = true};
  if (can_sample(model))
    folder.write_picture(
        samples_name, picture_of(sample_model(model, plan, rng, silent), data.shape, {.columns = classes}));
  const Tensor filters = model.filters();
  if (filters.defined())
    folder.write_picture("filters",
                         picture_of_filters(filters.narrow(0, 0, std::min(pictured_filters, filters.size(0))),
                                            data.shape, {}));
}

// Rows with their lower half hidden, beside what the model makes of them.
void draw_completions(const RunFolder& folder, Model& model, const Dataset& data, std::uint64_t seed) {
  if (!is_picture(data.shape) || !can_complete(model)) return;
  constexpr std::int64_t cases = 20, steps = 500;
  Observer silent;
  Rng rng = Rng(seed).fork({12});
  const bool labels_needed = !as<CanComplete>(model) && as<CanCompleteGiven>(model);
  const bool test = data.test.rows() > 0 && (data.test.y.defined() || !labels_needed);
  const Split& split = test ? data.test : data.train;
  std::vector<std::int64_t> index = rng.fork({1}).permutation(split.rows());
  index.resize(static_cast<std::size_t>(std::min(cases, split.rows())));
  const Tensor truth = Dataset::rows(split, index, rng.fork({2}));
  auto* conditional = as<IsConditional>(model);
  const Tensor mask = conditional ? conditional->condition_mask() : Tensor();
  const Tensor given = mask.defined() ? truth.masked_fill(mask.logical_not(), std::nanf(""))
                                      : hide_cells(truth, data.shape, "bottom", rng);
  const Tensor labels = split.y.defined() ? split.y.index_select(0, at::tensor(index, at::kLong)) : Tensor();
  const Tensor completed = complete_rows(model, {given, labels}, steps, rng, silent);
  folder.write_picture("completions",
                       picture_of(at::cat({truth, given, completed}), data.shape, {.columns = cases}));
}

// Asks for a stop when the time is up, beside what the console asks.
class BudgetObserver : public Observer {
 public:
  BudgetObserver(Observer& inner, double seconds)
      : inner_(inner),
        end_(std::chrono::steady_clock::now() +
             std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                 std::chrono::duration<double>(seconds))) {}
  void progress(const Progress& p, const Metrics& m) override { inner_.progress(p, m); }
  void metrics(const Metrics& m) override { inner_.metrics(m); }
  void message(const std::string& text) override { inner_.message(text); }
  bool stop_requested() override {
    return inner_.stop_requested() || std::chrono::steady_clock::now() > end_;
  }

 private:
  Observer& inner_;
  std::chrono::steady_clock::time_point end_;
};

// Writes every line of the learning curve into the run's folder, then shows it.
class RecordingObserver : public Observer {
 public:
  RecordingObserver(Observer& inner, const RunFolder& folder) : inner_(inner), folder_(folder) {}
  void progress(const Progress& p, const Metrics& m) override { inner_.progress(p, m); }
  void metrics(const Metrics& m) override {
    folder_.append_metrics(m);
    inner_.metrics(m);
  }
  void message(const std::string& text) override { inner_.message(text); }
  bool stop_requested() override { return inner_.stop_requested(); }

 private:
  Observer& inner_;
  const RunFolder& folder_;
};

nlohmann::ordered_json describe_run(const TrainingPlan& plan, const Dataset& data,
                                    const std::string& status) {
  return {{"model", plan.settings.model},
          {"data", data.spec},
          {"binarize", data.binarize},
          {"status", status},
          {"commit", program_commit()},
          {"version", program_version()},
          {"seed", plan.seed},
          {"threads", at::get_num_threads()},
          {"train_rows", data.train.rows()},
          {"options", plan.settings.to_json()}};
}

// Epochs whose samples are kept as pictures of their own: a few, evenly spread.
bool is_milestone(std::int64_t epoch, std::int64_t epochs) {
  return epoch == 1 || (epochs >= 4 && epoch % (epochs / 4) == 0 && epoch < epochs);
}

// Goes on from the checkpoint in the folder; false when there is none. The folder is not changed.
bool resume_from(const RunFolder& folder, Trainer& trainer, Observer& observer, Checkpoint& checkpoint) {
  const std::string path = folder.resume_path();
  if (path.empty()) {
    observer.message(fmt::format("nothing to resume in {}; starting", folder.name()));
    return false;
  }
  checkpoint = load_checkpoint(path);
  trainer.resume(checkpoint, path);
  observer.message(fmt::format("going on from step {}", checkpoint.step));
  return true;
}

// What the learning curve says about the training so far.
void add_findings(const RunFolder& folder, nlohmann::ordered_json& run) {
  const std::vector<nlohmann::ordered_json> curve = folder.metrics();
  run["rollbacks"] = nlohmann::ordered_json::array();
  for (const nlohmann::ordered_json& line : curve)
    if (line.contains("event")) run["rollbacks"].push_back(line);
  run["findings"] = findings(curve);
}

void tell_findings(const nlohmann::ordered_json& run, Observer& observer) {
  if (run["findings"].empty()) observer.message("no problems found in the learning curves");
  for (const auto& finding : run["findings"]) observer.message(finding.get<std::string>());
}

// Notes in the run why it failed, as far as the disk allows: the error that is reported is the first one.
void record_failure(const RunFolder& folder, nlohmann::ordered_json run, const std::exception& error) {
  const std::string what = error.what();
  run["status"] = "failed";
  run["warnings"] = nlohmann::ordered_json::array({what.substr(0, what.find('\n'))});
  const std::function<void()> steps[] = {[&] { add_findings(folder, run); }, [&] { folder.write_run(run); },
                                         [&] { folder.write_report(); }};
  for (const auto& step : steps) {
    try {
      step();
    } catch (const std::exception&) {
    }
  }
}

// The end of a run's record, its pictures and its report.
void finish_run(const RunFolder& folder, nlohmann::ordered_json run, const Dataset& data, std::uint64_t seed,
                const TrainingResult& result, bool pictures, Observer& observer) {
  if (pictures) {
    const OpenRun used = open_run(folder.name());
    draw_pictures(folder, *used.model, data, "samples", seed);
    draw_completions(folder, *used.model, data, seed);
  }
  run["status"] = result.interrupted ? "interrupted" : "done";
  if (result.stopped_early) run["stopped_early"] = "no better validation score for training.patience epochs";
  if (result.converged) run["stopped_early"] = "a pass over the rows gained no more than training.tolerance";
  run["training_seconds"] = result.seconds;
  run["peak_memory_bytes"] = peak_memory_bytes();
  add_findings(folder, run);
  folder.write_run(run);
  folder.write_report();
  tell_findings(run, observer);
}

}  // namespace

TrainingResult train_into(const RunFolder& folder, const TrainingPlan& plan, bool resume, const Dataset& data,
                          Observer& observer, double budget_seconds, bool pictures) {
  const bool validated = plan.settings.training.patience > 0;
  if (validated && data.valid.rows() == 0)
    fail_usage("training.patience",
               "expected validation rows; hold some out with the data's option valid=0.1");
  Settings settings(plan.settings.model);
  settings.set_all(plan.settings.to_json());
  const std::int64_t epochs = settings.training.epochs;
  const std::shared_ptr<Model> model = make_model(settings, data);
  if (validated && has_no_likelihood(*model))
    fail_usage("training.patience",
               "expected 0: this model has no score of the validation rows that training could stop by");
  Trainer trainer(model, data, std::move(settings), plan.seed);
  Checkpoint checkpoint;
  const bool resumed = resume && resume_from(folder, trainer, observer, checkpoint);
  folder.begin(resumed);
  if (resumed) folder.truncate_metrics(checkpoint.stage, checkpoint.step, trainer.rollbacks());
  if (validated) trainer.validate = validation_score(data, plan.seed);
  trainer.after_epoch = [&](Model& now, std::int64_t epoch) {
    if (pictures && is_milestone(epoch, epochs))
      draw_pictures(folder, now, data, fmt::format("samples-{:04}", epoch), plan.seed);
  };
  trainer.save = [&](const Checkpoint& now, bool best) { folder.write_checkpoint(now, best); };
  trainer.rolled_back = [&](const nlohmann::ordered_json& event) {
    folder.truncate_metrics(event.at("to_stage"), event.at("to_step"), trainer.rollbacks());
  };
  const nlohmann::ordered_json run = describe_run(plan, data, "training");
  folder.write_run(run);
  RecordingObserver recording(observer, folder);
  BudgetObserver limited(recording, budget_seconds > 0 ? budget_seconds : 1e9);
  TrainingResult result;
  try {
    result = trainer.run(limited);
  } catch (const std::exception& error) {
    record_failure(folder, run, error);
    throw;
  }
  finish_run(folder, run, data, plan.seed, result, pictures, observer);
  return result;
}

void train_command(const Arguments& arguments) {
  const TrainingPlan plan = plan_training(arguments);
  ConsoleObserver observer(arguments.quiet);
  const RunFolder folder = RunFolder::create(arguments.out, arguments.resume, arguments.overwrite);
  const Dataset data = load_dataset(plan.data);
  observer.message(fmt::format("{} on {}: {} rows of {} columns ({} values), {} validation rows",
                               plan.settings.model, plan.data, data.train.rows(), data.columns(), data.values,
                               data.valid.rows()));
  const TrainingResult result = train_into(folder, plan, arguments.resume, data, observer);
  if (result.interrupted) {
    observer.message(
        fmt::format("stopped at step {}; go on with the same command and --resume", result.steps));
    throw Error(ErrorKind::interrupted, "train", "interrupted; a checkpoint was written");
  }
  observer.message(fmt::format("trained in {}; pictures, curves and options: {}",
                               duration_text(result.seconds), folder.path("report.html")));
}

}  // namespace deepgen
