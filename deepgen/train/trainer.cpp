#include "deepgen/train/trainer.h"

#include <fmt/format.h>

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
      : model(std::move(m)), data(d), settings(std::move(s)), options(settings.training), seed(seed_), rng(seed_) {}

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
    const double epochs = static_cast<double>(options.epochs) * stages[static_cast<std::size_t>(s)].share / shares;
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
  void use_average(bool on);
};

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
                     fmt::format("{} {}", name, split.name));
}

}  // namespace

void Trainer::State::prepare() {
  if (data.train.rows() < 1) fail_data(data.spec, "expected at least one training row");
  check_split(*model, data.train, data.name, rng);
  check_split(*model, data.valid, data.name, rng);
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
  return {Dataset::rows(data.train, index, rng.fork({Purpose::batch_noise, s, static_cast<std::uint64_t>(step)})),
          Dataset::labels(data.train, index)};
}

void Trainer::State::check_finite(const char* what, double value, const std::string& phase) const {
  if (std::isfinite(value)) return;
  fail_numerical("training", fmt::format("{} is {} in stage {}, phase {}, step {}; the last good checkpoint is kept; try a "
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
      Rng turn_rng = rng.fork({Purpose::turn_noise, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(step), p,
                               static_cast<std::uint64_t>(repeat)});
      turn_metrics = model->gradients(batch, turn, turn_rng);
      for (const auto& [name, value] : turn_metrics) check_finite(name.c_str(), value, now.phases[p].name);
      optimiser->update(slices[static_cast<std::size_t>(stage)][p], rate, step * now.phases[p].repeats + repeat);
      model->project();
    }
  }
  ++step;
  if (step % 100 == 0 || step % batches() == 0)  // one pass over the parameters, far rarer than updates
    check_finite("the sum of the parameters", flat->values.sum().item<double>(), now.phases.back().name);
}

// Swaps the averaged weights in for validation and pictures, and out again.
void Trainer::State::use_average(bool) {
  Tensor& average = optimiser->average();
  if (!average.defined()) return;
  const Tensor kept = flat->values.clone();
  flat->values.copy_(average);
  average.copy_(kept);
}

Metrics Trainer::State::epoch_metrics(std::int64_t epoch) {
  Metrics metrics = {{"stage", static_cast<double>(stage)},
                     {"epoch", static_cast<double>(epoch)},
                     {"step", static_cast<double>(step)},
                     {"seconds", seconds()},
                     {"rate", scheduled_rate(options, step - 1, steps_of(stage))}};
  metrics.insert(metrics.end(), turn_metrics.begin(), turn_metrics.end());
  Rng own = rng.fork({Purpose::probes, 2, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(epoch)});
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
             {"finished", s.finished}};
  if (s.best) c.state["best"] = *s.best;
  collect_tensors(*s.model, "model.", c.tensors);
  for (const Slice& slice : s.flat->slices()) {
    if (s.optimiser->average().defined())
      c.tensors["average." + slice.name] = FlatParameters::view(s.optimiser->average(), slice);
  }
  for (const auto& [slot, buffer] : s.optimiser->slots()) {
    const auto& phases = s.stages[static_cast<std::size_t>(s.stage)].phases;
    for (std::size_t p = 0; p < phases.size(); ++p)
      for (const Slice& slice : s.slices[static_cast<std::size_t>(s.stage)][p])
        c.tensors[fmt::format("optimiser.{}.{}.{}", phases[p].name, slot, slice.name)] =
            FlatParameters::view(buffer, slice);
  }
  return c;
}

void Trainer::resume(const Checkpoint& c, const std::string& path) {
  State& s = *state_;
  if (c.model != s.settings.model)
    fail_usage("--resume", fmt::format("{} holds the model {}, not {}", path, c.model, s.settings.model));
  if (c.seed != s.seed) fail_usage("--resume", fmt::format("{} was trained with seed {}, not {}", path, c.seed, s.seed));
  restore_tensors(*s.model, "model.", c, path);
  s.stage = static_cast<int>(c.stage), s.step = c.step;
  s.set_slices();
  std::map<std::string, Tensor> ours = checkpoint().tensors;
  for (auto& [name, tensor] : ours) {
    const auto found = c.tensors.find(name);
    if (found == c.tensors.end() || found->second.sizes() != tensor.sizes())
      fail_data(path, fmt::format("cannot go on: {} is missing or has another shape", name));
    tensor.copy_(found->second);
  }
  s.seconds_before = c.state.value("seconds", 0.0);
  s.epochs_without_better = c.state.value("epochs_without_better", std::int64_t{0});
  s.finished = c.state.value("finished", false) && c.step >= s.steps_of(s.stage);
  if (c.state.contains("best")) s.best = c.state["best"].get<double>();
}

TrainingResult Trainer::run(Observer& observer) {
  State& s = *state_;
  s.started = now_seconds();
  const std::int64_t first_step = s.step;
  bool interrupted = false, stop_early = false;
  auto end_of_epoch = [&](std::int64_t epoch) {
    Metrics metrics = s.epoch_metrics(epoch);
    s.use_average(true);
    std::optional<ValidationScore> score = validate ? validate(*s.model) : std::nullopt;
    if (after_epoch) after_epoch(*s.model, epoch);
    s.use_average(false);
    if (score) metrics.emplace_back(score->name, score->value);
    for (const auto& [name, value] : metrics) s.check_finite(name.c_str(), value, "diagnosis");
    bool best = false;
    if (score && s.options.patience > 0) {
      best = !s.best || score->value > *s.best;
      if (best) s.best = score->value;
      s.epochs_without_better = best ? 0 : s.epochs_without_better + 1;
      stop_early = s.epochs_without_better >= s.options.patience;
    }
    const bool last = s.stage + 1 == static_cast<int>(s.stages.size()) && s.step >= s.steps_of(s.stage);
    s.finished = last || stop_early;
    if (save && (best || s.finished || epoch % s.options.checkpoint_every == 0)) save(checkpoint(), best);
    observer.metrics(metrics);
  };
  double last_report = 0;
  for (; !s.finished; s.step = 0, ++s.stage) {
    const std::int64_t steps = s.steps_of(s.stage);
    while (s.step < steps && !s.finished) {
      s.one_step();
      const double now = now_seconds();
      if (now - last_report > 0.2) {
        last_report = now;
        const double each = (now - s.started) / static_cast<double>(std::max<std::int64_t>(1, s.step - first_step));
        observer.progress({"training", s.step, steps, s.seconds(), each * static_cast<double>(steps - s.step)}, s.turn_metrics);
      }
      if (s.step % s.batches() == 0) end_of_epoch(s.step / s.batches());
      if (!s.finished && observer.stop_requested()) {
        interrupted = true;
        break;
      }
    }
    if (interrupted || s.finished) break;
  }
  if (interrupted && save) save(checkpoint(), false);
  TrainingResult result{s.step, s.step / s.batches(), s.seconds(), interrupted, stop_early, s.best.value_or(0)};
  s.seconds_before = s.seconds();
  s.started = 0;
  return result;
}

}  // namespace deepgen
