#include "deepgen/train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/version.h"

namespace deepgen {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Paths of random forks: what a number is drawn for.
enum Purpose : std::uint64_t { order = 1, batch_noise = 2, turn_noise = 3, start = 4, probes = 5 };

}  // namespace

struct Trainer::State {
  State(std::shared_ptr<Model> m, const Dataset& d, Settings s, std::uint64_t seed_)
      : model(std::move(m)),
        data(d),
        settings(std::move(s)),
        options(settings.training),
        seed(seed_),
        rng(seed_) {}

  std::shared_ptr<Model> model;
  const Dataset& data;
  Settings settings;
  TrainingOptions options;
  std::uint64_t seed;
  Rng rng;
  std::unique_ptr<FlatParameters> flat;
  std::unique_ptr<Optimiser> optimiser;
  std::vector<Stage> stages;
  std::vector<std::vector<std::vector<Slice>>> slices;  // of each stage and phase
  int stage = 0;
  std::int64_t step = 0;  // within the stage
  std::int64_t order_epoch = -1;
  std::vector<std::int64_t> order;
  Batch train_probe, valid_probe;  // the rows that diagnoses look at
  Metrics turn_metrics;
  double seconds_before = 0, started = 0;
  std::optional<double> best;
  std::int64_t epochs_without_better = 0;
  bool finished = false;

  std::int64_t batches() const { return (data.train.rows() + options.batch - 1) / options.batch; }
  std::int64_t epochs_of(int s) const {
    double shares = 0;
    for (const Stage& each : stages) shares += each.share;
    const double epochs =
        static_cast<double>(options.epochs) * stages[static_cast<std::size_t>(s)].share / shares;
    return std::max<std::int64_t>(1, std::llround(epochs));
  }
  std::int64_t steps_of(int s) const { return epochs_of(s) * batches(); }
  double seconds() const { return seconds_before + (started > 0 ? now_seconds() - started : 0); }

  void prepare();
  void set_slices();
  Batch next_batch();
  void one_step();
  void check_finite(const char* what, double value, const std::string& phase) const;
  Metrics epoch_metrics(std::int64_t epoch);
  void check_parameters() const;
  void restore_state(const nlohmann::ordered_json& state, const std::string& path);
  std::string owner_of(const Slice& slice) const;
  bool is_last_step() const {
    return stage + 1 == static_cast<int>(stages.size()) && step >= steps_of(stage);
  }
};

// The first phase that trains a parameter names its slots in a checkpoint.
std::string Trainer::State::owner_of(const Slice& slice) const {
  for (std::size_t s = 0; s < stages.size(); ++s)
    for (std::size_t p = 0; p < stages[s].phases.size(); ++p)
      for (const Slice& owned : slices[s][p])
        if (owned.offset == slice.offset) return stages[s].phases[p].name;
  return "none";
}

namespace {

// Rows for diagnoses: the first of a fixed permutation, the same in every epoch.
Batch probe_of(const Split& split, std::int64_t rows, const Rng& rng) {
  if (split.rows() == 0) return {};
  std::vector<std::int64_t> index = rng.fork({Purpose::probes}).permutation(split.rows());
  index.resize(static_cast<std::size_t>(std::min(rows, split.rows())));
  return {Dataset::rows(split, index, rng.fork({Purpose::probes, 1})), Dataset::labels(split, index)};
}

constexpr std::int64_t check_chunk = 10000, initial_rows = 20000, probe_rows = 1000;

void check_split(const Model& model, const Split& split, const std::string& name, const Rng& rng) {
  for (std::int64_t first = 0; first < split.rows(); first += check_chunk)
    model.check_data(Dataset::rows(split, first, std::min(check_chunk, split.rows() - first), rng),
                     fmt::format("{} {}", name, split.name), first);
}

}  // namespace

void Trainer::State::prepare() {
  if (data.train.rows() < 1) fail_data(data.spec, "expected at least one training row");
  check_split(*model, data.train, data.name, rng);
  check_split(*model, data.valid, data.name, rng);
  check_split(*model, data.test, data.name, rng);  // bad test rows should not cost a training
  model->check_optimiser(options.optimiser);
  model->initialise(probe_of(data.train, initial_rows, rng.fork({Purpose::start})),
                    *std::make_unique<Rng>(rng.fork({Purpose::start, 2})));
  flat = std::make_unique<FlatParameters>(*model);
  optimiser = std::make_unique<Optimiser>(options, *flat);
  train_probe = probe_of(data.train, probe_rows, rng);
  valid_probe = probe_of(data.valid, probe_rows, rng);
  set_slices();
}

void Trainer::State::set_slices() {
  stages = model->stages();
  slices.clear();
  for (const Stage& each : stages) {
    slices.emplace_back();
    for (const Phase& phase : each.phases) slices.back().push_back(flat->slices_of(phase.parameters));
  }
}

Batch Trainer::State::next_batch() {
  const std::int64_t epoch = step / batches(), first = step % batches() * options.batch;
  const auto s = static_cast<std::uint64_t>(stage), e = static_cast<std::uint64_t>(epoch);
  if (epoch != order_epoch) {
    order = rng.fork({Purpose::order, s, e}).permutation(data.train.rows());
    order_epoch = epoch;
  }
  const auto last = std::min(first + options.batch, data.train.rows());
  const std::vector<std::int64_t> index(order.begin() + first, order.begin() + last);
  return {
      Dataset::rows(data.train, index, rng.fork({Purpose::batch_noise, s, static_cast<std::uint64_t>(step)})),
      Dataset::labels(data.train, index)};
}

void Trainer::State::check_finite(const char* what, double value, const std::string& phase) const {
  if (std::isfinite(value)) return;
  fail_numerical(
      "training",
      fmt::format("{} is {} in stage {}, phase {}, step {}; the last good checkpoint is kept; try a "
                  "smaller training.rate",
                  what, value, stages[static_cast<std::size_t>(stage)].name, phase, step));
}

void Trainer::State::one_step() {
  const Batch batch = next_batch();
  const Stage& now = stages[static_cast<std::size_t>(stage)];
  const double rate = scheduled_rate(options, step, steps_of(stage));
  for (std::size_t p = 0; p < now.phases.size(); ++p) {
    for (int repeat = 0; repeat < now.phases[p].repeats; ++repeat) {
      const Turn turn{stage, static_cast<int>(p), repeat, step, steps_of(stage)};
      Rng turn_rng = rng.fork({Purpose::turn_noise, static_cast<std::uint64_t>(stage),
                               static_cast<std::uint64_t>(step), p, static_cast<std::uint64_t>(repeat)});
      turn_metrics = model->gradients(batch, turn, turn_rng);
      for (const auto& [name, value] : turn_metrics) check_finite(name.c_str(), value, now.phases[p].name);
      optimiser->update(slices[static_cast<std::size_t>(stage)][p], rate);
      model->project();
    }
  }
  ++step;
  if (step % 100 == 0 || step % batches() == 0)  // one pass over the parameters, far rarer than updates
    check_parameters();
}

void Trainer::State::check_parameters() const {
  check_finite("the sum of the parameters", flat->values.sum().item<double>(),
               stages[static_cast<std::size_t>(stage)].phases.back().name);
}

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

Metrics Trainer::State::epoch_metrics(std::int64_t epoch) {
  Metrics metrics = {{"stage", static_cast<double>(stage)},
                     {"epoch", static_cast<double>(epoch)},
                     {"step", static_cast<double>(step)},
                     {"seconds", seconds()},
                     {"rate", scheduled_rate(options, step - 1, steps_of(stage))}};
  metrics.insert(metrics.end(), turn_metrics.begin(), turn_metrics.end());
  Rng own =
      rng.fork({Purpose::probes, 2, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(epoch)});
  const Metrics more = model->diagnose(train_probe, valid_probe, own);
  metrics.insert(metrics.end(), more.begin(), more.end());
  return metrics;
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
  collect_tensors(*s.model, "model.", c.tensors);
  for (const Slice& slice : s.flat->slices()) {
    if (s.optimiser->average().defined())
      c.tensors["average." + slice.name] = FlatParameters::view(s.optimiser->average(), slice);
  }
  for (const auto& [slot, buffer] : s.optimiser->slots())
    for (const Slice& slice : s.flat->slices())
      c.tensors[fmt::format("optimiser.{}.{}.{}", s.owner_of(slice), slot, slice.name)] =
          FlatParameters::view(buffer, slice);
  return c;
}

namespace {

// Settings that may differ when a run goes on: how long it is and what is kept of it.
bool may_change(const std::string& name) {
  return name == "epochs" || name == "checkpoint_every" || name == "patience";
}

// What of the options and the data a checkpoint was made under differs from this run's.
std::vector<std::string> differences(const Checkpoint& theirs, const Checkpoint& ours) {
  std::vector<std::string> found;
  for (const auto& [group, values] : ours.options.items())
    for (const auto& [name, value] : values.items()) {
      const nlohmann::ordered_json& other =
          theirs.options.contains(group) ? theirs.options[group] : nlohmann::ordered_json();
      const nlohmann::ordered_json was =
          other.is_object() && other.contains(name) ? other[name] : nlohmann::ordered_json();
      if (was != value && !may_change(name))
        found.push_back(fmt::format("{}.{} was {}, is {}", group, name, was.dump(), value.dump()));
    }
  for (const char* name : {"shape", "values", "binarize", "train_rows", "transform"}) {
    const nlohmann::ordered_json was =
        theirs.data.contains(name) ? theirs.data[name] : nlohmann::ordered_json();
    if (was != ours.data[name]) found.push_back(fmt::format("the data's {} differs", name));
  }
  return found;
}

}  // namespace

void Trainer::State::restore_state(const nlohmann::ordered_json& state, const std::string& path) {
  try {
    seconds_before = state.at("seconds").get<double>();
    epochs_without_better = state.at("epochs_without_better").get<std::int64_t>();
    const bool enough = options.patience > 0 && epochs_without_better >= options.patience;
    finished = state.at("finished").get<bool>() && (is_last_step() || enough);
    optimiser->counts() = state.at("updates").get<std::map<std::string, std::int64_t>>();
    if (state.contains("best")) best = state["best"].get<double>();
  } catch (const nlohmann::json::exception&) {
    fail_data(path, "the metadata entry 'state' is malformed");
  }
}

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
  std::map<std::string, Tensor> ours = checkpoint().tensors;
  copy_tensors(c, ours, path);
  s.stage = static_cast<int>(c.stage), s.step = c.step;
  s.restore_state(c.state, path);
}

TrainingResult Trainer::run(Observer& observer) {
  State& s = *state_;
  s.started = now_seconds();
  const std::int64_t first_step = s.step;
  bool interrupted = false, stop_early = false;
  auto end_of_epoch = [&](std::int64_t epoch) {
    Metrics metrics = s.epoch_metrics(epoch);
    std::optional<ValidationScore> score;
    {
      const AverageInPlace averaged(s.flat->values, s.optimiser->average());
      if (validate) score = validate(*s.model);
      if (after_epoch) after_epoch(*s.model, epoch);
    }
    if (score) metrics.emplace_back(score->name, score->value);
    for (const auto& [name, value] : metrics) s.check_finite(name.c_str(), value, "diagnosis");
    bool best = false;
    if (score && s.options.patience > 0) {
      best = !s.best || score->value > *s.best;
      if (best) s.best = score->value;
      s.epochs_without_better = best ? 0 : s.epochs_without_better + 1;
      stop_early = s.epochs_without_better >= s.options.patience;
    }
    s.finished = s.is_last_step() || stop_early;
    observer.metrics(
        metrics);  // before the checkpoint: a line too many is forgotten on resume, a lost one is lost
    if (save && (best || s.finished || epoch % s.options.checkpoint_every == 0)) save(checkpoint(), best);
  };
  double last_report = 0;
  for (; !s.finished; s.step = 0, ++s.stage) {
    const std::int64_t steps = s.steps_of(s.stage);
    while (s.step < steps && !s.finished) {
      s.one_step();
      const double now = now_seconds();
      if (now - last_report > 0.2) {
        last_report = now;
        const double each =
            (now - s.started) / static_cast<double>(std::max<std::int64_t>(1, s.step - first_step));
        observer.progress(
            {"training", s.step, steps, s.seconds(), each * static_cast<double>(steps - s.step)},
            s.turn_metrics);
      }
      if (s.step % s.batches() == 0) end_of_epoch(s.step / s.batches());
      if (!s.finished && observer.stop_requested()) {
        interrupted = true;
        break;
      }
    }
    s.finished = s.finished || s.is_last_step();  // also when resumed with fewer epochs than were done
    if (interrupted || s.finished) break;
  }
  if (interrupted && save) {
    s.check_parameters();
    save(checkpoint(), false);
  }
  TrainingResult result{s.step,      s.step / s.batches(), s.seconds(),
                        interrupted, stop_early,           s.best.value_or(0)};
  s.seconds_before = s.seconds();
  s.started = 0;
  return result;
}

}  // namespace deepgen
