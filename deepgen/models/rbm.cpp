#include "deepgen/models/rbm.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/models/rbm_step.h"
#include "deepgen/parts/enumeration.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

UnitLayer visible_layer_of(const RbmOptions& options, std::int64_t columns, const std::string& values,
                           const std::vector<UnitGroup>& groups) {
  if (options.visible_units == "auto" && !groups.empty()) return UnitLayer(groups);
  std::string kind = options.visible_units;
  if (kind == "auto") kind = values == "binary" ? "binary" : values == "grey" ? "mean_field" : "gaussian";
  return UnitLayer::of(unit_kind(kind, "model.visible_units"), columns, options.group, options.copies);
}

Rbm::Rbm(RbmOptions options, RbmLearning learning, std::int64_t visible)
    : Rbm(std::move(options), std::move(learning), UnitLayer::of(UnitKind::binary, visible)) {}

Rbm::Rbm(RbmOptions options, RbmLearning learning, UnitLayer visible_layer)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(std::move(visible_layer)),
      hidden_units_(UnitLayer::of(unit_kind(options_.hidden_units, "model.hidden_units"), options_.hidden,
                                  options_.group, options_.copies)),
      workspace_(std::make_shared<Workspace>()) {
  options_.check();
  learning_.check();
  const std::int64_t visible = visible_units_.size(), hidden = hidden_units_.size();
  if (visible < 1) fail_data("rbm", fmt::format("expected at least one visible unit, got {}", visible));
  if (visible_units_.any(Growth::exponential) && !hidden_units_.all(UnitKind::binary) &&
      growth_of(hidden_units_.groups()[0].kind) != Growth::linear)
    fail_usage("model.hidden_units",
               fmt::format("log Z is infinite for count columns with {} hidden units, whatever the weights; "
                           "choose binary, softmax, mean_field or stepped",
                           options_.hidden_units));
  weights = register_parameter("weights", at::zeros({visible, hidden}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({visible}), false);
  hidden_bias = register_parameter("hidden_bias", at::zeros({hidden}), false);
  data_mean = register_buffer("data_mean", at::full({visible}, 0.5));
  if (visible_units_.any(UnitKind::gaussian))
    visible_log_variance = register_parameter("visible_log_variance", at::zeros({visible}), false);
  if (has_moments()) data_variance = register_buffer("data_variance", at::ones({visible}));
  if (learning_.centring) {
    visible_offset = register_buffer("visible_offset", at::full({visible}, 0.5));
    hidden_offset = register_buffer("hidden_offset", at::full({hidden}, 0.5));
  }
  if (visible_units_.any(Growth::quadratic) && hidden_units_.any(Growth::quadratic))
    gain_directions = register_buffer("gain_directions", at::zeros({12, hidden}));
  const std::int64_t levels = learning_.learning == "pt" ? learning_.temperatures : 1;
  if (learning_.learning == "pcd" || learning_.learning == "pt")
    chains = register_buffer("chains", at::zeros({levels * learning_.chains, hidden}));
  if (learning_.learning == "pt") swap_rates = register_buffer("swap_rates", at::ones({levels - 1}));
  if (learning_.learning == "exact" && (enumeration_units() > enumerable_units || enumeration_units() == 0))
    fail_usage(
        "training.learning",
        fmt::format("exact learning enumerates a binary layer of at most {} units, got {} visible ({}) "
                    "and {} hidden ({}) units; use pcd or cd",
                    enumerable_units, visible, visible_units_.all(UnitKind::binary) ? "binary" : "other",
                    hidden, options_.hidden_units));
}

bool Rbm::has_moments() const {
  return visible_units_.any(UnitKind::gaussian) || visible_units_.any(UnitKind::count);
}

namespace {

// Directions of units that can grow without bound: all of Gaussian columns, the non-negative ones of
// rectified columns, none of the others.
struct Unbounded {
  Tensor gaussian, rectified;  // [N] float 0 or 1
  explicit Unbounded(const UnitLayer& layer)
      : gaussian(layer.columns_of(UnitKind::gaussian).to(at::kFloat)),
        rectified(layer.columns_of(UnitKind::rectified).to(at::kFloat)) {}
  Tensor project(const Tensor& x) const { return x * gaussian + x.clamp_min(0) * rectified; }
};

Tensor unit_rows(const Tensor& x) { return x / x.norm(2, {1}, true).clamp_min(1e-30); }

// Means and variances of the known cells, each column with one pseudo-row: halves of the range for units in
// [0, 1], one event for counts.
void known_moments(const Tensor& x, const UnitLayer& layer, Tensor& mean, Tensor& variance) {
  const Tensor known = x.isnan().logical_not();
  const Tensor count = known.sum(0).to(at::kDouble);
  const Tensor values = at::where(known, x, at::zeros_like(x)).to(at::kDouble);
  const Tensor sums = values.sum(0), plain = sums / count.clamp_min(1);
  const Tensor deviations = at::where(known, values - plain, at::zeros_like(values));
  variance = deviations.square().sum(0) / count.clamp_min(1);
  Tensor pseudo_sum = at::ones_like(sums), pseudo_count = at::full_like(sums, 2);
  for (const UnitGroup& group : layer.groups()) {
    if (group.kind == UnitKind::softmax)
      pseudo_count.narrow(0, group.first, group.size).fill_(static_cast<double>(group.size));
    if (group.kind == UnitKind::stepped)
      pseudo_sum.narrow(0, group.first, group.size).fill_(static_cast<double>(group.copies));
  }
  mean = (sums + pseudo_sum) / (count + pseudo_count);
  mean = at::where(layer.columns_of(UnitKind::gaussian), plain, mean);
}

}  // namespace

void Rbm::initialise(const Batch& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  Tensor mean, variance;
  known_moments(sample.x, visible_units_, mean, variance);
  data_mean.copy_(mean);
  if (has_moments()) {  // a column that is constant keeps deviation 1
    variance = at::where(variance > 1e-12, variance, at::ones_like(variance));
    data_variance.copy_(variance);
    // log rates are stable for counts that vary little: no unit is finer than one event
    data_variance.copy_(
        at::where(visible_units_.columns_of(UnitKind::count), data_variance.clamp_min(1), data_variance));
  }
  float* w = weights.data_ptr<float>();
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  visible_bias.copy_(base_natural().theta);
  if (visible_log_variance.defined()) {
    const Tensor gaussian = visible_units_.columns_of(UnitKind::gaussian);
    const Tensor own = options_.variance == "learned"
                           ? data_variance
                           : data_variance.masked_select(gaussian).mean().expand_as(data_variance);
    visible_log_variance.copy_(at::where(gaussian, own.log(), at::zeros_like(own)));
    visible_bias.copy_(at::where(gaussian, data_mean, visible_bias));
  }
  hidden_bias.zero_();
  if (gain_directions.defined()) {
    for (std::int64_t i = 0; i < gain_directions.numel(); ++i)
      gain_directions.data_ptr<float>()[i] = static_cast<float>(rng.normal());
    gain_directions.copy_(unit_rows(Unbounded(hidden_units_).project(gain_directions)));
  }
  if (learning_.centring) {
    visible_offset.copy_(data_mean);
    hidden_offset.copy_(hidden_units_.mean(at::zeros({1, hidden()}), {}).squeeze(0));
  }
  if (chains.defined()) chains.copy_(sample_h_given_v(chain_start(chains.size(0), rng), rng));
}

void Rbm::check_optimiser(const std::string& name) const {
  if (name == "adam" && learning_.centring)
    fail_usage("training.optimiser",
               "adam scales each element of the gradient by itself, which undoes centring and can go "
               "downhill; use sgd, or set training.centring=false");
}

bool Rbm::decays(const std::string& name, const Tensor& parameter) const {
  return name != "visible_log_variance" && Model::decays(name, parameter);
}

void Rbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "rbm", what, first_row);
}

// ---------------------------------------------------------------- conditionals

NaturalParameters Rbm::visible_natural() const {
  NaturalParameters p{visible_bias, {}, {}};
  if (!has_moments()) return p;
  const Tensor count = visible_units_.columns_of(UnitKind::count);
  p.couple = at::where(count, data_variance.rsqrt(), at::ones_like(data_variance));
  if (!visible_log_variance.defined()) return p;
  const Tensor gaussian = visible_units_.columns_of(UnitKind::gaussian), one = at::ones_like(data_variance);
  p.gamma = at::where(gaussian, (-visible_log_variance).exp(), one);
  p.couple = at::where(gaussian, (visible_log_variance * -0.5).exp(), p.couple);
  p.theta = visible_bias * p.gamma;
  return p;
}

NaturalParameters Rbm::base_natural() const { return visible_units_.at_moments(data_mean, data_variance); }

Tensor Rbm::coupled(const Tensor& v) const { return has_moments() ? v * visible_natural().couple : v; }

Tensor Rbm::mean_h_given_v(const Tensor& v) const {
  Tensor h;
  product(h, coupled(v), weights);
  Rng unused(0);
  hidden_units_.activate(h, hidden_natural(), 1, unused, {.mean = h});
  return h;
}

Tensor Rbm::mean_v_given_h(const Tensor& h) const {
  Tensor v;
  product(v, h, weights.t());
  Rng unused(0);
  visible_units_.activate(v, visible_natural(), 1, unused, {.mean = v});
  return v;
}

Tensor Rbm::sample_h_given_v(const Tensor& v, Rng& rng) const {
  Tensor h;
  product(h, coupled(v), weights);
  hidden_units_.activate(h, hidden_natural(), 1, rng, {.sample = h});
  return h;
}

Tensor Rbm::sample_v_given_h(const Tensor& h, Rng& rng) const {
  Tensor v;
  product(v, h, weights.t());
  visible_units_.activate(v, visible_natural(), 1, rng, {.sample = v});
  return v;
}

Tensor Rbm::encode(const Tensor& v) {
  torch::NoGradGuard no_graph;
  Tensor h;
  product(h, coupled(v), weights);
  return hidden_units_.code(h.add_(hidden_bias), {});
}

Tensor Rbm::filters() { return weights.t().contiguous(); }

// ---------------------------------------------------------------- gauge and domain

void Rbm::flip_hidden_unit(std::int64_t j) {
  if (!hidden_units_.all(UnitKind::binary))
    fail_usage("flip_hidden_unit", "expected binary hidden units, the only ones with two equal states");
  torch::NoGradGuard no_graph;
  const NaturalParameters p = visible_natural();
  Tensor shift = weights.select(1, j).clone();  // of theta / s
  if (p.couple.defined()) shift.mul_(p.couple);
  if (p.gamma.defined()) shift.div_(p.gamma);
  visible_bias.add_(shift);
  weights.select(1, j).neg_();
  hidden_bias.select(0, j).neg_();
}

void Rbm::centre_softmax_groups() {
  torch::NoGradGuard no_graph;
  for (const UnitGroup& group : visible_units_.groups()) {
    if (group.kind != UnitKind::softmax) continue;
    Tensor rows = weights.narrow(0, group.first, group.size);
    const Tensor mean = rows.mean(0);
    rows.sub_(mean);
    hidden_bias.add_(mean);
  }
  const NaturalParameters p = visible_natural();
  for (const UnitGroup& group : hidden_units_.groups()) {
    if (group.kind != UnitKind::softmax) continue;
    Tensor columns = weights.narrow(1, group.first, group.size);
    Tensor mean = columns.mean(1);
    columns.sub_(mean.unsqueeze(1));
    if (p.couple.defined()) mean = mean * p.couple;
    visible_bias.add_(p.gamma.defined() ? mean / p.gamma : mean);
  }
}

double Rbm::largest_gain(int rounds, int starts) const {
  if (!visible_units_.any(Growth::quadratic) || !hidden_units_.any(Growth::quadratic)) return 0;
  torch::NoGradGuard no_graph;
  const Unbounded left(visible_units_), right(hidden_units_);
  Rng rng(17);
  Tensor h = at::empty({starts, hidden()});
  for (std::int64_t i = 0; i < h.numel(); ++i) h.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  h = unit_rows(right.project(h));
  Tensor y, gain = at::zeros({starts});
  for (int k = 0; k < rounds; ++k) {
    product(y, h, weights.t());
    y = unit_rows(left.project(y));
    product(h, y, weights);
    h = right.project(h);
    gain = h.norm(2, {1});
    h = unit_rows(h);
  }
  return gain.max().item<double>();
}

// A round of power iteration an update from where the last one ended, for several directions, since with
// rectified units the gain has many local maxima; a third of them at a time, as weights move little in three
// updates. One direction after the other begins anew. The correction takes the excess out of the direction
// with the largest gain alone.
void Rbm::limit_gain() {
  constexpr double limit = 0.99;
  constexpr std::int64_t restart_every = 10, at_once = 4;  // of 12
  if (!gain_directions.defined()) return;
  const Unbounded left(visible_units_), right(hidden_units_);
  Workspace& w = *workspace_;
  if (w.step % restart_every == 0) {
    Rng rng(static_cast<std::uint64_t>(w.step));
    Tensor row = gain_directions.narrow(0, w.step / restart_every % gain_directions.size(0), 1);
    for (std::int64_t j = 0; j < hidden(); ++j) row.data_ptr<float>()[j] = static_cast<float>(rng.normal());
    row.copy_(unit_rows(right.project(row)));
  }
  Tensor some = gain_directions.narrow(0, w.step * at_once % gain_directions.size(0), at_once);
  product(w.direction, some, weights.t());
  w.direction = unit_rows(left.project(w.direction));
  product(w.answer, w.direction, weights);
  const Tensor next = right.project(w.answer);
  const Tensor gains = next.norm(2, {1});
  some.copy_(unit_rows(next));
  const std::int64_t best = gains.argmax().item<std::int64_t>();
  const double gain = gains[best].item<double>();
  if (gain > limit)
    multiply(weights, w.direction.narrow(0, best, 1).t(), some.narrow(0, best, 1), limit - gain, 1);
}

void Rbm::project() {
  torch::NoGradGuard no_graph;
  if (visible_log_variance.defined()) {
    if (options_.variance == "learned") {
      const Tensor own = data_variance.log();
      const double floor = 2 * std::log(options_.smallest_deviation), ceiling = std::log(100.0);
      visible_log_variance.copy_(at::max(at::min(visible_log_variance, own + ceiling), own + floor));
    }
    visible_log_variance.mul_(visible_units_.columns_of(UnitKind::gaussian).to(at::kFloat));
  }
  limit_gain();
  if (workspace_->step % 50 == 49) centre_softmax_groups();
}

// ---------------------------------------------------------------- diagnosis

Metrics Rbm::diagnose(const Batch& train, const Batch& valid, Rng& rng) {
  torch::NoGradGuard no_graph;
  Metrics metrics;
  const Tensor train_rows = fill_gaps(train.x, rng);
  const double train_energy = free_energy(train_rows).mean().item<double>();
  metrics.emplace_back("train_free_energy", train_energy);
  const bool validated = valid.x.defined() && valid.x.size(0) > 0;
  const Tensor probe = validated ? fill_gaps(valid.x, rng) : train_rows;
  if (validated) {
    const double valid_energy = free_energy(probe).mean().item<double>();
    metrics.emplace_back("valid_free_energy", valid_energy);
    metrics.emplace_back("free_energy_gap", valid_energy - train_energy);
  }
  const Tensor few = probe.narrow(0, 0, std::min<std::int64_t>(probe.size(0), 50));
  NaturalParameters base = base_natural();
  if (visible_log_variance.defined() &&
      options_.variance == "fixed")  // what the machine can say without weights
    base = visible_units_.at_moments(data_mean, at::where(visible_units_.columns_of(UnitKind::gaussian),
                                                          visible_log_variance.exp(), data_variance));
  workspace_->base_log_prob =
      visible_units_.log_weight(few, base.theta, base.gamma).mean().item<double>() -
      visible_units_.log_partition(base.theta.to(at::kDouble).unsqueeze(0), base.gamma).item<double>();
  workspace_->rough_log_prob = workspace_->base_log_prob;
  if (gain_directions.defined())  // near a gain of 1 short annealing says nothing
    metrics.emplace_back("largest_gain", largest_gain(30, 8));
  else
    workspace_->rough_log_prob = -free_energy(few).mean().item<double>() - rough_log_partition(rng);
  if (const auto pseudo = pseudo_log_likelihood(few))
    metrics.emplace_back("pseudo_log_likelihood_proxy", pseudo->mean().item<double>());
  const Tensor activity = mean_h_given_v(train_rows);
  const Tensor mean = activity.mean(0), spread = activity.std(0, false);
  auto share = [](const Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); };
  if (hidden_units_.all(UnitKind::binary)) {
    metrics.emplace_back("dead_units", share(mean < 0.01));
    metrics.emplace_back("saturated_units", share(mean > 0.99));
  } else {
    metrics.emplace_back("dead_units", share(spread < 1e-3));
  }
  metrics.emplace_back("weight_norm", weights.norm().item<double>());
  if (visible_log_variance.defined()) {
    const Tensor z = visible_log_variance.masked_select(visible_units_.columns_of(UnitKind::gaussian));
    metrics.emplace_back("deviation_least", std::exp(z.min().item<double>() / 2));
    metrics.emplace_back("deviation_mean", (z / 2).exp().mean().item<double>());
  }
  add_chain_metrics(train_energy, metrics, rng);
  return metrics;
}

// log Z by a few short annealed chains: too low on average, so a likelihood below the base rate's by this
// measure is below it indeed. Not a number to show. Cost: 1,000 Gibbs steps of one row.
double Rbm::rough_log_partition(Rng& rng) {
  constexpr std::int64_t count = 20;
  constexpr int temperatures = 50;
  const auto annealed = anneal_from_base(count, rng);
  Tensor log_weights = at::zeros({count}, at::kDouble);
  for (int k = 0; k < temperatures; ++k)
    annealed->step(static_cast<double>(k) / temperatures, static_cast<double>(k + 1) / temperatures,
                   log_weights, rng);
  return log_base_partition() + at::logsumexp(log_weights, 0).item<double>() - std::log(double{count});
}

// A machine whose likelihood or pseudo-likelihood is below the base rate's, or whose chains are very far from
// the data, has been thrown off by too large a step and seldom finds back. Healthy runs stay clear of all
// three: they begin at the base rate.
std::string Rbm::lost(const Metrics& diagnosis) {
  const double base = workspace_->base_log_prob, margin = std::max(5.0, 0.05 * std::abs(base));
  const double rough = workspace_->rough_log_prob;
  if (rough < base - margin)
    return fmt::format("a log-likelihood of at most about {:.5g} nats, below the base rate's {:.5g},", rough,
                       base);
  const double farthest = 50 * static_cast<double>(visible());
  for (const auto& [name, value] : diagnosis) {
    if (name == "pseudo_log_likelihood_proxy" && value < base - margin)
      return fmt::format("pseudo-likelihood of {:.5g} nats, below the base rate's {:.5g}", value, base);
    if (name == "chain_free_energy_gap" && std::abs(value) > farthest)
      return fmt::format("chains whose free energy is {:.3g} nats from the data's", value);
  }
  return "";
}

// Whether the chains are where the data are, and how fast they move.
void Rbm::add_chain_metrics(double train_energy, Metrics& metrics, Rng& rng) {
  if (!chains.defined()) return;
  const std::int64_t count = learning_.chains;
  const Tensor h = chains.narrow(0, chains.size(0) - count, count);  // pt: those at temperature 1
  const Tensor v = sample_v_given_h(h, rng);
  metrics.emplace_back("chain_free_energy_gap", free_energy(v).mean().item<double>() - train_energy);
  constexpr std::int64_t lag = 10;
  if (count >= 10) {  // correlation over the chains of each unit with itself, lag steps later
    const Tensor later = sample_h_given_v(chain_steps(v, lag, {}, rng), rng);
    const Tensor a = h - h.mean(0), b = later - later.mean(0);
    const double both = (a * b).sum().item<double>();
    const double scale = std::sqrt(a.square().sum().item<double>() * b.square().sum().item<double>());
    metrics.emplace_back("chain_autocorrelation", scale > 0 ? both / scale : 1.0);
  }
  if (swap_rates.defined()) {
    metrics.emplace_back("swap_rate_min", swap_rates.min().item<double>());
    metrics.emplace_back("swap_rate_mean", swap_rates.mean().item<double>());
  }
}

}  // namespace deepgen
