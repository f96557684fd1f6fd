// The spike-and-slab machine: construction, conditionals and learning.
#include "deepgen/models/boltzmann/spike_slab_rbm.h"

#include <cmath>
#include <utility>

#include "deepgen/model/create.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/mixture_components.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

SpikeSlabRbm::SpikeSlabRbm(SpikeSlabRbmOptions options, SpikeSlabRbmLearning learning, const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(UnitLayer::of(UnitKind::gaussian, data.columns)) {
  const std::int64_t columns = data.columns, units = options_.hidden;
  weights = register_parameter("weights", at::zeros({columns, units}), false);
  contraction = register_parameter("contraction", at::zeros({columns, units}), false);
  slab_means = register_parameter("slab_means", at::zeros({units}), false);
  spike_bias = register_parameter("spike_bias", at::zeros({units}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({columns}), false);
  log_precision = register_parameter("log_precision", at::zeros({columns}), false);
  data_mean = register_buffer("data_mean", at::zeros({columns}));
  data_variance = register_buffer("data_variance", at::ones({columns}));
  if (learning_.learning == "pcd") chains = register_buffer("chains", at::zeros({learning_.chains, columns}));
}

// The machine begins as the base with spikes that are seldom on.
void SpikeSlabRbm::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  const ColumnMoments moments = column_moments(sample.x);
  data_mean.copy_(moments.mean), data_variance.copy_(moments.variance);
  const Tensor unit = data_variance.rsqrt().unsqueeze(1);
  weights.copy_(normal(visible(), hidden(), rng.next()) * unit * options_.weight_scale);
  contraction.copy_((unit * std::sqrt(options_.contraction)).expand_as(contraction));
  slab_means.zero_(), spike_bias.zero_(), visible_bias.zero_();
  log_precision.copy_(-data_variance.log());
  project({});
  if (chains.defined()) chains.copy_(base().draw(chains.size(0), rng));
}

bool SpikeSlabRbm::decays(const std::string& name, const Tensor&) const { return name == "weights"; }

Tensor SpikeSlabRbm::filters() const { return weights.t().contiguous(); }

void SpikeSlabRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "spike_slab_rbm", what, first_row);
}

// ---------------------------------------------------------------- conditionals

SpikeSlabRbm::SpikeInput SpikeSlabRbm::spike_input(const Tensor& v) const {
  const Tensor u = v - data_mean;
  SpikeInput input{at::empty({v.size(0), hidden()}), at::empty({v.size(0), hidden()})};
  multiply(input.filtered, u, weights);
  multiply(input.total, u * u, contraction * contraction, -0.5);
  input.total.add_(input.filtered * (input.filtered * 0.5 + slab_means)).add_(spike_bias);
  return input;
}

Tensor SpikeSlabRbm::visible_part(const Tensor& v) const {
  const Tensor u = v - data_mean;
  return (u * (visible_bias - u * (log_precision.exp() * 0.5))).sum(1, false, at::kDouble);
}

Tensor SpikeSlabRbm::draw_slabs(const Tensor& filtered, const Tensor& h, Rng& rng, double beta) const {
  const Tensor mean = (filtered + slab_means) * std::sqrt(beta);
  return h * (mean + normal(h.size(0), h.size(1), rng.next()));
}

SpikeSlabRbm::VisibleGiven SpikeSlabRbm::visible_given(const Tensor& h, const Tensor& h_times_s,
                                                       double beta) const {
  VisibleGiven given{at::empty({h.size(0), visible()}), at::empty({h.size(0), visible()})};
  multiply(given.precision, h, (contraction * contraction).t(), beta);
  given.precision.add_(log_precision.exp() * beta + (1 - beta) / data_variance);
  multiply(given.mean, h_times_s, weights.t(), std::sqrt(beta));
  given.mean.add_(visible_bias * beta).div_(given.precision).add_(data_mean);
  return given;
}

Tensor SpikeSlabRbm::draw_visible(const VisibleGiven& given, Rng& rng) const {
  return given.mean + normal(given.mean.size(0), visible(), rng.next()) / given.precision.sqrt();
}

Tensor SpikeSlabRbm::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  Tensor code = spike_input(rows.x).total;
  Rng unused(0);
  binary_layer(code, at::zeros({hidden()}), 1, unused.next(), {.mean = code});
  return code;
}

// ---------------------------------------------------------------- learning

Metrics SpikeSlabRbm::gradients(const Rows& batch, const Turn&, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor x = gaps_filled(*this, batch.x, learning_.gap_steps, rng);
  for (Tensor parameter : parameters()) fresh_gradient(parameter);
  add_statistics(x, -1.0 / static_cast<double>(x.size(0)));
  const Tensor end = chain_steps(chains.defined() ? chains : x, learning_.gibbs_steps, rng);
  if (chains.defined()) chains.copy_(end);
  add_statistics(end, 1.0 / static_cast<double>(end.size(0)));
  return {};
}

void SpikeSlabRbm::add_statistics(const Tensor& v, double share) {
  const Tensor u = (v - data_mean).contiguous(), squares = u * u;
  const SpikeInput input = spike_input(v);
  Tensor on = at::empty_like(input.total);
  Rng unused(0);
  binary_layer(input.total, at::zeros({hidden()}), 1, unused.next(), {.mean = on});
  Tensor grad = weights.grad();
  multiply(grad, u.t(), on * (input.filtered + slab_means), share, 1);
  Tensor raised = at::empty_like(contraction);
  multiply(raised, squares.t(), on, -share);
  contraction.mutable_grad().add_(raised * contraction);
  auto add_sums = [&](const Tensor& terms, Tensor& parameter) {
    Tensor sums = parameter.grad();
    column_sums(terms, share, true, sums);
  };
  add_sums(on * input.filtered, slab_means);
  add_sums(on, spike_bias);
  add_sums(u, visible_bias);
  add_sums(squares * (log_precision.exp() * -0.5), log_precision);
}

// Shortens filters until every set of spikes leaves a precision that is positive definite.
void SpikeSlabRbm::project(const Turn&) {
  constexpr double most = 0.99, rounding = 1e-4;
  NoGradGuard no_graph;
  const Tensor share = log_precision.exp().unsqueeze(1) * (most / static_cast<double>(hidden()));
  const Tensor gain = column_sums(weights * weights / (contraction * contraction + share));
  weights.div_((gain / (1 - rounding)).clamp_min(1).sqrt());
}

Metrics SpikeSlabRbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor rows = gaps_filled(*this, train.x, learning_.gap_steps, rng);
  Metrics metrics =
      energy_metrics(*this, rows, gaps_filled(*this, valid.x, learning_.gap_steps, rng), chains);
  const Tensor activity = column_sums(encode({rows, {}}), 1.0 / static_cast<double>(rows.size(0)));
  metrics.emplace_back("mean_activity", activity.mean().item<double>());
  metrics.emplace_back("dead_units", (activity < 0.001).to(at::kDouble).mean().item<double>());
  metrics.emplace_back("weight_norm", ordered_norm(weights));
  return metrics;
}

std::string SpikeSlabRbm::diverged(const Metrics& diagnosis) const {
  return chains_have_left(diagnosis, visible());
}

template std::shared_ptr<Model> create<SpikeSlabRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
