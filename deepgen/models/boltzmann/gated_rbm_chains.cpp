// The gated machine: scores, chains and annealing.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "deepgen/models/boltzmann/gated_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {

// ---------------------------------------------------------------- scores

Tensor GatedRbm::free_energy(const Rows& rows) const {
  NoGradGuard no_graph;
  const Tensor mapped = softplus_row_sum64(mapping_input(rows.x.to(at::kDouble)));
  return -(visible_units_.log_weight(rows.x, visible_bias, {}) + mapped);
}

std::optional<Tensor> GatedRbm::marginal_free_energy(const Rows& rows) const {
  if (rows.x.isnan().any().item<bool>()) return std::nullopt;
  return free_energy(rows);
}

std::int64_t GatedRbm::enumeration_units() const {
  return visible_units_.all(UnitKind::binary) ? columns() : std::numeric_limits<std::int64_t>::max();
}

std::optional<double> GatedRbm::exact_log_partition() const {
  NoGradGuard no_graph;
  if (enumeration_units() > enumerable_units) return std::nullopt;
  const Tensor bias = visible_bias.to(at::kDouble);
  LogSumExp total;
  for_each_block_of_states(columns(), std::max(input_factors.size(1), mappings()),
                           [&](std::int64_t, const Tensor& states) {
                             total.add(states.mv(bias) + softplus_row_sum64(mapping_input(states)));
                           });
  return total.value();
}

// ---------------------------------------------------------------- chains

Tensor GatedRbm::chain_start(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor v = at::zeros({count, columns()});
  visible_units_.activate(v, {base_activation(), {}, {}}, 1, rng, {.sample = v});
  return v;
}

Tensor GatedRbm::chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const {
  return clamped_steps(v, steps, {}, rng);
}

Tensor GatedRbm::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor v = x.clone(), h = at::empty({x.size(0), mappings()});
  for (std::int64_t k = 0; k < steps; ++k) {
    binary_layer(mapping_input(v), at::zeros({mappings()}), 1, rng.next(), {.sample = h});
    v = draw_visible(v, h, 1, known, rng).sample;
  }
  return v;
}

Tensor GatedRbm::chain_mean(const Tensor& v, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor h = at::empty({v.size(0), mappings()});
  binary_layer(mapping_input(v), at::zeros({mappings()}), 1, rng.next(), {.sample = h});
  return draw_visible(v, h, 1, {}, rng).mean;
}

// ---------------------------------------------------------------- annealing

namespace {

class GatedAnnealedChains : public AnnealedChains {
 public:
  GatedAnnealedChains(const GatedRbm& machine, const Tensor& v, Tensor known)
      : machine_(machine), base_(machine.base_activation()), known_(std::move(known)), v_(v.clone()) {
    h_ = at::empty({v.size(0), machine.mappings()});
    measure();
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    NoGradGuard no_graph;
    log_weights.add_(slope_, to - from);
    log_weights.add_(softplus_row_sum64(input_ * to) - softplus_row_sum64(input_ * from));
    binary_layer(input_.to(at::kFloat), at::zeros({machine_.mappings()}), to, rng.next(), {.sample = h_});
    v_ = machine_.draw_visible(v_, h_, to, known_, rng).sample;
    measure();
  }

  Tensor states(Rng&) const override { return v_.clone(); }

 private:
  // What the mapping units receive, float64, and the slope in beta of the visible part.
  void measure() {
    NoGradGuard no_graph;
    const UnitLayer& layer = machine_.visible_layer();
    slope_ = layer.log_weight(v_, machine_.visible_bias, {}) - layer.log_weight(v_, base_, {});
    input_ = machine_.mapping_input(v_.to(at::kDouble));
  }

  const GatedRbm& machine_;
  Tensor base_, known_, v_, h_, slope_, input_;
};

}  // namespace

double GatedRbm::log_base_partition() const {
  return visible_units_.log_partition(base_activation().to(at::kDouble), {}).item<double>() +
         static_cast<double>(mappings()) * std::log(2.0);
}

Tensor GatedRbm::log_base_partition_given(const Tensor& x) const {
  const Tensor known = x.isnan().logical_not(), base = base_activation();
  const Tensor v = at::where(known, x, at::zeros_like(x));
  const Tensor theta = base.to(at::kDouble).expand({x.size(0), columns()});
  return visible_units_.log_weight(v, base, {}, known) +
         visible_units_.log_partition(theta, {}, known.logical_not()) +
         static_cast<double>(mappings()) * std::log(2.0);
}

std::unique_ptr<AnnealedChains> GatedRbm::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> GatedRbm::anneal_from(const Tensor& v) const {
  return std::make_unique<GatedAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> GatedRbm::anneal_given(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  const Tensor start = at::where(known, x, chain_start(x.size(0), rng));
  return std::make_unique<GatedAnnealedChains>(*this, start, known);
}

}  // namespace deepgen
