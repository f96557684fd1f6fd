#include "deepgen/train/stage_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

bool says_its_epochs(const Stage& stage) { return stage.training.contains("epochs"); }

double shares_of(const std::vector<Stage>& stages) {
  double shares = 0;
  for (const Stage& stage : stages)
    if (!says_its_epochs(stage)) shares += stage.share;
  return shares;
}

// What a step costs beside others of the same model.
double work_of(const StagePlan& plan) {
  return static_cast<double>(plan.options.batch) * static_cast<double>(plan.updates());
}

StagePlan plan_stage(const Stage& stage, const FlatParameters& flat, const TrainingOptions& run,
                     double shares, const EpochCases& cases, std::int64_t fewest) {
  if (stage.phases.empty())
    throw Error(ErrorKind::bug, "stage " + stage.name, "expected at least one phase, got none");
  StagePlan plan;
  plan.name = stage.name;
  plan.options = stage_options(run, stage, shares);
  plan.phases = stage.phases;
  std::vector<Tensor> all;
  for (const Phase& phase : stage.phases) {
    plan.slices.push_back(flat.slices_of(phase.parameters));
    all.insert(all.end(), phase.parameters.begin(), phase.parameters.end());
  }
  plan.trained = flat.slices_of(all);
  plan.labelled = stage.labelled;
  const std::int64_t visited = stage.labelled ? cases.labelled : cases.all;
  const std::int64_t batch = plan.options.batch, rest = visited % batch;
  plan.pass = std::max<std::int64_t>(1, visited / batch + (rest > 0 && rest >= fewest ? 1 : 0));
  plan.batches = plan.pass * plan.options.passes;
  return plan;
}

}  // namespace

std::int64_t StagePlan::updates() const {
  std::int64_t count = 0;
  for (const Phase& phase : phases) count += phase.repeats;
  return count;
}

bool StagePlan::trains(const Slice& slice) const {
  return std::any_of(trained.begin(), trained.end(),
                     [&](const Slice& each) { return each.offset == slice.offset; });
}

TrainingOptions stage_options(const TrainingOptions& run, const Stage& stage, double shares) {
  TrainingOptions options = run;
  const std::string who = "stage " + stage.name;
  for (const auto& [name, text] : stage.training) {
    if (name == "updates" || name == "checkpoint_every" || name == "rollbacks")
      fail_usage(who, fmt::format("expected options of one stage, got {}, which the whole run has", name));
    set_option(options, who, name, text);
  }
  if (says_its_epochs(stage)) return options;
  const double epochs = static_cast<double>(run.epochs) * stage.share / shares;
  options.epochs = std::max<std::int64_t>(1, std::llround(epochs));
  return options;
}

std::vector<StagePlan> plan_stages(const std::vector<Stage>& stages, const FlatParameters& flat,
                                   const TrainingOptions& run, const EpochCases& cases, std::int64_t fewest) {
  if (stages.empty()) throw Error(ErrorKind::bug, "training", "expected at least one stage, got none");
  std::vector<StagePlan> plans;
  for (const Stage& stage : stages)
    plans.push_back(plan_stage(stage, flat, run, shares_of(stages), cases, fewest));
  return plans;
}

double steps_left(const std::vector<StagePlan>& plans, int stage, std::int64_t step) {
  const auto present = static_cast<std::size_t>(stage);
  double left = static_cast<double>(std::max<std::int64_t>(0, plans[present].steps() - step));
  for (std::size_t s = present + 1; s < plans.size(); ++s)
    left += static_cast<double>(plans[s].steps()) * work_of(plans[s]) / work_of(plans[present]);
  return left;
}

std::int64_t steps_in_all(const std::vector<StagePlan>& plans) {
  std::int64_t steps = 0;
  for (const StagePlan& plan : plans) steps += plan.steps();
  return steps;
}

std::int64_t steps_before(const std::vector<StagePlan>& plans, int stage, std::int64_t step) {
  for (std::size_t s = 0; s < static_cast<std::size_t>(stage); ++s) step += plans[s].steps();
  return step;
}

}  // namespace deepgen
