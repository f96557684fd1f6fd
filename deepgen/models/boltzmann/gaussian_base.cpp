#include "deepgen/models/boltzmann/gaussian_base.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/constants.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

// log of the integral over each column, [D] float64.
Tensor column_log_partitions(const Tensor& variance) {
  return (variance.to(at::kDouble).log() + log_two_pi) / 2;
}

}  // namespace

Tensor GaussianBase::draw(std::int64_t count, Rng& rng) const {
  return normal(count, mean.size(0), rng.next()) * variance.sqrt() + mean;
}

Tensor GaussianBase::energy(const Tensor& v) const {
  const Tensor u = v - mean;
  return (u * u / (2 * variance)).sum(1, false, at::kDouble);
}

double GaussianBase::log_partition() const { return column_log_partitions(variance).sum().item<double>(); }

Tensor GaussianBase::log_partition_given(const Tensor& x) const {
  const Tensor known = x.isnan().logical_not();
  const Tensor held = energy(at::where(known, x, mean));
  const Tensor logs = column_log_partitions(variance).expand(x.sizes());
  return at::where(known, at::zeros_like(logs), logs).sum(1) - held;
}

Metrics energy_metrics(const HasFreeEnergy& model, const Tensor& train, const Tensor& valid,
                       const Tensor& chains) {
  auto mean = [&](const Tensor& rows) { return ordered_mean(model.free_energy(rows)).item<double>(); };
  const double train_energy = mean(train);
  Metrics metrics = {{"train_free_energy", train_energy}};
  if (valid.defined() && valid.size(0) > 0) {
    const double valid_energy = mean(valid);
    metrics.emplace_back("valid_free_energy", valid_energy);
    metrics.emplace_back("free_energy_gap", valid_energy - train_energy);
  }
  if (chains.defined()) metrics.emplace_back("chain_free_energy_gap", mean(chains) - train_energy);
  return metrics;
}

std::string chains_have_left(const Metrics& metrics, std::int64_t columns) {
  const double farthest = 50 * static_cast<double>(columns);
  for (const auto& [name, value] : metrics)
    if (name == "chain_free_energy_gap" && !(std::abs(value) <= farthest))
      return fmt::format("chains whose free energy is {:.3g} nats from the data's", value);
  return "";
}

Tensor fresh_gradient(Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::empty_like(parameter);
  return parameter.mutable_grad().zero_();
}

}  // namespace deepgen
