// Trajectory tempering of the restricted Boltzmann machine: training.learning=trajectory.
//
// Persistent chains move under the machine and under earlier states of its training, snapshots, oldest first;
// after each update neighbours t and t + 1 of the row swap states with the Metropolis probability of both energies,
//
//   min(1, p*_t(x_t+1) p*_t+1(x_t) / (p*_t(x_t) p*_t+1(x_t+1))),
//
// which leaves the product of their distributions as it is. The oldest snapshot is the machine at its first update,
// whose chains forget at once; what it finds climbs along the trajectory. Unlike temperatures, neighbours differ by
// what was learned between them, so their rates do not fall at a change of phase that training went through slowly.
//
// Renewal: where the share of accepted swaps between the machine and the newest snapshot (a moving average) falls
// below swap_target, the machine becomes the newest, with copies of its chains. To make room the snapshot goes whose
// neighbours then swap most readily, taken as the product of its two rates; the oldest stays. So the distances grow
// with the age where the run was slow, and all rates near the target.
//
// Source: Bereux, Decelle, Furtlehner, Rosset, Seoane 2025, "Fast training and sampling of restricted Boltzmann
// machines" (parallel trajectory tempering).
#include <numeric>
#include <vector>

#include "deepgen/models/boltzmann/rbm_training.h"

namespace deepgen {

// Snapshot t, or the machine itself after the last.
LevelMachine RbmStep::trajectory_machine(std::int64_t t) const {
  if (t == rbm_.learning_.snapshots) return {rbm_.coupling(), natural_, rbm_.hidden_natural()};
  const Tensor& z = rbm_.snapshot_log_variance;
  return {DenseCoupling(rbm_.snapshot_weights[t]),
          rbm_.natural_of(rbm_.snapshot_visible_bias[t], z.defined() ? z[t] : Tensor()),
          {rbm_.snapshot_hidden_bias[t], {}, {}}};
}

// log p*(v), [B] float64.
Tensor RbmStep::log_unnormalised(const LevelMachine& machine, const Tensor& v) const {
  Tensor input;
  machine.coupling.input_to_upper(input, machine.coupled(v));
  return rbm_.visible_units_.log_weight(v, machine.visible.theta, machine.visible.gamma) +
         rbm_.hidden_units_.log_partition(input.add_(machine.hidden.theta), {});
}

void RbmStep::trajectory_phase() {
  if (turn_.step == 0) begin_trajectory();
  const UnitLayer &visible = rbm_.visible_units_, &hidden = rbm_.hidden_units_;
  const std::int64_t last = rbm_.learning_.snapshots, count = rbm_.learning_.chains, steps = gibbs_steps();
  std::vector<LevelMachine> machines;
  for (std::int64_t t = 0; t <= last; ++t) machines.push_back(trajectory_machine(t));
  auto level = [&](const Tensor& rows, std::int64_t t) { return rows.narrow(0, t * count, count); };
  auto machine = [&](std::int64_t t) -> const LevelMachine& { return machines[static_cast<std::size_t>(t)]; };
  fit_buffer(w_.v, (last + 1) * count, rbm_.visible(), rbm_.chains.options());
  fit_buffer(w_.h, (last + 1) * count, rbm_.hidden(), rbm_.chains.options());
  auto move_hidden = [&](std::int64_t t, const Tensor& mean) {
    Tensor h = level(w_.h, t);
    machine(t).coupling.input_to_upper(h, machine(t).coupled(level(w_.v, t)));
    hidden.activate(h, machine(t).hidden, 1, rng_, {.mean = mean, .sample = level(rbm_.chains, t)}, true);
  };
  for (std::int64_t k = 0; k < steps; ++k)
    for (std::int64_t t = 0; t <= last; ++t) {
      Tensor v = level(w_.v, t);
      machine(t).coupling.input_to_lower(v, level(rbm_.chains, t));
      visible.activate(v, machine(t).visible, 1, rng_, {.sample = v}, true);
      if (k + 1 < steps) move_hidden(t, {});
    }
  constexpr double memory = 0.95;  // the machine moves on: rates of long ago say little
  const Tensor order = swap_order(last + 1, memory, [&](std::int64_t t) {
    auto gain = [&](std::int64_t from) {  // log p*_t+1 - log p*_t of the states at this level
      const Tensor v = level(w_.v, from);
      return log_unnormalised(machine(t + 1), v) - log_unnormalised(machine(t), v);
    };
    return gain(t) - gain(t + 1);
  });
  w_.v = w_.v.index_select(0, order);
  for (std::int64_t t = 0; t < last; ++t) move_hidden(t, {});
  const Tensor means = level(w_.h, last);
  move_hidden(last, means);
  add_model_statistics(machine(last).coupled(level(w_.v, last)).contiguous(), means);
  renew_snapshots();
}

// Every snapshot is the machine as it is when its training, or that of its layer, begins.
void RbmStep::begin_trajectory() {
  rbm_.snapshot_weights.copy_(rbm_.weights.expand_as(rbm_.snapshot_weights));
  rbm_.snapshot_visible_bias.copy_(rbm_.visible_bias.expand_as(rbm_.snapshot_visible_bias));
  rbm_.snapshot_hidden_bias.copy_(rbm_.hidden_bias.expand_as(rbm_.snapshot_hidden_bias));
  if (rbm_.snapshot_log_variance.defined())
    rbm_.snapshot_log_variance.copy_(rbm_.visible_log_variance.expand_as(rbm_.snapshot_log_variance));
  rbm_.swap_rates.fill_(1);
}

void RbmStep::renew_snapshots() {
  const std::int64_t count = rbm_.learning_.snapshots;
  float* rates = rbm_.swap_rates.data_ptr<float>();
  if (static_cast<double>(rates[count - 1]) >= rbm_.learning_.swap_target) return;
  std::int64_t leaves = count > 1 ? 1 : 0;
  for (std::int64_t t = 2; t < count; ++t)
    if (rates[t - 1] * rates[t] > rates[leaves - 1] * rates[leaves]) leaves = t;
  if (leaves > 0) rates[leaves - 1] *= rates[leaves];
  for (std::int64_t t = leaves; t + 1 < count; ++t) rates[t] = rates[t + 1];
  rates[count - 1] = 1;
  // The levels that move down by one, the machine itself as the last snapshot, and the machine.
  std::vector<std::int64_t> from(static_cast<std::size_t>(count + 1));
  std::iota(from.begin(), from.end(), 0);
  for (std::int64_t t = leaves; t < count; ++t) from[static_cast<std::size_t>(t)] = t + 1;
  const Tensor levels = at::tensor(from, at::kLong), kept = levels.narrow(0, 0, count);
  auto renew = [&](Tensor& snapshots, const Tensor& now) {
    snapshots.copy_(at::cat({snapshots, now.unsqueeze(0)}).index_select(0, kept));
  };
  renew(rbm_.snapshot_weights, rbm_.weights);
  renew(rbm_.snapshot_visible_bias, rbm_.visible_bias);
  renew(rbm_.snapshot_hidden_bias, rbm_.hidden_bias);
  if (rbm_.snapshot_log_variance.defined()) renew(rbm_.snapshot_log_variance, rbm_.visible_log_variance);
  const Tensor chains = rbm_.chains.view({count + 1, rbm_.learning_.chains, rbm_.hidden()});
  chains.copy_(chains.index_select(0, levels));
}

}  // namespace deepgen
