// Training of the convolutional machine (conv_rbm.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/models/boltzmann/conv_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/picture_layers.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

// ---------------------------------------------------------------- before the first step

void ConvRbm::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  set_moments(sample.x);
  visible_bias.copy_(as_bias(has_moments() ? data_mean : start_natural().theta));
  float* w = weights.data_ptr<float>();
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  hidden_bias.zero_();
  if (chains.defined()) chains.copy_(sample_h_given_v(chain_start(chains.size(0), rng), rng).flatten(1));
}

// Moments of the known cells; means of units in [0, 1] with one pseudo-row of each end. sigma of a channel from
// the mean variance of its pixels; what is constant keeps 1.
void ConvRbm::set_moments(const Tensor& x) {
  const Tensor known = x.isnan().logical_not().sum(0), sums = at::nansum(x, {0}, false, at::kDouble);
  if (!has_moments()) {
    data_mean.copy_((sums + 1) / (known + 2));
    return;
  }
  const Tensor count = known.clamp_min(1), mean = sums / count;
  const Tensor variance = at::nansum((x - mean.to(at::kFloat)).square(), {0}, false, at::kDouble) / count;
  data_mean.copy_(mean);
  data_variance.copy_(at::where(variance > 1e-12, variance, at::ones_like(variance)));
  const Tensor channels = variance.view({picture_[0], -1}).mean(1);
  visible_deviation.copy_(at::where(channels > 1e-12, channels, at::ones_like(channels)).sqrt() *
                          options_.deviation);
}

// ---------------------------------------------------------------- gradient

ConvMoments ConvRbm::moments(const Tensor& v, const Tensor& h) const {
  const double share = 1.0 / static_cast<double>(v.size(0));
  const Tensor y = to_pictures(coupled(v).contiguous(), picture_);
  ConvMoments m;
  m.weights = window_weights(window_, y, h.contiguous()).mul_(share).view(weights.sizes());
  m.hidden_bias = (channel_sums(h.contiguous()) * share).to(at::kFloat);
  if (visible_bias.size(0) == visible()) {
    m.visible_bias = at::empty_like(visible_bias);
    column_sums(v.contiguous(), share, false, m.visible_bias);
  } else {
    m.visible_bias = (channel_sums(to_pictures(v.contiguous(), picture_)) * share).to(at::kFloat);
  }
  if (has_moments()) m.visible_bias.mul_(as_bias(visible_natural().gamma));
  return m;
}

namespace {

// Into the gradient: model - data, to be descended.
void put_difference(Tensor& parameter, const Tensor& model, const Tensor& data) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  parameter.mutable_grad().copy_(model - data);
}

}  // namespace

Metrics ConvRbm::gradients(const Rows& batch, const Turn&, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor rows = fill_gaps(batch.x, rng);
  const bool persistent = chains.defined();
  Tensor mean, h, v;
  blocks_.activate(hidden_activation(rows), 1, rng, &mean, persistent ? nullptr : &h);
  const ConvMoments data = moments(rows, mean);
  if (persistent) {
    const std::int64_t count = chains.size(0);
    h = chains.view({count, window_.out_height, window_.out_width, blocks_.maps()});
  }
  for (std::int64_t k = 0; k < learning_.gibbs_steps; ++k) {
    const bool last = k + 1 == learning_.gibbs_steps;
    v = sample_v_given_h(h, rng);
    blocks_.activate(hidden_activation(v), 1, rng, last ? &mean : nullptr,
                     last && !persistent ? nullptr : &h);
  }
  if (persistent) chains.copy_(h.flatten(1));
  const ConvMoments model = moments(v, mean);
  put_difference(weights, model.weights, data.weights);
  put_difference(visible_bias, model.visible_bias, data.visible_bias);
  put_difference(hidden_bias, model.hidden_bias, data.hidden_bias);
  if (learning_.sparsity > 0) {
    const auto places = static_cast<double>(window_.out_pixels());
    hidden_bias.mutable_grad().add_(data.hidden_bias - places * learning_.sparsity, learning_.sparsity_cost);
  }
  return {};
}

// ---------------------------------------------------------------- what is seen of it

Metrics ConvRbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  constexpr std::int64_t most_rows = 10, active_rows = 500;  // of a score that costs a pass a pixel; of means
  NoGradGuard no_graph;
  Metrics metrics;
  const Tensor rows = fill_gaps(train.x, rng);
  const double train_energy = free_energy(rows).mean().item<double>();
  metrics.emplace_back("train_free_energy", train_energy);
  const Tensor probe = valid.size() > 0 ? fill_gaps(valid.x, rng) : rows;
  if (valid.size() > 0) {
    const double valid_energy = free_energy(probe).mean().item<double>();
    metrics.emplace_back("valid_free_energy", valid_energy);
    metrics.emplace_back("free_energy_gap", valid_energy - train_energy);
  }
  const Tensor few = probe.narrow(0, 0, std::min(probe.size(0), most_rows));
  const NaturalParameters start = start_natural();
  base_log_prob_ = visible_units_.log_weight(few, start.theta, start.gamma).mean().item<double>() -
                   visible_units_.log_partition(start.theta.to(at::kDouble), start.gamma).item<double>();
  if (const auto pseudo = pseudo_log_likelihood(few))
    metrics.emplace_back("pseudo_log_likelihood_proxy", pseudo->mean().item<double>());
  const Tensor some = rows.narrow(0, 0, std::min(rows.size(0), active_rows));
  const Tensor activity =
      channel_sums(mean_h_given_v(some)) / static_cast<double>(some.size(0) * window_.out_pixels());  // [K]
  metrics.emplace_back("hidden_activity", activity.mean().item<double>());
  metrics.emplace_back("dead_filters", (activity < 1e-4).to(at::kDouble).mean().item<double>());
  metrics.emplace_back("weight_norm", ordered_norm(weights));
  if (!chains.defined()) return metrics;
  const Tensor h = chains.view({chains.size(0), window_.out_height, window_.out_width, blocks_.maps()});
  const Tensor v = sample_v_given_h(h, rng);
  metrics.emplace_back("chain_free_energy_gap", free_energy(v).mean().item<double>() - train_energy);
  return metrics;
}

// Healthy runs begin at the model without weights and stay above it, and their chains near the data.
std::string ConvRbm::diverged(const Metrics& line) const {
  const double margin = std::max(5.0, 0.05 * std::abs(base_log_prob_));
  const double farthest = 50 * static_cast<double>(visible());
  for (const auto& [name, value] : line) {
    if (name == "pseudo_log_likelihood_proxy" && value < base_log_prob_ - margin)
      return fmt::format("pseudo-likelihood of {:.5g} nats, below the {:.5g} of the start", value,
                         base_log_prob_);
    if (name == "chain_free_energy_gap" && std::abs(value) > farthest)
      return fmt::format("chains whose free energy is {:.3g} nats from the data's", value);
  }
  return "";
}

}  // namespace deepgen
