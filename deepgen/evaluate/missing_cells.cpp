#include "deepgen/evaluate/missing_cells.h"

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/schedule.h"

namespace deepgen {
namespace {

Tensor annealed(const CanAnneal& model, const Tensor& x, const MissingCellPlan& plan, Rng& rng) {
  const std::vector<double> betas = annealing_schedule(plan.schedule);
  const Tensor rows = x.repeat_interleave(plan.chains, 0);
  const auto chains = model.anneal_given(rows, rng);
  Tensor log_weights = model.log_base_partition_given(rows);
  for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], log_weights, rng);
  return at::logsumexp(log_weights.view({x.size(0), plan.chains}), 1) -
         std::log(static_cast<double>(plan.chains));
}

}  // namespace

bool has_gaps(const Tensor& x) { return x.isnan().any().item<bool>(); }

bool estimates_gaps(const HasFreeEnergy& model, const Rows& rows) {
  const Tensor gaps = rows.x.isnan().any(1).nonzero().squeeze(1);
  return gaps.size(0) > 0 && !model.marginal_free_energy(rows.select(gaps.narrow(0, 0, 1)));
}

Tensor complete_rows_only(const Tensor& x) {
  return x.index_select(0, x.isnan().any(1).logical_not().nonzero().squeeze(1));
}

Tensor log_unnormalised(const Model& model, const Rows& rows, double log_z, const MissingCellPlan& plan,
                        Rng& rng) {
  const HasFreeEnergy& energy = *as<HasFreeEnergy>(model);
  const Tensor gaps = rows.x.isnan();
  const Tensor some = gaps.any(1), all = gaps.all(1);
  if (!some.any().item<bool>()) return -energy.free_energy(rows);
  Tensor result = at::full({rows.size()}, log_z, at::kDouble);
  auto fill = [&](const Tensor& which, auto function) {
    const Tensor index = which.nonzero().squeeze(1);
    if (index.size(0) > 0) result.index_copy_(0, index, function(rows.select(index)));
  };
  fill(some.logical_not(), [&](const Rows& part) { return -energy.free_energy(part); });
  fill(at::logical_and(some, all.logical_not()), [&](const Rows& part) {
    if (const auto exact = energy.marginal_free_energy(part)) return Tensor(-*exact);
    const auto* annealing = as<CanAnneal>(model);
    if (!annealing) fail_usage("missing cells", "this model cannot score rows with missing cells");
    return annealed(*annealing, part.x, plan, rng);
  });
  return result;
}

}  // namespace deepgen
