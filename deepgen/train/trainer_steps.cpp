#include <fmt/format.h>

#include <algorithm>

#include "deepgen/train/norm.h"
#include "deepgen/train/row_order.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {
namespace {

// Steps between looks at the parameters and between copies of a good state within an epoch: a copy costs
// about as much as an update.
constexpr std::int64_t check_steps = 100, copy_steps = 200;

// The usual norm is that at the start, or that of parameters of size one where this is larger. Healthy runs
// stay within some ten times of it. A state beyond the first limit is not returned to; beyond the second,
// training has diverged.
constexpr double suspicious_growth = 1e2, diverged_growth = 1e4;

}  // namespace

Rows Trainer::State::next_batch() {
  const std::int64_t batch = plan().options.batch;
  const std::int64_t pass = step / plan().pass, first = step % plan().pass * batch;
  const auto s = static_cast<std::uint64_t>(stage), p = static_cast<std::uint64_t>(pass);
  if (order_of != std::pair(stage, pass)) {
    order = row_order(data.train, rng.fork({Purpose::order_noise, s, p}), plan().labelled);
    order_of = {stage, pass};
  }
  const auto last = std::min<std::int64_t>(first + batch, std::ssize(order));
  const std::vector<std::int64_t> index(order.begin() + first, order.begin() + last);
  Rows rows =
      Dataset::rows(data.train, index, rng.fork({Purpose::batch_noise, s, static_cast<std::uint64_t>(step)}));
  rows.weights.reset();  // they were drawn by weight
  return rows;
}

void Trainer::State::one_turn(const Rows& batch, int phase, int repeat, double rate) {
  const auto s = static_cast<std::uint64_t>(stage);
  const auto p = static_cast<std::size_t>(phase);
  const std::vector<Slice>& slices = plan().slices[p];
  const std::string& name = plan().phases[p].name;
  const Turn now = turn(phase, repeat);
  Rng turn_rng = rng.fork(
      {Purpose::turn_noise, s, static_cast<std::uint64_t>(step), p, static_cast<std::uint64_t>(repeat)});
  Metrics metrics;
  try {
    metrics = learner->gradients(batch, now, turn_rng);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical) throw;
    diverge(error.what(), name);
  }
  for (const auto& [metric, value] : metrics) check_finite(metric, value, name);
  epoch.add(p, metrics);
  double scale = 1;
  if (const double clip = plan().options.clip; clip > 0) {
    const double length = optimiser->gradient_norm(slices);
    check_finite("the norm of the gradient", length, name);
    if (length > clip) scale = clip / length;
  }
  optimiser->update(slices, rate, scale);
  model->project(now);
}

// A set that is binarised anew for each batch is binarised once here, the same way in every pass: the passes
// must see the same rows for their objective to rise.
Rows Trainer::State::next_rows() {
  const std::int64_t place = step % plan().batches, first = place * plan().options.batch;
  const std::int64_t count = std::min(plan().options.batch, data.train.cases() - first);
  return Dataset::rows(
      data.train, first, count,
      rng.fork({Purpose::batch_noise, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(place)}));
}

void Trainer::State::one_fit_step() {
  const std::string& name = plan().phases.back().name;
  Metrics metrics;
  try {
    metrics = fit->gather(next_rows());
    if ((step + 1) % plan().batches == 0) metrics = fit->finish_pass();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical) throw;
    diverge(error.what(), name);
  }
  for (const auto& [metric, value] : metrics) check_finite(metric, value, name);
  epoch.clear();  // a pass says by itself what it came to
  epoch.add(0, metrics);
  ++step;
}

void Trainer::State::one_step() {
  if (fit) return one_fit_step();
  const Rows batch = next_batch();
  const double rate = rate_at(step);
  for (std::size_t p = 0; p < plan().phases.size(); ++p)
    for (int repeat = 0; repeat < plan().phases[p].repeats; ++repeat)
      one_turn(batch, static_cast<int>(p), repeat, rate * plan().phases[p].rate);
  ++step;
  const bool ends_epoch = step % plan().batches == 0;
  if (step % check_steps == 0 || ends_epoch) check_parameters();
  if (step % copy_steps != 0 || ends_epoch) return;  // at the end of an epoch there is more to check
  check_tensors();
  if (is_sensible()) keep_good();
}

Metrics Trainer::State::end_epoch_metrics() {
  const std::int64_t number = step / plan().batches;
  Metrics metrics = {{"stage", static_cast<double>(stage)},
                     {"epoch", static_cast<double>(number)},
                     {"step", static_cast<double>(step)},
                     {"seconds", seconds()}};
  if (!fit) metrics.emplace_back("rate", rate_at(step - 1));
  const Metrics turns = epoch.line(plan().phases);
  metrics.insert(metrics.end(), turns.begin(), turns.end());
  epoch.clear();
  Rng own = rng.fork(
      {Purpose::probe_noise, 2, static_cast<std::uint64_t>(stage), static_cast<std::uint64_t>(number)});
  const Metrics more = model->diagnose(train_probe, valid_probe, own);
  metrics.insert(metrics.end(), more.begin(), more.end());
  return metrics;
}

// ---------------------------------------------------------------- divergence

void Trainer::State::diverge(const std::string& seen, const std::string& phase) const {
  throw Diverged(fmt::format("stage {}, phase {}, step {}", plan().name, phase, step), seen,
                 fit ? "look for extreme values in the data" : "try a smaller training.rate");
}

void Trainer::State::check_finite(const std::string& name, double value, const std::string& phase) const {
  if (!std::isfinite(value))
    diverge(fmt::format("{} is {}", name, std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"), phase);
}

void Trainer::State::check_parameters() {
  norm = parameter_norm();
  if (!std::isfinite(norm)) check_tensors();
  if (norm > diverged_growth * usual_norm)
    diverge(fmt::format("the norm of the parameters is {:.3g}, more than {:.3g}", norm,
                        diverged_growth * usual_norm),
            plan().phases.back().name);
}

bool Trainer::State::is_sensible() const { return norm <= suspicious_growth * usual_norm; }

void Trainer::State::check_tensors() const {
  for (const auto& [name, tensor] : tensors())
    if (!all_finite(tensor)) diverge(name + " is not finite", plan().phases.back().name);
}

void Trainer::State::check_epoch(const Metrics& metrics) const {
  for (const auto& [name, value] : metrics) check_finite(name, value, "diagnosis");
  const std::string reason = model->diverged(metrics);
  if (!reason.empty()) diverge(reason, "diagnosis");
  check_tensors();
}

}  // namespace deepgen
