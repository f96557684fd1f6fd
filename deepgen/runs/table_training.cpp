#include "deepgen/runs/table_training.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/evaluate/validation.h"
#include "deepgen/runs/table_baselines.h"
#include "deepgen/train/trainer.h"

namespace deepgen {
namespace {

constexpr std::int64_t epoch_updates = 150;           // at least, of a table
constexpr std::int64_t annealed_epoch_updates = 500;  // where a score costs as much as hundreds of them
constexpr std::int64_t most_passes = 1000;            // that the option allows
constexpr std::int64_t fewest_passes = 200;           // of models that end when a pass gains nothing

std::int64_t whole_parts(std::int64_t all, std::int64_t part) { return (all + part - 1) / part; }

Dataset load_planned(const TrainingPlan& plan, const std::string& spec) {
  return load_dataset(spec, nullptr, model_card(plan.settings.model).table);
}

struct Facts {
  bool fitted = false, scored = false, annealed = false;
};

Facts facts_of(const TrainingPlan& plan, const Dataset& data) {
  const std::shared_ptr<Model> model = make_model(plan.settings, data);
  const ScoreRoute route = score_route(*model);
  return {.fitted = as<CanFit>(*model) != nullptr,
          .scored = has_validation_score(*model),
          .annealed = route == ScoreRoute::free_energy || route == ScoreRoute::bound_less_log_z};
}

// A table, and nothing stated of how long training is.
bool leaves_length_open(const TrainingPlan& plan, const Dataset& data) {
  const Settings& settings = plan.settings;
  if (settings.states("training.epochs") || settings.training.updates == 0) return false;
  return !data.table.empty() || settings.states("training.updates");
}

bool wants_rows_held_out(const TrainingPlan& plan, const Dataset& data) {
  return leaves_length_open(plan, data) && !data.table.empty() && data.valid.rows() == 0 &&
         !plan.settings.states("training.patience") &&
         !parse_data_spec(plan.data).options.contains("valid") &&
         data.train.cases() >= fewest_cases_to_split && facts_of(plan, data).scored;
}

void set_epochs(TrainingPlan& plan, const Dataset& data, const Facts& facts) {
  TrainingOptions& training = plan.settings.training;
  const bool told = plan.settings.states("training.updates");
  if (facts.fitted) {  // a pass is an update
    training.epochs = told ? training.updates : std::max(training.epochs, fewest_passes);
    return;
  }
  const std::int64_t pass = whole_parts(data.train.cases(), training.batch);
  const std::int64_t least = facts.annealed ? annealed_epoch_updates : epoch_updates;
  if (!plan.settings.states("training.passes"))
    training.passes = std::min(most_passes, whole_parts(std::min(least, training.updates), pass));
  const std::int64_t updates = told ? training.updates : std::max(training.updates, training.epochs * pass);
  training.epochs = whole_parts(updates, pass * training.passes);
}

std::string decided(const TrainingPlan& plan) {
  const TrainingOptions& training = plan.settings.training;
  std::string text = fmt::format("training.epochs={}", training.epochs);
  if (training.passes > 1) text += fmt::format(", each of training.passes={}", training.passes);
  if (training.patience > 0) text += fmt::format(", training.patience={}", training.patience);
  return text;
}

Dataset with_rows_held_out(TrainingPlan& plan, Dataset data, Observer& observer) {
  const std::string spec = spec_with(plan.data, "valid", "0.1");
  try {
    data = load_planned(plan, spec);
    plan.data = spec;
    observer.message(fmt::format("a tenth of the rows is held out to stop by: {}", spec));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    observer.message(fmt::format("no rows are held out to stop by: {}", error.what()));
  }
  return data;
}

bool says_the_same_and_more(const DataSpec& more, const DataSpec& asked) {
  return more.name == asked.name &&
         std::all_of(asked.options.begin(), asked.options.end(), [&](const auto& each) {
           const auto found = more.options.find(each.first);
           return found != more.options.end() && found->second == each.second;
         });
}

// Of checkpoints from before a length was chosen nothing is taken: they go on as they did.
void take_what_was_decided(TrainingPlan& plan, const Checkpoint& from) {
  const auto training = from.options.find("training");
  if (from.model != plan.settings.model || training == from.options.end() || !training->is_object() ||
      !training->contains("passes"))
    return;
  if (!from.data.contains("table") && !plan.settings.states("training.updates")) return;
  for (const char* name : {"epochs", "passes", "patience", "updates"})
    if (!plan.settings.states(std::string("training.") + name) && training->contains(name))
      plan.settings.set("training", name, (*training)[name].dump());
  if (!from.data.contains("spec") || !from.data["spec"].is_string()) return;
  const auto spec = from.data["spec"].get<std::string>();
  if (says_the_same_and_more(parse_data_spec(spec), parse_data_spec(plan.data))) plan.data = spec;
}

}  // namespace

// A rate that falls to the end gains most there.
std::int64_t usual_patience(const TrainingOptions& training) {
  const bool falls = training.schedule != "constant" && training.rate_final < training.rate;
  return std::max<std::int64_t>(10, whole_parts(training.epochs, falls ? 2 : 5));
}

bool plan_length(TrainingPlan& plan, const Dataset& data) {
  const Settings& settings = plan.settings;
  if (settings.states("training.epochs") && settings.states("training.updates") &&
      settings.training.updates > 0)
    fail_usage("training.updates", "expected it without training.epochs: each says how long training is");
  if (!leaves_length_open(plan, data)) return false;
  const Facts facts = facts_of(plan, data);
  set_epochs(plan, data, facts);
  if (!data.table.empty() && data.valid.rows() > 0 && facts.scored && !settings.states("training.patience"))
    plan.settings.training.patience = usual_patience(settings.training);
  return true;
}

Dataset load_for_training(TrainingPlan& plan, Observer& observer) {
  Dataset data = load_planned(plan, plan.data);
  if (wants_rows_held_out(plan, data)) data = with_rows_held_out(plan, std::move(data), observer);
  if (plan_length(plan, data))
    observer.message(fmt::format("as nothing is said of the length of training: {}", decided(plan)));
  return data;
}

Dataset load_for_resume(TrainingPlan& plan, const RunFolder& folder, Observer& observer) {
  const std::string path = folder.resume_path();
  if (path.empty()) return load_for_training(plan, observer);
  take_what_was_decided(plan, load_checkpoint(path));
  return load_planned(plan, plan.data);
}

}  // namespace deepgen
