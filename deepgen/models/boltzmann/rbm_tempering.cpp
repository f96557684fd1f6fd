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
  const Tensor order = swap_order(w_.v, w_.h);
  w_.v = w_.v.index_select(0, order), w_.h = w_.h.index_select(0, order);
  move_hidden();
  Tensor y = level(w_.v, levels - 1);
  if (natural_.couple.defined()) y = y * natural_.couple;
  Tensor h = level(w_.h, levels - 1).contiguous();
  hidden.activate(h, rbm_.hidden_natural(), 1, rng_, {.mean = h});
  add_model_statistics(y, h);
}

// Which row takes which place. Pairs (t, t + 1) with t even or odd by turns; v [T M, V], input y W [T M, H].
Tensor RbmStep::swap_order(const Tensor& v, const Tensor& input) {
  const UnitLayer &visible = rbm_.visible_units_, &hidden = rbm_.hidden_units_;
  const std::int64_t levels = rbm_.learning_.temperatures, count = rbm_.learning_.chains;
  const NaturalParameters base = rbm_.base_natural();
  const Tensor slope =
      visible.log_weight(v, natural_.theta, natural_.gamma) - visible.log_weight(v, base.theta, base.gamma);
  const Tensor a = input + rbm_.hidden_bias;
  std::vector<std::int64_t> order(static_cast<std::size_t>(levels * count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  constexpr double memory = 0.99;
  for (std::int64_t t = turn_.step % 2; t + 1 < levels; t += 2) {
    const double low = static_cast<double>(t) / static_cast<double>(levels - 1),
                 high = static_cast<double>(t + 1) / static_cast<double>(levels - 1);
    auto gain = [&](std::int64_t from) {  // log p*_high - log p*_low of the states at this level
      const Tensor rows = a.narrow(0, from * count, count);
      return slope.narrow(0, from * count, count) * (high - low) + hidden.log_partition(rows * high, {}) -
             hidden.log_partition(rows * low, {});
    };
    const Tensor log_ratio = gain(t) - gain(t + 1);
    double accepted = 0;
    for (std::int64_t m = 0; m < count; ++m) {
      if (std::log(rng_.uniform()) >= log_ratio.data_ptr<double>()[m]) continue;
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
