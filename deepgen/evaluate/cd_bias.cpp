#include "deepgen/evaluate/cd_bias.h"

#include <algorithm>
#include <cmath>

#include "deepgen/core/rng.h"
#include "deepgen/core/work.h"
#include "deepgen/models/boltzmann/enumerated_rbm.h"

namespace deepgen {
namespace {

static_assert(most_cd_bias_units == EnumeratedRbm::most_units);

double length_of(const Tensor& x) { return std::sqrt((x * x).sum().item<double>()); }

Tensor normal_weights(const CdBiasPlan& plan, Rng& rng) {
  Tensor w = at::empty({plan.visible, plan.hidden}, at::kDouble);
  for (std::int64_t i = 0; i < w.numel(); ++i) w.data_ptr<double>()[i] = rng.normal();
  return w;
}

// As many rows of fair bits as there are visible units.
Tensor random_rows(const CdBiasPlan& plan, Rng& rng) {
  Tensor x = at::empty({plan.visible, plan.visible}, at::kDouble);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = rng.uniform() < 0.5 ? 0 : 1;
  return x;
}

// One machine's figures for each number of steps, added in the share of a machine to `rows`.
void add_machine(const EnumeratedRbm& machine, const Tensor& data, const CdBiasPlan& plan, CdBiasRow* rows) {
  const double share = 1 / static_cast<double>(plan.machines), lambda = machine.second_eigenvalue();
  const Tensor model = machine.p_visible(), start = machine.moments(data).flat();
  const Tensor exact = start - machine.model_moments().flat();
  Tensor now = data;
  std::int64_t done = 0;
  for (const std::int64_t steps : plan.steps) {
    now = machine.after_steps(now, steps - done), done = steps;
    const Tensor ours = start - machine.moments(now).flat();
    CdBiasRow& row = *rows++;
    const double cosine =
        (ours * exact).sum().item<double>() / std::max(length_of(ours) * length_of(exact), 1e-300);
    row.cosine += share * cosine, row.least_cosine = std::min(row.least_cosine, cosine);
    row.relative_error += share * length_of(ours - exact) / std::max(length_of(exact), 1e-300);
    row.remaining += share * (now - model).abs().sum().item<double>() / 2;
    row.second_eigenvalue += share * lambda;
    row.eigenvalue_power += share * std::pow(lambda, static_cast<double>(steps));
  }
}

}  // namespace

CdBiasTable measure_cd_bias(const CdBiasPlan& plan, Observer& observer) {
  check_cd_bias(plan);
  CdBiasTable table{plan, {}};
  for (const double scale : plan.scales)
    for (const std::int64_t steps : plan.steps) {
      table.rows.emplace_back();
      table.rows.back().scale = scale, table.rows.back().steps = steps;
    }
  Work work(observer, "studying machines", plan.machines);
  for (std::int64_t m = 0; m < plan.machines; ++m) {
    Rng rng = Rng(plan.seed).fork({static_cast<std::uint64_t>(m)});
    const Tensor unit = normal_weights(plan, rng), data = state_shares(random_rows(plan, rng));
    CdBiasRow* rows = table.rows.data();
    for (const double scale : plan.scales) {
      const Tensor w = unit * scale;
      add_machine(EnumeratedRbm(w, w.sum(1) / -2, w.sum(0) / -2), data, plan, rows);
      rows += plan.steps.size();
    }
    work.advance(1);
  }
  return table;
}

}  // namespace deepgen
