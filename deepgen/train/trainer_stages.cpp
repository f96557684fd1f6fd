#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "deepgen/data/known_labels.h"
#include "deepgen/train/average_in_place.h"
#include "deepgen/train/check_split.h"
#include "deepgen/train/norm.h"
#include "deepgen/train/row_order.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {
namespace {

constexpr std::int64_t initial_rows = 20000, probe_rows = 1000;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// How many of these cases have no more than so many rows together, at least one.
std::size_t cases_within(const Split& split, const std::vector<std::int64_t>& index, std::int64_t rows) {
  if (!split.starts.defined()) return std::min(index.size(), static_cast<std::size_t>(rows));
  const Tensor starts = split.starts.contiguous();
  const auto* first = starts.data_ptr<std::int64_t>();
  std::size_t count = 0;
  for (std::int64_t sum = 0; count < index.size(); ++count) {
    const std::int64_t at = index[count];
    sum += (at + 1 < split.cases() ? first[at + 1] : split.rows()) - first[at];
    if (count > 0 && sum > rows) break;
  }
  return count;
}

// Which rows come first among those that a model looks at, where there may be few of them: the labelled ones,
// from which a classifier begins; or those without, so that a model which cannot learn from them says so before
// the first step.
enum class FirstRows { any, labelled, unlabelled };

// Rows for models to look at: at most so many of the first in a fixed order of cases.
Rows probe_of(const Split& split, std::int64_t rows, const Rng& rng, FirstRows first = FirstRows::any) {
  if (split.rows() == 0) return {};
  std::vector<std::int64_t> index = row_order(split, rng.fork({Purpose::probe_noise}));
  if (first != FirstRows::any && split.y.defined() && !split.starts.defined()) {
    const auto* y = split.y.data_ptr<std::int64_t>();
    const bool labelled = first == FirstRows::labelled;
    std::stable_partition(index.begin(), index.end(),
                          [&](std::int64_t row) { return (y[row] >= 0) == labelled; });
  }
  index.resize(cases_within(split, index, rows));
  Rows probe = Dataset::rows(split, index, rng.fork({Purpose::probe_noise, 1}));
  probe.weights.reset();  // they were drawn by weight
  return probe;
}

void refuse_unlabelled(const Dataset& data, const Split& split) {
  if (split.rows() == 0) return;
  const std::int64_t unknown = split.y.defined() ? (split.y < 0).sum().item<std::int64_t>() : split.rows();
  if (unknown > 0)
    fail_data(
        data.spec,
        fmt::format("expected a label for every row of {}: the model is conditional on it; got {} of {} rows "
                    "without one; leave these out, or train a model that needs no labels",
                    split.name, unknown, split.rows()));
}

// What a condition asks of the data.
void check_condition(const Model& model, const Dataset& data) {
  const auto* conditional = as<IsConditional>(model);
  if (conditional && conditional->condition_mask().defined() && data.transform.whitened())
    fail_data(
        data.spec,
        "expected data without whiten=true: its columns are mixtures, so those that are given would tell "
        "of those that are to be predicted");
  if (needed_classes(model) == 0) return;
  refuse_unlabelled(data, data.train);
  refuse_unlabelled(data, data.valid);
}

}  // namespace

// ---------------------------------------------------------------- time

void Trainer::State::start_clock() {
  sitting_began = clock();
  running = true;
  pace.begin(sitting_began);
}

void Trainer::State::stop_clock() {
  seconds_before = seconds();
  running = false;
}

void Trainer::State::report_progress(Observer& observer) {
  constexpr double interval = 0.2;  // seconds
  const double now = clock();
  if (last_report >= 0 && now - last_report <= interval) return;
  last_report = now;
  observer.progress({.what = plans.size() > 1 ? "training " + plan().name : "training",
                     .done = steps_before(plans, stage, step),
                     .total = steps_in_all(plans),
                     .seconds = seconds(),
                     .seconds_left = pace.seconds_for(steps_left(plans, stage, step), now)},
                    epoch.line(plan().phases));
}

// ---------------------------------------------------------------- preparation

Rows Trainer::State::first_rows() const {
  const FirstRows first = as<IsConditional>(*model) ? FirstRows::unlabelled
                          : as<CanClassify>(*model) ? FirstRows::labelled
                                                    : FirstRows::any;
  return probe_of(data.train, initial_rows, rng.fork({Purpose::start_noise}), first);
}

void Trainer::State::prepare() {
  if (!clock) clock = steady_seconds;
  if (!fit && !learner)
    fail_usage(settings.model,
               "expected a model that learns from data, got one that has neither gradients nor "
               "passes over the rows; there is nothing to train");
  if (data.train.rows() < 1) fail_data(data.spec, "expected at least one training row");
  for (const Split* split :
       {&data.train, &data.valid, &data.test})  // bad test rows should not cost a training
    check_split(*model, *split, data.name + " " + split->name);
  check_condition(*model, data);
  Rng own = rng.fork({Purpose::start_noise, 2});
  model->initialise(first_rows(), own);
  flat = std::make_unique<FlatParameters>(*model);
  const EpochCases cases{.all = data.train.cases(), .labelled = std::ssize(labelled_rows(data.train))};
  plans = plan_stages(model->stages(), *flat, settings.training, cases, learner ? learner->fewest_rows() : 1);
  check_settings();
  train_probe = probe_of(data.train, probe_rows, rng);
  valid_probe = probe_of(data.valid, probe_rows, rng);
  mark_start();
}

void Trainer::State::check_settings() const {
  for (std::size_t s = 0; s < plans.size(); ++s) {
    const StagePlan& each = plans[s];
    if (each.labelled && (data.train.starts.defined() || labelled_rows(data.train).empty()))
      fail_data(data.spec, fmt::format("expected training rows with labels, from which stage {} learns; got "
                                       "none; read labels with the option labels= of the data",
                                       each.name));
    model->check_optimiser(each.options.optimiser, static_cast<int>(s));
    if (fit && each.options.average > 0)
      fail_usage(
          "training.average",
          "expected 0: this model is fitted by passes over the rows, which have no updates to average");
    if (fit && each.options.passes > 1)
      fail_usage("training.passes", "expected 1: this model is fitted anew by each pass over the rows");
  }
}

void Trainer::State::mark_start() {
  use_optimiser_of(0);
  double parameters = 0;
  for (const Slice& slice : flat->slices()) parameters += static_cast<double>(slice.size);
  norm = parameter_norm();
  usual_norm = std::max({norm, std::sqrt(parameters), 1.0});
  if (rollbacks_allowed() == 0) return;
  torch::NoGradGuard no_graph;
  start = {};
  start.stage = 0, start.stage_begun = false;
  std::map<std::string, Tensor> present;
  collect_tensors(*model, "model.", present);
  for (const auto& [name, tensor] : present) start.tensors[name] = tensor.detach().clone();
}

// ---------------------------------------------------------------- stages

bool Trainer::State::stage_is_over() const {
  if (step >= plan().steps()) return true;
  return step > 0 && step % plan().batches == 0 && (is_out_of_patience() || has_converged());
}

void Trainer::State::use_optimiser_of(int s) {
  stage = s;
  optimiser = std::make_unique<Optimiser>(plan().options, *flat);
  flat->gradients.zero_();  // as after a resume
}

void Trainer::State::reach_stage() {
  if (stage_is_over() && !is_last_stage()) next_stage();
  if (!stage_begun) begin_stage();
}

void Trainer::State::next_stage() {
  torch::NoGradGuard no_graph;
  if (plan().options.patience > 0 && best.stage == stage && !best.tensors.empty()) {
    std::map<std::string, Tensor> present;
    collect_tensors(*model, "best.", present);
    for (auto& [name, tensor] : present) tensor.copy_(best.tensors.at(name));
  } else if (optimiser->average().defined()) {
    for (const Slice& slice : plan().trained)
      FlatParameters::view(flat->values, slice).copy_(FlatParameters::view(optimiser->average(), slice));
  }
  use_optimiser_of(stage + 1);
  step = 0, epochs_without_better = 0, stage_begun = false;
  epoch.clear();
}

void Trainer::State::begin_stage() {
  Rng own = rng.fork({Purpose::stage_noise, static_cast<std::uint64_t>(stage)});
  try {
    model->begin_stage(turn(), first_rows(), own);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical) throw;
    diverge(error.what(), "begin");
  }
  flat->reclaim(*model);
  use_optimiser_of(stage);  // its average begins with the weights as they are now
  check_tensors();
  norm = parameter_norm();
  usual_norm = std::max(usual_norm, norm);
  if (best.stage != stage) best = {};  // the same where training went back to the start
  stage_begun = true;
  keep_good();
  if (running) pace.begin(clock());  // what a beginning costs is not the pace of the steps
}

bool Trainer::State::note_score(double score) {
  if (plan().options.patience == 0) return false;
  const bool better = best.stage != stage || score > best.score;
  epochs_without_better = better ? 0 : epochs_without_better + 1;
  if (!better) return false;
  best = {stage, score, {}};
  if (is_last_stage()) return true;
  const AverageInPlace averaged(flat->values, optimiser->average(), plan().trained);
  collect_tensors(*model, "best.", best.tensors);
  for (auto& [name, tensor] : best.tensors) tensor = tensor.detach().clone();
  return true;
}

// The first phase that trains a parameter names its slots in a checkpoint.
std::string Trainer::State::owner_of(const Slice& slice) const {
  for (std::size_t p = 0; p < plan().phases.size(); ++p)
    for (const Slice& owned : plan().slices[p])
      if (owned.offset == slice.offset) return plan().phases[p].name;
  return "none";
}

std::map<std::string, Tensor> Trainer::State::tensors() const {
  std::map<std::string, Tensor> all;
  collect_tensors(*model, "model.", all);
  if (optimiser->average().defined())
    for (const Slice& slice : flat->slices())  // of what the stage does not train the average is the value
      all["average." + slice.name] =
          FlatParameters::view(plan().trains(slice) ? optimiser->average() : flat->values, slice);
  for (const Slice& slice : plan().trained)
    for (const auto& [slot, buffer] : optimiser->slots())
      all[fmt::format("optimiser.{}.{}.{}", owner_of(slice), slot, slice.name)] =
          FlatParameters::view(buffer, slice);
  return all;
}

}  // namespace deepgen
