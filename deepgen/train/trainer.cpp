#include "deepgen/train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/core/error.h"
#include "deepgen/core/version.h"
#include "deepgen/models/registry.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {
namespace {

// Puts the averaged weights in place of the current ones while it lives.
class AverageInPlace {
 public:
  AverageInPlace(Tensor& values, Tensor& average) : values_(values), average_(average) { swap(); }
  ~AverageInPlace() { swap(); }
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  void swap() {
    if (!average_.defined()) return;
    const Tensor kept = values_.clone();
    values_.copy_(average_);
    average_.copy_(kept);
  }
  Tensor &values_, &average_;
};

}  // namespace

std::shared_ptr<Model> make_model(const Settings& settings, const Dataset& data) {
  return make_model(settings.model, settings.model_json(), settings.learning_json(),
                    {data.columns(), data.shape, data.classes, data.values, data.groups});
}

Trainer::Trainer(std::shared_ptr<Model> model, const Dataset& data, Settings settings, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(model), data, std::move(settings), seed)) {
  state_->prepare();
}

Trainer::~Trainer() = default;

void Trainer::step() { state_->one_step(); }

Checkpoint Trainer::checkpoint() const {
  const State& s = *state_;
  Checkpoint c;
  c.model = s.settings.model;
  c.options = s.settings.to_json();
  c.data = s.data.describe();
  c.stage = s.stage, c.step = s.step, c.seed = s.seed, c.commit = program_commit();
  c.state = {{"seconds", s.seconds()},
             {"epochs_without_better", s.epochs_without_better},
             {"finished", s.finished},
             {"updates", s.optimiser->counts()}};
  if (s.best) c.state["best"] = *s.best;
  if (!s.rollbacks.empty()) c.state["rollbacks"] = s.rollbacks;
  c.tensors = s.tensors();
  // A run that is stopped between two good states must go on as if it had not been: it keeps both.
  if (s.good.stage < 0 || s.good_is_present() || s.finished) return c;
  c.state["good"] = {{"stage", s.good.stage},
                     {"step", s.good.step},
                     {"epochs_without_better", s.good.epochs_without_better},
                     {"updates", s.good.updates}};
  for (const auto& [name, tensor] : s.good.tensors) c.tensors["good." + name] = tensor;
  return c;
}

namespace {

// Settings that may differ when a run goes on: how long it is and what is kept of it.
bool may_change(const std::string& name) {
  return name == "epochs" || name == "checkpoint_every" || name == "patience" || name == "rollbacks" ||
         name == "tolerance";
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
  for (const char* name : {"shape", "values", "binarize", "train_rows", "transform", "table", "groups"}) {
    const nlohmann::ordered_json was =
        theirs.data.contains(name) ? theirs.data[name] : nlohmann::ordered_json();
    const nlohmann::ordered_json is = ours.data.contains(name) ? ours.data[name] : nlohmann::ordered_json();
    if (was != is) found.push_back(fmt::format("the data's {} differs", name));
  }
  return found;
}

}  // namespace

void Trainer::resume(const Checkpoint& c, const std::string& path) {
  State& s = *state_;
  if (c.model != s.settings.model)
    fail_usage("--resume", fmt::format("{} holds the model {}, not {}", path, c.model, s.settings.model));
  if (c.seed != s.seed)
    fail_usage("--resume", fmt::format("{} was trained with seed {}, not {}", path, c.seed, s.seed));
  if (c.stage < 0 || c.stage >= static_cast<std::int64_t>(s.stages.size()))
    fail_data(path, fmt::format("expected a stage from 0 to {}, got {}", s.stages.size() - 1, c.stage));
  const std::vector<std::string> other = differences(c, checkpoint());
  if (!other.empty())
    fail_usage("--resume", fmt::format("{} was made under other settings: {}; start a new run for these",
                                       path, fmt::join(other, "; ")));
  const std::int64_t most = std::int64_t{10'000'000} * s.batches();  // the longest run that options allow
  if (c.step < 0 || c.step > most)
    fail_data(path, fmt::format("expected a step from 0 to {}, got {}", most, c.step));
  std::map<std::string, Tensor> wanted = s.tensors();
  const bool holds_good = c.state.is_object() && c.state.contains("good");
  s.good = {};
  if (holds_good) {
    for (const auto& [name, tensor] : s.tensors()) s.good.tensors[name] = at::empty_like(tensor).detach();
    for (const auto& [name, tensor] : s.good.tensors) wanted["good." + name] = tensor;
  }
  copy_tensors(c, wanted, path);
  s.stage = static_cast<int>(c.stage), s.step = c.step;
  s.restore_state(c.state, path);
  if (holds_good) s.restore_good(c.state, path);
}

// Does a piece of training; where it ends in numbers that cannot be gone on from, goes back to the last good
// state instead. Throws what it threw when it may not go back (again).
void Trainer::survive(Observer& observer, const std::function<void()>& work) {
  State& s = *state_;
  try {
    return work();
  } catch (const Lost& lost) {
    if (!s.may_roll_back()) throw;
    s.roll_back(lost.seen);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical || !s.may_roll_back()) throw;
    s.roll_back(error.what());
  }
  const nlohmann::ordered_json& event = s.rollbacks.back();
  // The checkpoint first: it has the record of the event, should the program end before that is written.
  if (save) save(checkpoint(), false);
  if (rolled_back) rolled_back(event);
  observer.message(event.at("message").get<std::string>());
}

void Trainer::end_epoch(Observer& observer) {
  State& s = *state_;
  const std::int64_t epoch = s.step / s.batches();
  Metrics metrics = s.epoch_metrics(epoch);
  std::optional<ValidationScore> score;
  {
    const AverageInPlace averaged(s.flat->values, s.optimiser->average());
    if (validate) score = validate(*s.model);
    if (after_epoch) after_epoch(*s.model, epoch);
  }
  if (score) metrics.emplace_back(score->name, score->value);
  s.check_epoch(metrics);
  bool best = false;
  if (score && s.options.patience > 0) {
    best = !s.best || score->value > *s.best;
    if (best) s.best = score->value;
    s.epochs_without_better = best ? 0 : s.epochs_without_better + 1;
    s.stopped_early = s.epochs_without_better >= s.options.patience;
  }
  s.finished = s.is_last_step() || s.stopped_early || s.converged();
  if (s.is_sensible()) s.keep_good();
  // Before the checkpoint: a line too many is forgotten on resume, a lost one is lost.
  observer.metrics(metrics);
  if (save && (best || s.finished || epoch % s.options.checkpoint_every == 0)) save(checkpoint(), best);
}

TrainingResult Trainer::run(Observer& observer) {
  State& s = *state_;
  s.start_clock();
  bool interrupted = false;
  s.finished = s.finished || s.is_last_step();  // also when resumed with fewer epochs than were done
  if (!s.finished && s.good.stage < 0) {
    s.check_tensors();
    s.keep_good();
  }
  while (!s.finished && !interrupted) {
    if (s.step >= s.steps_of(s.stage)) s.step = 0, ++s.stage;
    survive(observer, [&] {
      s.one_step();
      s.report_progress(observer);
      if (s.step % s.batches() == 0) end_epoch(observer);
    });
    interrupted = !s.finished && observer.stop_requested();
  }
  if (interrupted && save) {
    s.return_if_not_finite();
    save(checkpoint(), false);
  }
  const TrainingResult result{.steps = s.step,
                              .epochs = s.step / s.batches(),
                              .seconds = s.seconds(),
                              .interrupted = interrupted,
                              .stopped_early = s.stopped_early,
                              .converged = s.finished && s.converged(),
                              .best_score = s.best.value_or(0),
                              .rollbacks = static_cast<std::int64_t>(s.rollbacks.size())};
  s.stop_clock();
  return result;
}

const std::vector<nlohmann::ordered_json>& Trainer::rollbacks() const { return state_->rollbacks; }

}  // namespace deepgen
