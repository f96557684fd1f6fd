#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "deepgen/core/version.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {

// ---------------------------------------------------------------- the run as a checkpoint

Checkpoint Trainer::checkpoint() const {
  const State& s = *state_;
  Checkpoint c;
  c.model = s.settings.model;
  c.options = s.settings.to_json();
  c.data = s.data.describe();
  c.stage = s.stage, c.step = s.step, c.seed = s.seed, c.commit = program_commit();
  c.state = {{"seconds", s.seconds()},     {"epochs_without_better", s.epochs_without_better},
             {"finished", s.finished},     {"stage_begun", s.stage_begun},
             {"usual_norm", s.usual_norm}, {"updates", s.optimiser->counts()}};
  if (s.best.stage == s.stage) c.state["best"] = s.best.score;
  if (!s.epoch.empty()) c.state["epoch_so_far"] = s.epoch.to_json();
  if (!s.rollbacks.empty()) c.state["rollbacks"] = s.rollbacks;
  if (!s.started_from.empty()) c.state["started_from"] = s.started_from;
  c.tensors = s.tensors();
  if (s.best.stage == s.stage) c.tensors.insert(s.best.tensors.begin(), s.best.tensors.end());
  if (s.finished) return c;
  // A start that initialise alone does not make again.
  if (!s.started_from.empty())
    for (const auto& [name, tensor] : s.start.tensors) c.tensors["start." + name] = tensor;
  // A run that is stopped between two good states must go on as if it had not been: it keeps both.
  // One of an earlier stage is left from before rollbacks were turned off.
  if (s.good.stage != s.stage || s.good_is_present()) return c;
  c.state["good"] = {{"stage", s.good.stage},
                     {"step", s.good.step},
                     {"epochs_without_better", s.good.epochs_without_better},
                     {"updates", s.good.updates}};
  if (!s.good.epoch.empty()) c.state["good"]["epoch_so_far"] = s.good.epoch.to_json();
  for (const auto& [name, tensor] : s.good.tensors) c.tensors["good." + name] = tensor;
  return c;
}

// ---------------------------------------------------------------- and back

namespace {

// Settings that may differ when a run goes on: how long it is and what is kept of it.
bool may_change(const std::string& name) {
  return name == "epochs" || name == "updates" || name == "checkpoint_every" || name == "patience" ||
         name == "rollbacks" || name == "tolerance";
}

// What of the options and the data a checkpoint was made under differs from this run's.
std::vector<std::string> differences(const Checkpoint& theirs, const Checkpoint& ours) {
  std::vector<std::string> found;
  const nlohmann::ordered_json defaults = Settings(ours.model).to_json();
  for (const auto& [group, values] : ours.options.items())
    for (const auto& [name, value] : values.items()) {
      const nlohmann::ordered_json& other =
          theirs.options.contains(group) ? theirs.options[group] : nlohmann::ordered_json();
      // An option that came later than the checkpoint had the effect of its default.
      const nlohmann::ordered_json was =
          other.is_object() && other.contains(name) ? other[name] : defaults[group][name];
      if (was != value && !may_change(name))
        found.push_back(fmt::format("{}.{} was {}, is {}", group, name, was.dump(), value.dump()));
    }
  for (const char* name :
       {"shape", "values", "binarize", "train_rows", "train_cases", "transform", "table", "groups"}) {
    const nlohmann::ordered_json was =
        theirs.data.contains(name) ? theirs.data[name] : nlohmann::ordered_json();
    const nlohmann::ordered_json is = ours.data.contains(name) ? ours.data[name] : nlohmann::ordered_json();
    if (was != is) found.push_back(fmt::format("the data's {} differs", name));
  }
  return found;
}

[[noreturn]] void fail_state(const std::string& path) {
  fail_data(path, "the metadata entry 'state' is malformed");
}

// Tensors that a checkpoint keeps beside the present ones are read into `kept`: those like `present`, named
// with the prefix before their names in the file.
void want(const std::map<std::string, Tensor>& present, const std::string& prefix,
          std::map<std::string, Tensor>& kept, std::map<std::string, Tensor>& wanted) {
  for (const auto& [name, tensor] : present) {
    kept[name] = at::empty_like(tensor).detach();
    wanted[prefix + name] = kept[name];
  }
}

bool holds(const Checkpoint& c, const std::string& prefix) {
  return std::any_of(c.tensors.begin(), c.tensors.end(),
                     [&](const auto& each) { return each.first.starts_with(prefix); });
}

}  // namespace

void Trainer::resume(const Checkpoint& c, const std::string& path) {
  State& s = *state_;
  if (c.model != s.settings.model)
    fail_usage("--resume", fmt::format("{} holds the model {}, not {}", path, c.model, s.settings.model));
  if (c.seed != s.seed)
    fail_usage("--resume", fmt::format("{} was trained with seed {}, not {}", path, c.seed, s.seed));
  if (c.stage < 0 || c.stage >= static_cast<std::int64_t>(s.plans.size()))
    fail_data(path, fmt::format("expected a stage from 0 to {}, got {}", s.plans.size() - 1, c.stage));
  const std::vector<std::string> other = differences(c, checkpoint());
  if (!other.empty())
    fail_usage("--resume", fmt::format("{} was made under other settings: {}; start a new run for these",
                                       path, fmt::join(other, "; ")));
  s.use_optimiser_of(static_cast<int>(c.stage));
  const std::int64_t most =
      std::int64_t{10'000'000} * s.plan().batches;  // the longest run that options allow
  if (c.step < 0 || c.step > most)
    fail_data(path, fmt::format("expected a step from 0 to {}, got {}", most, c.step));
  std::map<std::string, Tensor> wanted = s.tensors(), weights;
  const bool holds_good = c.state.is_object() && c.state.contains("good");
  s.good = {}, s.best = {};
  if (holds_good) want(s.tensors(), "good.", s.good.tensors, wanted);
  collect_tensors(*s.model, "best.", weights);
  if (holds(c, "best.")) want(weights, "", s.best.tensors, wanted);
  weights.clear();
  collect_tensors(*s.model, "model.", weights);
  if (holds(c, "start.")) want(weights, "start.", s.start.tensors, wanted);
  copy_tensors(c, wanted, path);
  s.step = c.step;
  s.restore_state(c.state, path);
  if (holds_good) s.restore_good(c.state, path);
  if (!s.started_from.empty() && !holds(c, "start.")) s.start = {};  // nothing makes it again
}

void Trainer::State::restore_state(const nlohmann::ordered_json& state, const std::string& path) {
  try {
    seconds_before = state.at("seconds").get<double>();
    epochs_without_better = state.at("epochs_without_better").get<std::int64_t>();
    state.at("finished").get<bool>();  // what it says follows from the rest
    optimiser->counts() = state.at("updates").get<std::map<std::string, std::int64_t>>();
    if (state.contains("best")) best.stage = stage, best.score = state["best"].get<double>();
    // Files of before there were these entries are of models whose stage has no beginning.
    stage_begun = state.value("stage_begun", true);
    usual_norm = state.value("usual_norm", usual_norm);
    epoch = state.contains("epoch_so_far") ? EpochMetrics::from_json(state["epoch_so_far"]) : EpochMetrics();
    rollbacks.clear(), started_from.clear();
    if (state.contains("rollbacks"))
      rollbacks = state["rollbacks"].get<std::vector<nlohmann::ordered_json>>();
    if (state.contains("started_from"))
      started_from = state["started_from"].get<std::vector<nlohmann::ordered_json>>();
    for (const nlohmann::ordered_json& each : rollbacks) {
      for (const char* name : {"stage", "step", "to_stage", "to_step"}) each.at(name).get<std::int64_t>();
      each.at("message").get<std::string>();
    }
  } catch (const nlohmann::json::exception&) {
    fail_state(path);
  }
  if (!stage_begun && step > 0) fail_state(path);
  constexpr std::size_t most = 100;  // training.rollbacks allows no more
  if (rollbacks.size() > most) fail_data(path, "the metadata entry 'state' lists too many rollbacks");
}

void Trainer::State::restore_good(const nlohmann::ordered_json& state, const std::string& path) {
  try {
    const nlohmann::ordered_json& place = state.at("good");
    good.stage = place.at("stage").get<int>();
    good.step = place.at("step").get<std::int64_t>();
    good.epochs_without_better = place.at("epochs_without_better").get<std::int64_t>();
    good.updates = place.at("updates").get<std::map<std::string, std::int64_t>>();
    if (place.contains("epoch_so_far")) good.epoch = EpochMetrics::from_json(place["epoch_so_far"]);
  } catch (const nlohmann::json::exception&) {
    fail_state(path);
  }
  if (good.stage != stage || good.step < 0 || good.step > step)
    fail_data(path, "the good state in the file is not an earlier one of the same stage");
}

}  // namespace deepgen
