#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// Of v and h without a condition.
std::shared_ptr<Rbm> plain_machine(const DynamicBiasOptions& options, UnitLayer visible) {
  RbmOptions machine;
  machine.hidden = options.hidden, machine.weight_scale = options.weight_scale;
  machine.variance = options.variance, machine.smallest_deviation = options.smallest_deviation;
  RbmLearning rule;
  rule.learning = "cd", rule.centring = false;  // it neither learns nor keeps chains by itself
  return std::make_shared<Rbm>(machine, rule, std::move(visible));
}

}  // namespace

// ---------------------------------------------------------------- construction

DynamicBiasRbm::DynamicBiasRbm(const DynamicBiasOptions& options, const DynamicBiasLearning& learning,
                               UnitLayer visible, std::int64_t condition_columns)
    : exact_learning_(learning.learning == "exact"),
      fixed_variance_(options.variance == "fixed"),
      learning_steps_(learning.gibbs_steps) {
  machine_ = register_module("machine", plain_machine(options, std::move(visible)));
  to_visible = register_parameter("to_visible", at::zeros({condition_columns, machine_->visible()}), false);
  to_hidden = register_parameter("to_hidden", at::zeros({condition_columns, machine_->hidden()}), false);
  if (exact_learning_ && !can_enumerate())
    fail_usage(
        "training.learning",
        fmt::format("exact learning enumerates at most {} hidden units, or as many binary ones that are "
                    "modelled, got {} and {}; use cd",
                    most_exact_units, machine_->hidden(), machine_->visible()));
}

bool DynamicBiasRbm::enumerates_hidden() const {
  return !visible_layer().all(UnitKind::binary) || machine_->hidden() <= machine_->visible();
}

std::int64_t DynamicBiasRbm::exact_units() const {
  return enumerates_hidden() ? machine_->hidden() : machine_->visible();
}

// ---------------------------------------------------------------- chains

GivenBiases DynamicBiasRbm::biases_given(const Tensor& condition) const {
  GivenBiases given{{}, machine_->visible_natural(), machine_->hidden_natural()};
  DenseCoupling(to_visible).input_to_upper(given.centre, condition);
  given.centre.add_(machine_->visible_bias);
  const Tensor& gamma = given.visible.gamma;
  given.visible.theta = gamma.defined() ? given.centre * gamma : given.centre;
  Tensor hidden;
  DenseCoupling(to_hidden).input_to_upper(hidden, condition);
  given.hidden.theta = hidden.add_(machine_->hidden_bias);
  return given;
}

Tensor DynamicBiasRbm::coupled_input(const Tensor& v) const {
  Tensor input;
  machine_->coupling().input_to_upper(input, machine_->coupled(v));
  return input;
}

Tensor DynamicBiasRbm::gibbs_given(const GivenBiases& given, const Tensor& v, std::int64_t steps,
                                   const Tensor& known, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor now = v.clone();
  for (std::int64_t k = 0; k < steps; ++k) {
    Tensor h = coupled_input(now);
    machine_->hidden_layer().activate(h, given.hidden, 1, rng, {.sample = h});
    machine_->coupling().input_to_lower(now, h);
    visible_layer().activate(now, given.visible, 1, rng, {.sample = now});
    if (known.defined()) now = at::where(known, v, now);
  }
  return now;
}

Tensor DynamicBiasRbm::mean_given(const GivenBiases& given, const Tensor& v, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor h = coupled_input(v), mean;
  machine_->hidden_layer().activate(h, given.hidden, 1, rng, {.sample = h});
  machine_->coupling().input_to_lower(mean, h);
  visible_layer().activate(mean, given.visible, 1, rng, {.mean = mean});
  return mean;
}

// ---------------------------------------------------------------- scores

Tensor DynamicBiasRbm::free_energy_given(const GivenBiases& given, const Tensor& v) const {
  NoGradGuard no_graph;
  return -(visible_layer().log_weight(v, given.visible.theta, given.visible.gamma) +
           machine_->hidden_layer().log_partition(coupled_input(v) + given.hidden.theta, {}));
}

Tensor DynamicBiasRbm::annealed_log_partition_given(const GivenBiases& given, std::int64_t chains,
                                                    std::int64_t steps, Rng& rng) const {
  NoGradGuard no_graph;
  const UnitLayer &visible = visible_layer(), &hidden = machine_->hidden_layer();
  const Tensor &c = given.hidden.theta, &gamma = given.visible.gamma;
  std::vector<Tensor> weights;
  for (std::int64_t chain = 0; chain < chains; ++chain) {
    Tensor v = visible.sample(given.visible.theta, gamma, rng);
    Tensor log_weight = at::zeros({v.size(0)}, at::kDouble);
    for (std::int64_t k = 0; k < steps; ++k) {
      const double from = static_cast<double>(k) / static_cast<double>(steps);
      const double to = static_cast<double>(k + 1) / static_cast<double>(steps);
      Tensor h = coupled_input(v);
      log_weight.add_(hidden.log_partition(c + h * to, {}) - hidden.log_partition(c + h * from, {}));
      hidden.activate(h, given.hidden, to, rng, {.sample = h});
      machine_->coupling().input_to_lower(v, h);
      visible.activate(v, given.visible, to, rng, {.sample = v});
    }
    weights.push_back(log_weight);
  }
  const Tensor base = visible.log_partition(given.visible.theta, gamma) + hidden.log_partition(c, {});
  return base + at::logsumexp(at::stack(weights), 0) - std::log(static_cast<double>(chains));
}

}  // namespace deepgen
