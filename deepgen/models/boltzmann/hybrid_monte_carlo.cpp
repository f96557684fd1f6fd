#include "deepgen/models/boltzmann/hybrid_monte_carlo.h"

#include <algorithm>

#include "deepgen/ops/unit_layers.h"

namespace deepgen {
namespace {

Tensor kinetic_energy(const Tensor& p) { return (p * p).sum(1, false, at::kDouble) / 2; }

}  // namespace

PhasePoint leapfrog(const EnergyField& field, const PhasePoint& start, const HybridPlan& plan) {
  NoGradGuard no_graph;
  const Tensor reach = plan.scale * plan.step;
  Tensor x = start.x, p = start.p - field.slope(start.x) * (reach * 0.5);
  for (std::int64_t k = 1; k <= plan.leapfrogs; ++k) {
    x = x + p * reach;
    p = p - field.slope(x) * (k < plan.leapfrogs ? reach : reach * 0.5);
  }
  return {x, p};
}

HybridMove hybrid_move(const EnergyField& field, const Tensor& x, const HybridPlan& plan, Rng& rng) {
  NoGradGuard no_graph;
  HybridPlan drawn = plan;
  drawn.step = plan.step * (0.8 + 0.4 * rng.uniform());
  const PhasePoint start{x, normal(x.size(0), x.size(1), rng.next())};
  const PhasePoint end = leapfrog(field, start, drawn);
  const Tensor gain =
      field.energy(start.x) + kinetic_energy(start.p) - field.energy(end.x) - kinetic_energy(end.p);
  const Tensor chance = uniform(x.size(0), 1, rng.next()).squeeze(1).to(at::kDouble);
  // Energies that are no numbers compare false: such ends are refused.
  const Tensor accepted = at::logical_or(gain >= 0, chance < gain.clamp_max(0).exp());
  const double share = static_cast<double>(accepted.sum().item<std::int64_t>()) /
                       static_cast<double>(std::max<std::int64_t>(x.size(0), 1));
  const Tensor moves = at::logical_and(accepted.unsqueeze(1), plan.scale != 0);
  return {at::where(moves, end.x, x), share};
}

Tensor new_step_length(double step) {
  constexpr double target = 0.9;
  return at::tensor({static_cast<float>(step), static_cast<float>(target)});
}

// Source: Ranzato and Hinton 2010, section 3.1: the running average decides.
void follow_acceptance(Tensor& step_length, double accepted) {
  constexpr double target = 0.9, memory = 0.9, change = 1.02, least = 1e-4, most = 1;
  float* state = step_length.data_ptr<float>();
  const double average = memory * static_cast<double>(state[1]) + (1 - memory) * accepted;
  const double step = static_cast<double>(state[0]) * (average > target ? change : 1 / change);
  state[0] = static_cast<float>(std::clamp(step, least, most)), state[1] = static_cast<float>(average);
}

}  // namespace deepgen
