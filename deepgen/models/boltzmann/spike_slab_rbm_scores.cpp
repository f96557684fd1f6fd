// The spike-and-slab machine: scores, chains and annealing.
#include <cmath>
#include <limits>
#include <utility>

#include "deepgen/core/constants.h"
#include "deepgen/models/boltzmann/spike_slab_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {

// ---------------------------------------------------------------- scores

Tensor SpikeSlabRbm::free_energy(const Rows& rows) const {
  NoGradGuard no_graph;
  const SpikeInput input = spike_input(rows.x);
  return -(visible_part(rows.x) + softplus_row_sum(input.total, at::zeros({hidden()})));
}

std::optional<Tensor> SpikeSlabRbm::marginal_free_energy(const Rows& rows) const {
  if (rows.x.isnan().any().item<bool>()) return std::nullopt;
  return free_energy(rows);
}

// The sum over h of exp(b.h) times the Gaussian integral of exp(q.u - u'P u / 2) over u, with
//
//   P = Lambda - sum_i h_i (W_i W_i' - diag(Phi_i))
//   q = c + W (mu h).
std::optional<double> SpikeSlabRbm::exact_log_partition() const {
  constexpr double most_work = 3e10;  // some ten seconds
  NoGradGuard no_graph;
  const std::int64_t units = hidden(), columns = visible();
  const auto width = static_cast<double>(columns);
  if (units > enumerable_units || std::exp2(static_cast<double>(units)) * width * width * width > most_work)
    return std::nullopt;
  const Tensor w = weights.t().to(at::kDouble).contiguous();  // [H, D]
  const Tensor raised = contraction.t().to(at::kDouble).square();
  const Tensor changes = (w.unsqueeze(2) * w.unsqueeze(1) - at::diag_embed(raised)).reshape({units, -1});
  const Tensor pulls = (w * slab_means.to(at::kDouble).unsqueeze(1)).contiguous();
  const Tensor lambda = log_precision.to(at::kDouble).exp(), bias = spike_bias.to(at::kDouble);
  LogSumExp total;
  bool finite = true;
  for_each_block_of_states(units, columns * columns, [&](std::int64_t, const Tensor& states) {
    Tensor precision = at::empty({states.size(0), columns * columns}, at::kDouble);
    multiply64(precision, states, changes, -1);
    precision = precision.view({-1, columns, columns}) + at::diag(lambda);
    Tensor linear = visible_bias.to(at::kDouble).repeat({states.size(0), 1});
    multiply64(linear, states, pulls, 1, 1);
    const auto [factor, failed] = at::linalg_cholesky_ex(precision);
    finite = finite && !failed.any().item<bool>();
    if (!finite) return;
    const Tensor solved = at::cholesky_solve(linear.unsqueeze(2), factor).squeeze(2);
    const Tensor log_roots = factor.diagonal(0, 1, 2).log().sum(1);
    total.add(states.mv(bias) - log_roots + ((linear * solved).sum(1) + width * log_two_pi) / 2);
  });
  return finite ? total.value() : std::numeric_limits<double>::infinity();
}

// ---------------------------------------------------------------- chains

Tensor SpikeSlabRbm::chain_start(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  return base().draw(count, rng);
}

Tensor SpikeSlabRbm::chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const {
  return clamped_steps(v, steps, {}, rng);
}

Tensor SpikeSlabRbm::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor none = at::zeros({hidden()});
  Tensor v = x.clone(), h = at::empty({x.size(0), hidden()});
  for (std::int64_t k = 0; k < steps; ++k) {
    const SpikeInput input = spike_input(v);
    binary_layer(input.total, none, 1, rng.next(), {.sample = h});
    v = draw_visible(visible_given(h, draw_slabs(input.filtered, h, rng)), rng);
    if (known.defined()) v = at::where(known, x, v);
  }
  return v;
}

Tensor SpikeSlabRbm::chain_mean(const Tensor& v, Rng& rng) const {
  NoGradGuard no_graph;
  const SpikeInput input = spike_input(v);
  Tensor h = at::empty_like(input.total);
  binary_layer(input.total, at::zeros({hidden()}), 1, rng.next(), {.sample = h});
  return visible_given(h, draw_slabs(input.filtered, h, rng)).mean;
}

// ---------------------------------------------------------------- annealing

namespace {

// What spikes receive and the slope in beta of the visible part of log p*_beta are kept from one step to the
// next.
class SpikeSlabAnnealedChains : public AnnealedChains {
 public:
  SpikeSlabAnnealedChains(const SpikeSlabRbm& machine, const Tensor& v, Tensor known)
      : machine_(machine), known_(std::move(known)), start_(v), v_(v.clone()) {
    measure();
    h_ = at::empty_like(input_.total);
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    NoGradGuard no_graph;
    log_weights.add_(slope_, to - from);
    anneal_layer(input_.total, at::zeros({machine_.hidden()}), from, to, rng.next(), log_weights, h_);
    const Tensor slabs = machine_.draw_slabs(input_.filtered, h_, rng, to);
    v_ = machine_.draw_visible(machine_.visible_given(h_, slabs, to), rng);
    if (known_.defined()) v_ = at::where(known_, start_, v_);
    measure();
  }

  Tensor states(Rng&) const override { return v_.clone(); }

 private:
  void measure() {
    NoGradGuard no_graph;
    input_ = machine_.spike_input(v_);
    slope_ = machine_.visible_part(v_) + machine_.base().energy(v_);
  }

  const SpikeSlabRbm& machine_;
  Tensor known_, start_, v_, h_, slope_;  // [chains, D] but for h [chains, H], slope [chains]
  SpikeSlabRbm::SpikeInput input_;
};

}  // namespace

double SpikeSlabRbm::log_base_partition() const {
  return base().log_partition() + static_cast<double>(hidden()) * std::log(2.0);
}

Tensor SpikeSlabRbm::log_base_partition_given(const Tensor& x) const {
  return base().log_partition_given(x) + static_cast<double>(hidden()) * std::log(2.0);
}

std::unique_ptr<AnnealedChains> SpikeSlabRbm::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> SpikeSlabRbm::anneal_from(const Tensor& v) const {
  return std::make_unique<SpikeSlabAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> SpikeSlabRbm::anneal_given(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  const Tensor start = at::where(known, x, chain_start(x.size(0), rng));
  return std::make_unique<SpikeSlabAnnealedChains>(*this, start, known);
}

}  // namespace deepgen
