#include <fmt/format.h>

#include "deepgen/train/norm.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {

double Trainer::State::parameter_norm() const {
  return std::sqrt(sum_of_squares(flat->values.data_ptr<float>(), flat->values.numel()));
}

void Trainer::State::copy_present(GoodState& into) const {
  torch::NoGradGuard no_graph;
  if (into.stage != stage) into.tensors.clear();  // another stage has other slots
  for (const auto& [name, tensor] : tensors()) {
    const auto kept = into.tensors.find(name);
    if (kept == into.tensors.end())
      into.tensors[name] = tensor.detach().clone();
    else
      kept->second.copy_(tensor);
  }
  into.updates = optimiser->counts();
  into.stage = stage, into.step = step, into.epochs_without_better = epochs_without_better;
  into.stage_begun = stage_begun;
  into.epoch = epoch;
}

void Trainer::State::keep_good() {
  if (rollbacks_allowed() > 0) copy_present(good);
}

bool Trainer::State::good_is_at_fault() const {
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
  std::map<std::string, Tensor> weights;
  collect_tensors(*model, "model.", weights);
  for (auto& [name, tensor] : weights) tensor.copy_(to.tensors.at(name));
  use_optimiser_of(to.stage);
  for (auto& [name, tensor] : tensors())
    if (const auto kept = to.tensors.find(name); kept != to.tensors.end()) Tensor(tensor).copy_(kept->second);
  optimiser->counts() = to.updates;
  if (best.stage > stage) best = {};
  step = to.step, epochs_without_better = to.epochs_without_better, stage_begun = to.stage_begun;
  epoch = to.epoch;
  norm = parameter_norm();
}

void Trainer::State::return_if_not_finite() {
  try {
    check_tensors();
  } catch (const Diverged&) {
    if (!may_roll_back()) throw;
    return_to(good);
  }
}

void Trainer::State::roll_back(const std::string& seen) {
  const int from_stage = stage;
  const std::int64_t from_step = step;
  const double from_epoch = static_cast<double>(from_step) / static_cast<double>(plan().batches);
  const bool to_start = start.stage >= 0 && good_is_at_fault();
  return_to(to_start ? start : good);
  if (to_start) good = {};   // there is none until the first stage has begun again
  rollbacks.emplace_back();  // from here on the rate is half
  const double rate = rate_at(step);
  std::string where = fmt::format("step {}", step);
  if (stage != from_stage) where += " of stage " + plan().name;
  const std::string message = fmt::format("{}: back to {} with half the rate ({:.4g}); {} of {} times", seen,
                                          where, rate, rollbacks.size(), rollbacks_allowed());
  rollbacks.back() = {
      {"event", "rollback"}, {"number", rollbacks.size()}, {"stage", from_stage}, {"epoch", from_epoch},
      {"step", from_step},   {"to_stage", stage},          {"to_step", step},     {"rate", rate},
      {"message", message}};
}

}  // namespace deepgen
