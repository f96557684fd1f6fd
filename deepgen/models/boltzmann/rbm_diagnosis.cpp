#include "deepgen/models/boltzmann/rbm_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

// log Z by a few short annealed chains: too low on average, so a likelihood below the base rate's by this
// measure is below it indeed. Not a number to show. Cost: 1,000 Gibbs steps of one row.
double rough_log_partition(const Rbm& rbm, Rng& rng) {
  constexpr std::int64_t count = 20;
  constexpr int temperatures = 50;
  const auto annealed = rbm.anneal_from_base(count, rng);
  Tensor log_weights = at::zeros({count}, at::kDouble);
  for (int k = 0; k < temperatures; ++k)
    annealed->step(static_cast<double>(k) / temperatures, static_cast<double>(k + 1) / temperatures,
                   log_weights, rng);
  return rbm.log_base_partition() + at::logsumexp(log_weights, 0).item<double>() - std::log(double{count});
}

// What the machine can say without weights.
NaturalParameters without_weights(const Rbm& rbm, bool fixed_variance) {
  if (!rbm.visible_log_variance.defined() || !fixed_variance) return rbm.base_natural();
  const UnitLayer& layer = rbm.visible_layer();
  return layer.at_moments(rbm.data_mean, at::where(layer.columns_of(UnitKind::gaussian),
                                                   rbm.visible_log_variance.exp(), rbm.data_variance));
}

Tensor mean_row(const Tensor& rows) { return column_sums(rows, 1.0 / static_cast<double>(rows.size(0))); }

void add_unit_metrics(const Rbm& rbm, const Tensor& rows, Metrics& metrics) {
  const Tensor activity = rbm.mean_h_given_v(rows);
  const Tensor mean = mean_row(activity), spread = activity.std(0, false);
  auto share = [](const Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); };
  if (rbm.hidden_layer().all(UnitKind::binary)) {
    metrics.emplace_back("dead_units", share(mean < 0.01));
    metrics.emplace_back("saturated_units", share(mean > 0.99));
  } else {
    metrics.emplace_back("dead_units", share(spread < 1e-3));
  }
  metrics.emplace_back("weight_norm", ordered_norm(rbm.weights));
  if (!rbm.visible_log_variance.defined()) return;
  const Tensor z = rbm.visible_log_variance.masked_select(rbm.visible_layer().columns_of(UnitKind::gaussian));
  metrics.emplace_back("deviation_least", std::exp(z.min().item<double>() / 2));
  metrics.emplace_back("deviation_mean", (z / 2).exp().mean().item<double>());
}

// Whether the `count` persistent chains of the model itself are where the data are, and how fast they move.
void add_chain_metrics(const Rbm& rbm, std::int64_t count, double train_energy, Metrics& metrics, Rng& rng) {
  if (!rbm.chains.defined()) return;
  const Tensor h = rbm.chains.narrow(0, rbm.chains.size(0) - count, count);  // pt: those at temperature 1
  const Tensor v = rbm.sample_v_given_h(h, rng);
  auto mean_of = [](const Tensor& x) { return ordered_mean(x).item<double>(); };
  metrics.emplace_back("chain_free_energy_gap", mean_of(rbm.free_energy(v)) - train_energy);
  constexpr std::int64_t lag = 10;
  if (count >= 10) {  // correlation over the chains of each unit with itself, lag steps later
    const Tensor later = rbm.sample_h_given_v(rbm.chain_steps(v, lag, rng), rng);
    const Tensor a = h - mean_row(h), b = later - mean_row(later);
    const double both = mean_of(a * b), scale = std::sqrt(mean_of(a.square()) * mean_of(b.square()));
    metrics.emplace_back("chain_autocorrelation", scale > 0 ? both / scale : 1.0);
  }
  if (!rbm.swap_rates.defined()) return;
  metrics.emplace_back("swap_rate_min", rbm.swap_rates.min().item<double>());
  metrics.emplace_back("swap_rate_mean", rbm.swap_rates.mean().item<double>());
}

}  // namespace

Metrics RbmDiagnosis::of(const Rbm& rbm, const Rows& train, const Rows& valid, Rng& rng) {
  constexpr std::int64_t most_rows = 50;  // of scores that cost a pass a column
  Metrics metrics;
  const Tensor train_rows = rbm.fill_gaps(train.x, rng);
  const double train_energy = rbm.free_energy(train_rows).mean().item<double>();
  metrics.emplace_back("train_free_energy", train_energy);
  const bool validated = valid.size() > 0;
  const Tensor probe = validated ? rbm.fill_gaps(valid.x, rng) : train_rows;
  if (validated) {
    const double valid_energy = rbm.free_energy(probe).mean().item<double>();
    metrics.emplace_back("valid_free_energy", valid_energy);
    metrics.emplace_back("free_energy_gap", valid_energy - train_energy);
  }
  judge(rbm, probe.narrow(0, 0, std::min(probe.size(0), most_rows)), metrics, rng);
  add_unit_metrics(rbm, train_rows, metrics);
  if (rbm.chain_memory.defined()) {
    metrics.emplace_back("gibbs_steps", std::max(1.0, rbm.chain_memory[0].item<double>()));
    metrics.emplace_back("chain_memory", rbm.chain_memory[1].item<double>());
  }
  add_chain_metrics(rbm, rbm.learning_.chains, train_energy, metrics, rng);
  return metrics;
}

void RbmDiagnosis::judge(const Rbm& rbm, const Tensor& few, Metrics& metrics, Rng& rng) {
  const UnitLayer& layer = rbm.visible_layer();
  const NaturalParameters base = without_weights(rbm, rbm.options_.variance == "fixed");
  base_log_prob_ = layer.log_weight(few, base.theta, base.gamma).mean().item<double>() -
                   layer.log_partition(base.theta.to(at::kDouble), base.gamma).item<double>();
  rough_log_prob_ = base_log_prob_;
  if (rbm.gain_directions.defined())  // near a gain of 1 short annealing says nothing
    metrics.emplace_back("largest_gain", rbm.largest_gain(30, 8));
  else
    rough_log_prob_ = -rbm.free_energy(few).mean().item<double>() - rough_log_partition(rbm, rng);
  if (const auto pseudo = rbm.pseudo_log_likelihood(few))
    metrics.emplace_back("pseudo_log_likelihood_proxy", pseudo->mean().item<double>());
}

// A machine whose likelihood or pseudo-likelihood is below the base rate's, or whose chains are very far from
// the data, has been thrown off by too large a step and seldom finds back. Healthy runs stay clear of all
// three: they begin at the base rate.
std::string RbmDiagnosis::diverged(const Metrics& line, std::int64_t visible) const {
  const double margin = std::max(5.0, 0.05 * std::abs(base_log_prob_));
  if (rough_log_prob_ < base_log_prob_ - margin)
    return fmt::format("a log-likelihood of at most about {:.5g} nats, below the base rate's {:.5g},",
                       rough_log_prob_, base_log_prob_);
  const double farthest = 50 * static_cast<double>(visible);
  for (const auto& [name, value] : line) {
    if (name == "pseudo_log_likelihood_proxy" && value < base_log_prob_ - margin)
      return fmt::format("pseudo-likelihood of {:.5g} nats, below the base rate's {:.5g}", value,
                         base_log_prob_);
    if (name == "chain_free_energy_gap" && std::abs(value) > farthest)
      return fmt::format("chains whose free energy is {:.3g} nats from the data's", value);
  }
  return "";
}

}  // namespace deepgen
