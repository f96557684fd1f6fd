// Learning of machines with dynamic biases (dynamic_bias_rbm.h), and what is seen of it.
#include <algorithm>

#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

Tensor gradient_slot(Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  return parameter.mutable_grad();
}

}  // namespace

void DynamicBiasRbm::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  machine_->initialise(pairs_of(sample).v, rng);
  to_visible.zero_();
  to_hidden.zero_();
}

GivenMoments DynamicBiasRbm::moments_at(const Tensor& v, const Tensor& h) const {
  GivenMoments m{v, h, at::empty_like(machine_->weights)};
  machine_->coupling().add_products(m.products, machine_->coupled(v), h, 1, 0);
  return m;
}

// After the Gibbs steps of an update that begin at hidden states [B, H]: the last v, and the means of h given
// it.
GivenMoments DynamicBiasRbm::chain_moments(const GivenBiases& given, const Tensor& h, Rng& rng) const {
  Tensor v, now = h;
  for (std::int64_t k = 0; k < learning_steps_; ++k) {
    const bool last = k + 1 == learning_steps_;
    machine_->coupling().input_to_lower(v, now);
    visible_layer().activate(v, given.visible, 1, rng, {.sample = v});
    now = coupled_input(v);
    machine_->hidden_layer().activate(now, given.hidden, 1, rng,
                                      last ? LayerOutputs{.mean = now} : LayerOutputs{.sample = now});
  }
  return moments_at(v, now);
}

Metrics DynamicBiasRbm::gradients(const Rows& batch, const Turn&, Rng& rng) {
  NoGradGuard no_graph;
  const GivenPairs pairs = drawn_pairs(batch, rng);
  if (pairs.size() == 0) {
    for (Tensor& parameter : parameters()) gradient_slot(parameter).zero_();
    return {};
  }
  const GivenBiases given = biases_given(pairs.condition);
  Tensor mean = coupled_input(pairs.v), start = at::empty_like(mean);
  machine_->hidden_layer().activate(mean, given.hidden, 1, rng, {.mean = mean, .sample = start});
  write_gradients(pairs, given, moments_at(pairs.v, mean),
                  exact_learning_ ? exact_moments_given(given) : chain_moments(given, start, rng));
  return {};
}

// Minus the gradients of the header.
void DynamicBiasRbm::write_gradients(const GivenPairs& pairs, const GivenBiases& given,
                                     const GivenMoments& data, const GivenMoments& model) {
  const double share = 1.0 / static_cast<double>(pairs.size());
  const Tensor& gamma = given.visible.gamma;
  const Tensor difference = model.v - data.v, q = model.h - data.h;
  const Tensor r = gamma.defined() ? difference * gamma : difference;
  Tensor da = gradient_slot(to_visible), db = gradient_slot(machine_->visible_bias);
  Tensor dh = gradient_slot(to_hidden), dc = gradient_slot(machine_->hidden_bias);
  multiply(da, pairs.condition.t(), r, share);
  multiply(dh, pairs.condition.t(), q, share);
  column_sums(r, share, false, db);
  column_sums(q, share, false, dc);
  gradient_slot(machine_->weights).copy_((model.products - data.products) * share);
  if (machine_->visible_log_variance.defined()) write_variances(given, data, model);
}

void DynamicBiasRbm::write_variances(const GivenBiases& given, const GivenMoments& data,
                                     const GivenMoments& model) {
  Tensor dz = gradient_slot(machine_->visible_log_variance);
  dz.zero_();
  if (fixed_variance_) return;
  const double share = 1.0 / static_cast<double>(data.v.size(0));
  const DenseCoupling coupling = machine_->coupling();
  Tensor sent;  // W h [B, V]
  coupling.input_to_lower(sent, model.h);
  Tensor from_model = at::empty_like(dz), squares = at::empty_like(dz);
  column_sums(sent.mul_(given.centre).mul_(given.visible.couple), share, false, from_model);
  column_sums((data.v - given.centre).square_().mul_(given.visible.gamma), share, false, squares);
  const Tensor from_data = squares - coupling.weighted_products(data.products) * share;
  const Tensor gaussian = visible_layer().columns_of(UnitKind::gaussian).to(at::kFloat);
  dz.copy_((1 - from_model - from_data) / 2 * gaussian);
}

// ---------------------------------------------------------------- the learning curve

double DynamicBiasRbm::mean_square(const Tensor& a, const Tensor& b) {
  const Tensor rows = (a - b).square_().sum(1, false, at::kDouble);
  return rows.mean().item<double>() / static_cast<double>(a.size(1));
}

void DynamicBiasRbm::add_metrics(const GivenPairs& pairs, const std::string& part, Metrics& metrics,
                                 Rng& rng) const {
  constexpr std::int64_t most_rows = 500, most_exact_rows = 100, steps = 10;
  const std::int64_t rows = std::min(pairs.size(), most_rows);
  if (rows == 0) return;
  const Tensor condition = pairs.condition.narrow(0, 0, rows), v = pairs.v.narrow(0, 0, rows);
  const GivenBiases given = biases_given(condition);
  const Tensor end = gibbs_given(given, start_given(condition, given, rng), steps, {}, rng);
  metrics.emplace_back(part + "_prediction_error", mean_square(mean_given(given, end, rng), v));
  if (!can_enumerate()) return;
  const std::int64_t few = std::min(rows, most_exact_rows);
  const GivenBiases some = biases_given(condition.narrow(0, 0, few));
  const Tensor scores = -free_energy_given(some, v.narrow(0, 0, few)) - exact_log_partition_given(some);
  metrics.emplace_back(part + "_conditional_log_prob", scores.mean().item<double>());
}

Metrics DynamicBiasRbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  Metrics metrics;
  add_metrics(pairs_of(train), "train", metrics, rng);
  if (valid.size() > 0) add_metrics(pairs_of(valid), "valid", metrics, rng);
  metrics.emplace_back("weight_norm", ordered_norm(machine_->weights));
  return metrics;
}

}  // namespace deepgen
