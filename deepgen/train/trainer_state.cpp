#include "deepgen/train/trainer_state.h"

#include <fmt/format.h>

#include <chrono>

#include "deepgen/train/norm.h"
#include "deepgen/train/row_order.h"

namespace deepgen {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Paths of random forks: what a number is drawn for.
enum Purpose : std::uint64_t { order_noise = 1, batch_noise = 2, turn_noise = 3, start = 4, probes = 5 };

constexpr std::int64_t check_chunk = 10000, initial_rows = 20000, probe_rows = 1000;

// Steps between looks at the parameters and between copies of a good state within an epoch: a copy costs
// about as much as an update.
constexpr std::int64_t check_steps = 100, copy_steps = 200;

// The usual norm is that at the start, or that of parameters of size one where this is larger. Healthy runs
// stay within some ten times of it. A state beyond the first limit is not returned to; beyond the second,
// training is lost.
constexpr double suspicious_growth = 1e2, lost_growth = 1e4;

// Rows for diagnoses: the first of a fixed order, the same in every epoch.
Batch probe_of(const Split& split, std::int64_t rows, const Rng& rng) {
  if (split.rows() == 0) return {};
  std::vector<std::int64_t> index = row_order(split, rng.fork({Purpose::probes}));
  index.resize(static_cast<std::size_t>(std::min(rows, split.rows())));
  return {Dataset::rows(split, index, rng.fork({Purpose::probes, 1})), Dataset::labels(split, index)};
}

void check_split(const Model& model, const Split& split, const std::string& name, const Rng& rng) {
  for (std::int64_t first = 0; first < split.rows(); first += check_chunk)
    model.check_data(Dataset::rows(split, first, std::min(check_chunk, split.rows() - first), rng),
                     fmt::format("{} {}", name, split.name), first);
}

// What a condition asks of the data, before the first step.
void check_condition(Model& model, const Dataset& data) {
  auto* conditional = as<IsConditional>(model);
  if (!conditional) return;
  if (conditional->condition_mask().defined() && data.transform.whitened())
    fail_data(
        data.spec,
        "expected data without whiten=true: its columns are mixtures, so those that are given would tell "
        "of those that are to be predicted");
  const bool needs_labels = conditional->condition_classes() > 0 && !as<HasLogProb>(model);
  if (needs_labels && data.valid.rows() > 0 && !data.valid.y.defined())
    fail_data(data.spec, "expected a label for every validation row, as for the training rows, got none");
}

}  // namespace

double Trainer::State::seconds() const {
  return seconds_before + (started > 0 ? now_seconds() - started : 0);
}

void Trainer::State::start_clock() {
  started = now_seconds();
  first_step = step;
  stopped_early = false;
}

void Trainer::State::stop_clock() {
  seconds_before = seconds();
  started = 0;
}

void Trainer::State::report_progress(Observer& observer) {
  constexpr double interval = 0.2;  // seconds
  const double now = now_seconds();
  if (now - last_report <= interval) return;
  last_report = now;
  const std::int64_t steps = steps_of(stage), done = std::max<std::int64_t>(1, step - first_step);
  const double each = (now - started) / static_cast<double>(done);
  observer.progress({"training", step, steps, seconds(), each * static_cast<double>(steps - step)},
                    turn_metrics);
}

std::int64_t Trainer::State::epochs_of(int s) const {
  double shares = 0;
  for (const Stage& each : stages) shares += each.share;
  const double epochs =
      static_cast<double>(options.epochs) * stages[static_cast<std::size_t>(s)].share / shares;
  return std::max<std::int64_t>(1, std::llround(epochs));
}

// ---------------------------------------------------------------- preparation

void Trainer::State::prepare() {
  if (data.train.rows() < 1) fail_data(data.spec, "expected at least one training row");
  check_split(*model, data.train, data.name, rng);
  check_split(*model, data.valid, data.name, rng);
  check_split(*model, data.test, data.name, rng);  // bad test rows should not cost a training
  check_condition(*model, data);
  model->check_optimiser(options.optimiser);
  if (fit && options.average > 0)
    fail_usage("training.average",
               "expected 0: this model is fitted by passes over the rows, which have no updates to average");
  Rng own = rng.fork({Purpose::start, 2});
  model->initialise(probe_of(data.train, initial_rows, rng.fork({Purpose::start})), own);
  flat = std::make_unique<FlatParameters>(*model);
  optimiser = std::make_unique<Optimiser>(options, *flat);
  train_probe = probe_of(data.train, probe_rows, rng);
  valid_probe = probe_of(data.valid, probe_rows, rng);
  set_slices();
  double parameters = 0;
  for (const Slice& slice : flat->slices()) parameters += static_cast<double>(slice.size);
  norm = std::sqrt(sum_of_squares(flat->values.data_ptr<float>(), flat->values.numel()));
  usual_norm = std::max({norm, std::sqrt(parameters), 1.0});
  if (options.rollbacks > 0) copy_present(start);
}

void Trainer::State::set_slices() {
  stages = model->stages();
  slices.clear();
  for (const Stage& each : stages) {
    slices.emplace_back();
    for (const Phase& phase : each.phases) slices.back().push_back(flat->slices_of(phase.parameters));
  }
}

// The first phase that trains a parameter names its slots in a checkpoint.
std::string Trainer::State::owner_of(const Slice& slice) const {
  for (std::size_t s = 0; s < stages.size(); ++s)
    for (std::size_t p = 0; p < stages[s].phases.size(); ++p)
      for (const Slice& owned : slices[s][p])
        if (owned.offset == slice.offset) return stages[s].phases[p].name;
  return "none";
}

std::map<std::string, Tensor> Trainer::State::tensors() const {
  std::map<std::string, Tensor> all;
  collect_tensors(*model, "model.", all);
  for (const Slice& slice : flat->slices()) {
    if (optimiser->average().defined())
      all["average." + slice.name] = FlatParameters::view(optimiser->average(), slice);
    for (const auto& [slot, buffer] : optimiser->slots())
      all[fmt::format("optimiser.{}.{}.{}", owner_of(slice), slot, slice.name)] =
          FlatParameters::view(buffer, slice);
  }
  return all;
}

// ---------------------------------------------------------------- steps

Batch Trainer::State::next_batch() {
  const std::int64_t epoch = step / batches(), first = step % batches() * options.batch;
  const auto s = static_cast<std::uint64_t>(stage), e = static_cast<std::uint64_t>(epoch);
  if (order_of != std::pair(stage, epoch)) {
    order = row_order(data.train, rng.fork({Purpose::order_noise, s, e}));
    order_of = {stage, epoch};
  }
  const auto last = std::min(first + options.batch, data.train.rows());
  const std::vector<std::int64_t> index(order.begin() + first, order.begin() + last);
  return {
      Dataset::rows(data.train, index, rng.fork({Purpose::batch_noise, s, static_cast<std::uint64_t>(step)})),
      Dataset::labels(data.train, index)};
}

void Trainer::State::one_turn(const Batch& batch, int phase, int repeat, double rate) {
  const auto s = static_cast<std::size_t>(stage), p = static_cast<std::size_t>(phase);
  const std::string& name = stages[s].phases[p].name;
  Rng turn_rng = rng.fork(
      {Purpose::turn_noise, s, static_cast<std::uint64_t>(step), p, static_cast<std::uint64_t>(repeat)});
  try {
    turn_metrics = model->gradients(batch, {stage, phase, repeat, step, steps_of(stage)}, turn_rng);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical) throw;
    lose(error.what(), name);
  }
  for (const auto& [metric, value] : turn_metrics) check_finite(metric, value, name);
  double scale = 1;
  if (options.clip > 0) {
    const double length = optimiser->gradient_norm(slices[s][p]);
    check_finite("the norm of the gradient", length, name);
    if (length > options.clip) scale = options.clip / length;
  }
  optimiser->update(slices[s][p], rate, scale);
  model->project();
}

// A set that is binarised anew for each batch is binarised once here, the same way in every pass: the passes
// must see the same rows for their objective to rise.
Batch Trainer::State::next_rows() {
  const auto s = static_cast<std::uint64_t>(stage), place = static_cast<std::uint64_t>(step % batches());
  const std::int64_t first = static_cast<std::int64_t>(place) * options.batch;
  const std::int64_t count = std::min(options.batch, data.train.rows() - first);
  const Split& from = data.train;
  return {Dataset::rows(from, first, count, rng.fork({Purpose::batch_noise, s, place})),
          from.y.defined() ? from.y.narrow(0, first, count) : from.y,
          from.weights.defined() ? from.weights.narrow(0, first, count) : from.weights};
}

void Trainer::State::one_fit_step() {
  const std::string& name = stages[static_cast<std::size_t>(stage)].phases.back().name;
  try {
    turn_metrics = fit->gather(next_rows());
    if ((step + 1) % batches() == 0) turn_metrics = fit->finish_pass();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical) throw;
    lose(error.what(), name);
  }
  for (const auto& [metric, value] : turn_metrics) check_finite(metric, value, name);
  ++step;
}

void Trainer::State::one_step() {
  if (fit) return one_fit_step();
  const Batch batch = next_batch();
  const Stage& now = stages[static_cast<std::size_t>(stage)];
  const double rate = rate_at(stage, step);
  for (std::size_t p = 0; p < now.phases.size(); ++p)
    for (int repeat = 0; repeat < now.phases[p].repeats; ++repeat)
      one_turn(batch, static_cast<int>(p), repeat, rate * now.phases[p].rate);
  ++step;
  const bool ends_epoch = step % batches() == 0;
  if (step % check_steps == 0 || ends_epoch) check_parameters();
  if (step % copy_steps != 0 || ends_epoch) return;  // at the end of an epoch there is more to check
  check_tensors();
  if (is_sensible()) keep_good();
}

Metrics Trainer::State::epoch_metrics(std::int64_t epoch) {
  Metrics metrics = {{"stage", static_cast<double>(stage)},
                     {"epoch", static_cast<double>(epoch)},
                     {"step", static_cast<double>(step)},
                     {"seconds", seconds()}};
  if (!fit) metrics.emplace_back("rate", rate_at(stage, step - 1));
  metrics.insert(metrics.end(), turn_metrics.begin(), turn_metrics.end());
  Rng own =
      rng.fork({Purpose::probes, 2, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(epoch)});
  const Metrics more = model->diagnose(train_probe, valid_probe, own);
  metrics.insert(metrics.end(), more.begin(), more.end());
  return metrics;
}

// ---------------------------------------------------------------- what is lost

void Trainer::State::lose(const std::string& seen, const std::string& phase) const {
  throw Lost(fmt::format("stage {}, phase {}, step {}", stage_name(stage), phase, step), seen,
             fit ? "look for extreme values in the data" : "try a smaller training.rate");
}

void Trainer::State::check_finite(const std::string& name, double value, const std::string& phase) const {
  if (!std::isfinite(value))
    lose(fmt::format("{} is {}", name, std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"), phase);
}

void Trainer::State::check_parameters() {
  const std::string& phase = stages[static_cast<std::size_t>(stage)].phases.back().name;
  norm = std::sqrt(sum_of_squares(flat->values.data_ptr<float>(), flat->values.numel()));
  if (!std::isfinite(norm)) check_tensors();
  if (norm > lost_growth * usual_norm)
    lose(
        fmt::format("the norm of the parameters is {:.3g}, more than {:.3g}", norm, lost_growth * usual_norm),
        phase);
}

bool Trainer::State::is_sensible() const { return norm <= suspicious_growth * usual_norm; }

void Trainer::State::check_tensors() const {
  for (const auto& [name, tensor] : tensors())
    if (!all_finite(tensor))
      lose(name + " is not finite", stages[static_cast<std::size_t>(stage)].phases.back().name);
}

void Trainer::State::check_epoch(const Metrics& metrics) {
  for (const auto& [name, value] : metrics) check_finite(name, value, "diagnosis");
  const std::string reason = model->lost(metrics);
  if (!reason.empty()) lose(reason, "diagnosis");
  check_tensors();
}

// ---------------------------------------------------------------- good states

void Trainer::State::copy_present(GoodState& into) const {
  torch::NoGradGuard no_graph;
  for (const auto& [name, tensor] : tensors()) {
    const auto kept = into.tensors.find(name);
    if (kept == into.tensors.end())
      into.tensors[name] = tensor.detach().clone();
    else
      kept->second.copy_(tensor);
  }
  into.updates = optimiser->counts();
  into.stage = stage, into.step = step, into.epochs_without_better = epochs_without_better;
}

void Trainer::State::keep_good() {
  if (options.rollbacks > 0) copy_present(good);
}

bool Trainer::State::good_is_doomed() const {
  if (rollbacks.empty()) return false;
  const auto place = [&](const char* s, const char* at) {
    const nlohmann::ordered_json& last = rollbacks.back();
    return std::pair(last.at(s).get<int>(), last.at(at).get<std::int64_t>());
  };
  return place("to_stage", "to_step") == std::pair(good.stage, good.step) &&
         std::pair(stage, step) <= place("stage", "step");
}

void Trainer::State::return_to(const GoodState& to) {
  torch::NoGradGuard no_graph;
  for (const auto& [name, tensor] : tensors()) Tensor(tensor).copy_(to.tensors.at(name));
  flat->gradients.zero_();  // as after a resume
  optimiser->counts() = to.updates;
  stage = to.stage, step = to.step, epochs_without_better = to.epochs_without_better;
  norm = std::sqrt(sum_of_squares(flat->values.data_ptr<float>(), flat->values.numel()));
}

void Trainer::State::return_if_not_finite() {
  try {
    check_tensors();
  } catch (const Lost&) {
    if (!may_roll_back()) throw;
    return_to(good);
  }
}

void Trainer::State::roll_back(const std::string& seen) {
  const int lost_stage = stage;
  const std::int64_t lost_step = step;
  return_to(good_is_doomed() ? start : good);
  keep_good();
  rollbacks.emplace_back();  // from here on the rate is half
  const double rate = rate_at(stage, step);
  std::string where = fmt::format("step {}", step);
  if (stage != lost_stage) where += " of stage " + stage_name(stage);
  const std::string message = fmt::format("{}: back to {} with half the rate ({:.4g}); {} of {} times", seen,
                                          where, rate, rollbacks.size(), options.rollbacks);
  rollbacks.back() = {
      {"event", "rollback"}, {"number", rollbacks.size()},
      {"stage", lost_stage}, {"epoch", static_cast<double>(lost_step) / static_cast<double>(batches())},
      {"step", lost_step},   {"to_stage", stage},
      {"to_step", step},     {"rate", rate},
      {"message", message}};
}

// ---------------------------------------------------------------- resuming

void Trainer::State::restore_state(const nlohmann::ordered_json& state, const std::string& path) {
  try {
    seconds_before = state.at("seconds").get<double>();
    epochs_without_better = state.at("epochs_without_better").get<std::int64_t>();
    const bool enough = options.patience > 0 && epochs_without_better >= options.patience;
    finished = state.at("finished").get<bool>() && (is_last_step() || enough || converged());
    optimiser->counts() = state.at("updates").get<std::map<std::string, std::int64_t>>();
    if (state.contains("best")) best = state["best"].get<double>();
    rollbacks.clear();
    if (state.contains("rollbacks"))
      rollbacks = state["rollbacks"].get<std::vector<nlohmann::ordered_json>>();
    for (const nlohmann::ordered_json& each : rollbacks) {
      for (const char* name : {"stage", "step", "to_stage", "to_step"}) each.at(name).get<std::int64_t>();
      each.at("message").get<std::string>();
    }
  } catch (const nlohmann::json::exception&) {
    fail_data(path, "the metadata entry 'state' is malformed");
  }
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
  } catch (const nlohmann::json::exception&) {
    fail_data(path, "the metadata entry 'state' is malformed");
  }
  if (good.stage < 0 || good.stage > stage || good.step < 0 || (good.stage == stage && good.step > step))
    fail_data(path, "the good state in the file is later than the state itself");
}

}  // namespace deepgen
