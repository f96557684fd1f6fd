// Parallel tempering of the restricted Boltzmann machine.
#include <cmath>
#include <utility>
#include <vector>

#include "deepgen/models/boltzmann/rbm_annealing.h"
#include "deepgen/models/boltzmann/rbm_training.h"

namespace deepgen {

// Chains at inverse temperatures 0, 1/(T-1), ..., 1 along the annealing path; after each update neighbours
// swap states with the Metropolis probability of their free energies. Those at 1 are the model's.
void RbmStep::tempered_phase() {
  const UnitLayer &visible = rbm_.visible_units_, &hidden = rbm_.hidden_units_;
  const std::int64_t levels = rbm_.learning_.temperatures, count = rbm_.learning_.chains;
  const NaturalParameters base = rbm_.base_natural();
  const std::int64_t steps = gibbs_steps();
  auto level = [&](Tensor& rows, std::int64_t t) { return rows.narrow(0, t * count, count); };
  auto beta = [&](std::int64_t t) { return static_cast<double>(t) / static_cast<double>(levels - 1); };
  auto move_hidden = [&] {
    for (std::int64_t t = 0; t < levels; ++t) {
      const NaturalParameters p{rbm_.hidden_bias * beta(t), {}, {}};
      hidden.activate(level(w_.h, t), p, beta(t), rng_, {.sample = level(rbm_.chains, t)}, true);
    }
  };
  for (std::int64_t k = 0; k < steps; ++k) {
    rbm_.coupling().input_to_lower(w_.v, rbm_.chains);
    for (std::int64_t t = 0; t < levels; ++t)
      visible.activate(level(w_.v, t), between(base, natural_, beta(t)), beta(t), rng_,
                       {.sample = level(w_.v, t)}, true);
    rbm_.coupling().input_to_upper(w_.h, natural_.couple.defined() ? w_.v * natural_.couple : w_.v);
    if (k + 1 < steps) move_hidden();
  }
  const Tensor slope = visible.log_weight(w_.v, natural_.theta, natural_.gamma) -
                       visible.log_weight(w_.v, base.theta, base.gamma);
  const Tensor a = w_.h + rbm_.hidden_bias;
  constexpr double memory = 0.99;
  const Tensor order = swap_order(levels, memory, [&](std::int64_t t) {
    auto gain = [&](std::int64_t from) {  // log p*_high - log p*_low of the states at this level
      const Tensor rows = a.narrow(0, from * count, count);
      return slope.narrow(0, from * count, count) * (beta(t + 1) - beta(t)) +
             hidden.log_partition(rows * beta(t + 1), {}) - hidden.log_partition(rows * beta(t), {});
    };
    return gain(t) - gain(t + 1);
  });
  w_.v = w_.v.index_select(0, order), w_.h = w_.h.index_select(0, order);
  move_hidden();
  Tensor y = level(w_.v, levels - 1);
  if (natural_.couple.defined()) y = y * natural_.couple;
  Tensor h = level(w_.h, levels - 1).contiguous();
  hidden.activate(h, rbm_.hidden_natural(), 1, rng_, {.mean = h});
  add_model_statistics(y, h);
}

// Which row takes which place, [levels * chains]. Pairs (t, t + 1) with t even or odd by turns.
Tensor RbmStep::swap_order(std::int64_t levels, double memory, const LogRatio& log_ratio) {
  const std::int64_t count = rbm_.learning_.chains;
  std::vector<std::int64_t> order(static_cast<std::size_t>(levels * count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::int64_t t = turn_.step % 2; t + 1 < levels; t += 2) {
    const Tensor gains = log_ratio(t);
    double accepted = 0;
    for (std::int64_t m = 0; m < count; ++m) {
      if (std::log(rng_.uniform()) >= gains.data_ptr<double>()[m]) continue;
      std::swap(order[static_cast<std::size_t>(t * count + m)],
                order[static_cast<std::size_t>((t + 1) * count + m)]);
      accepted += 1;
    }
    float& rate = rbm_.swap_rates.data_ptr<float>()[t];
    rate = static_cast<float>(memory * static_cast<double>(rate) +
                              (1 - memory) * accepted / static_cast<double>(count));
  }
  return at::tensor(order, at::kLong);
}

}  // namespace deepgen
