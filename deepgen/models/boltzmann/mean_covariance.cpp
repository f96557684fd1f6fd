// Mean-covariance machines: construction, energy and learning.
#include "deepgen/models/boltzmann/mean_covariance.h"

#include <cmath>
#include <utility>

#include "deepgen/kernels/kernels.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {
namespace {

// log(1 + x) element by element; one function for every element, whatever the number of threads.
Tensor log_one_plus(const Tensor& x) {
  const Tensor from = x.contiguous(), to = at::empty_like(from);
  parallel_ranges(from.numel(), 10, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      to.data_ptr<float>()[i] =
          static_cast<float>(std::log1p(static_cast<double>(from.data_ptr<float>()[i])));
  });
  return to;
}

}  // namespace

// ---------------------------------------------------------------- construction

MeanCovarianceMachine::MeanCovarianceMachine(Gate gate, MeanCovarianceOptions options,
                                             MeanCovarianceLearning learning, const DataShape& data)
    : gate_(gate),
      options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(UnitLayer::of(UnitKind::gaussian, data.columns)) {
  const std::int64_t columns = data.columns, units = options_.covariance_units;
  factors = register_parameter("factors", at::zeros({columns, options_.factors}), false);
  pooling = register_parameter("pooling", at::zeros({options_.factors, units}), false);
  covariance_bias = register_parameter(gate_ == Gate::binary ? "covariance_bias" : "log_exponents",
                                       at::zeros({units}), false);
  weights = register_parameter("weights", at::zeros({columns, options_.mean_units}), false);
  hidden_bias = register_parameter("hidden_bias", at::zeros({options_.mean_units}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({columns}), false);
  log_precision = register_parameter("log_precision", at::zeros({columns}), false);
  data_mean = register_buffer("data_mean", at::zeros({columns}));
  data_variance = register_buffer("data_variance", at::ones({columns}));
  step_length = register_buffer("step_length", new_step_length(learning_.first_step));
  if (learning_.learning == "pcd") chains = register_buffer("chains", at::zeros({learning_.chains, columns}));
}

// Filters of length 1 at random, each pooled by one unit; units in turn take neighbouring filters.
void MeanCovarianceMachine::initialise(const Rows& sample, Rng& rng) {
  constexpr double binary_bias = 2, mean_bias = -2;  // constraints mostly hold; mean units are seldom on
  NoGradGuard no_graph;
  const ColumnMoments moments = column_moments(sample.x);
  data_mean.copy_(moments.mean), data_variance.copy_(moments.variance);
  const Tensor unit = data_variance.rsqrt().unsqueeze(1);
  const std::int64_t filters = factors.size(1), units = pooling.size(1);
  factors.copy_(normal(visible(), filters, rng.next()) * unit);
  weights.copy_(normal(visible(), weights.size(1), rng.next()) * unit * options_.weight_scale);
  pooling.zero_();
  project({});  // filters of length 1
  for (std::int64_t f = 0; f < filters; ++f) pooling.data_ptr<float>()[f * units + f * units / filters] = 1;
  covariance_bias.fill_(gate_ == Gate::binary ? binary_bias : 0);
  hidden_bias.fill_(mean_bias), visible_bias.zero_();
  log_precision.copy_(-data_variance.log());
  step_length.copy_(new_step_length(learning_.first_step));
  if (chains.defined()) chains.copy_(base().draw(chains.size(0), rng));
}

bool MeanCovarianceMachine::decays(const std::string& name, const Tensor&) const {
  return name == "weights" || name == "pooling";  // the length of filters is held
}

Tensor MeanCovarianceMachine::filters() const { return at::cat({factors.t(), weights.t()}); }

void MeanCovarianceMachine::check_data(const Tensor& x, const std::string& what,
                                       std::int64_t first_row) const {
  visible_units_.check(x, gate_ == Gate::binary ? "mcrbm" : "mpot", what, first_row);
}

// ---------------------------------------------------------------- energy

MeanCovarianceMachine::Gated MeanCovarianceMachine::gated(const Tensor& v) const {
  const std::int64_t rows = v.size(0);
  Gated g{(v - data_mean).contiguous(), at::empty({rows, factors.size(1)}),
          at::empty({rows, pooling.size(1)}), at::empty({rows, weights.size(1)})};
  multiply(g.answers, g.u, factors);
  multiply(g.pooled, g.answers * g.answers, pooling.clamp_min(0), 0.5);
  multiply(g.mean_input, g.u, weights);
  return g;
}

Tensor MeanCovarianceMachine::gate_slopes(const Tensor& pooled) const {
  if (gate_ == Gate::student) return covariance_bias.exp() / (pooled + 1);
  Tensor slopes = at::empty_like(pooled);
  Rng unused(0);
  binary_layer(pooled, covariance_bias, -1, unused.next(), {.mean = slopes});
  return slopes;
}

Tensor MeanCovarianceMachine::gate_energy(const Tensor& pooled) const {
  if (gate_ == Gate::binary) return -softplus_row_sum(pooled, covariance_bias, -1);
  return (log_one_plus(pooled) * covariance_bias.exp()).sum(1, false, at::kDouble);
}

Tensor MeanCovarianceMachine::mean_units(const Tensor& input) const {
  Tensor mean = at::empty_like(input);
  Rng unused(0);
  binary_layer(input, hidden_bias, 1, unused.next(), {.mean = mean});
  return mean;
}

Tensor MeanCovarianceMachine::energy(const Tensor& v) const {
  NoGradGuard no_graph;
  const Gated g = gated(v);
  const Tensor own = (g.u * (g.u * (log_precision.exp() * 0.5) - visible_bias)).sum(1, false, at::kDouble);
  return own - softplus_row_sum(g.mean_input, hidden_bias) + gate_energy(g.pooled);
}

Tensor MeanCovarianceMachine::slope(const Tensor& v) const {
  NoGradGuard no_graph;
  const Gated g = gated(v);
  Tensor pulls = at::empty_like(g.answers);
  multiply(pulls, gate_slopes(g.pooled), pooling.clamp_min(0).t());
  Tensor slope = g.u * log_precision.exp() - visible_bias;
  multiply(slope, g.answers * pulls, factors.t(), 1, 1);
  multiply(slope, mean_units(g.mean_input), weights.t(), -1, 1);
  return slope;
}

std::optional<Tensor> MeanCovarianceMachine::marginal_free_energy(const Rows& rows) const {
  if (rows.x.isnan().any().item<bool>()) return std::nullopt;
  return free_energy(rows);
}

Tensor MeanCovarianceMachine::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  const Gated g = gated(rows.x);
  const Tensor gates = gate_ == Gate::binary ? gate_slopes(g.pooled) : (g.pooled + 1).reciprocal();
  return at::cat({mean_units(g.mean_input), gates}, 1);
}

// ---------------------------------------------------------------- learning

Metrics MeanCovarianceMachine::gradients(const Rows& batch, const Turn&, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor x = gaps_filled(*this, batch.x, learning_.gap_steps, rng);
  for (Tensor parameter : parameters()) fresh_gradient(parameter);
  add_statistics(x, 1.0 / static_cast<double>(x.size(0)));
  HybridMove move{chains.defined() ? chains.clone() : x};
  for (std::int64_t k = 0; k < learning_.hybrid_moves; ++k) {
    move = hybrid_move(*this, move.x, plan(), rng);
    follow_acceptance(step_length, move.accepted);
  }
  if (chains.defined()) chains.copy_(move.x);
  add_statistics(move.x, -1.0 / static_cast<double>(move.x.size(0)));
  return {};
}

void MeanCovarianceMachine::add_statistics(const Tensor& v, double share) {
  const Gated g = gated(v);
  const Tensor slopes = gate_slopes(g.pooled), on = mean_units(g.mean_input);
  Tensor pulls = at::empty_like(g.answers);
  multiply(pulls, slopes, pooling.clamp_min(0).t());
  Tensor to_factors = factors.grad(), to_weights = weights.grad();
  multiply(to_factors, g.u.t(), g.answers * pulls, share, 1);
  multiply(to_weights, g.u.t(), on, -share, 1);
  Tensor to_pooling = at::empty_like(pooling);
  multiply(to_pooling, (g.answers * g.answers).t(), slopes, share / 2);
  pooling.mutable_grad().add_(to_pooling * (pooling >= 0));
  add_gate_statistics(g.pooled, slopes, share);
  auto add_sums = [](const Tensor& terms, double scale, Tensor& parameter) {
    Tensor sums = parameter.grad();
    column_sums(terms, scale, true, sums);
  };
  add_sums(on, -share, hidden_bias);
  add_sums(g.u, -share, visible_bias);
  add_sums(g.u * g.u * (log_precision.exp() * 0.5), share, log_precision);
}

void MeanCovarianceMachine::add_gate_statistics(const Tensor& pooled, const Tensor& slopes, double share) {
  Tensor sums = covariance_bias.grad();
  if (gate_ == Gate::binary) return column_sums(slopes, -share, true, sums);
  column_sums(log_one_plus(pooled) * covariance_bias.exp(), share, true, sums);
}

void MeanCovarianceMachine::project(const Turn&) {
  constexpr double least_precision = 0.01, largest_log_exponent = 5;
  NoGradGuard no_graph;
  pooling.clamp_min_(0);
  const Tensor squares =
      column_sums(factors * factors * data_variance.unsqueeze(1)).clamp_min(1e-12);  // of lengths
  factors.div_(squares.sqrt());
  pooling.mul_(squares.unsqueeze(1));
  log_precision.copy_(at::max(log_precision, (least_precision / data_variance).log()));
  if (gate_ == Gate::student) covariance_bias.clamp_(-largest_log_exponent, largest_log_exponent);
}

Metrics MeanCovarianceMachine::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  auto filled = [&](const Rows& rows) { return gaps_filled(*this, rows.x, learning_.gap_steps, rng); };
  const Tensor rows = filled(train);
  Metrics metrics = energy_metrics(*this, rows, filled(valid), chains);
  metrics.emplace_back("step_length", step_length[0].item<double>());
  metrics.emplace_back("acceptance", step_length[1].item<double>());
  const Tensor code = column_sums(encode({rows, {}}), 1.0 / static_cast<double>(rows.size(0)));
  metrics.emplace_back("mean_units_activity", code.narrow(0, 0, weights.size(1)).mean().item<double>());
  metrics.emplace_back("covariance_units_activity",
                       code.narrow(0, weights.size(1), pooling.size(1)).mean().item<double>());
  return metrics;
}

std::string MeanCovarianceMachine::diverged(const Metrics& diagnosis) const {
  return chains_have_left(diagnosis, visible());
}

template std::shared_ptr<Model> create<McrbmCard>(const Options&, const Options&, const DataShape&);
template std::shared_ptr<Model> create<MpotCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
