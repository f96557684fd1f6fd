#include "deepgen/models/boltzmann/rbm.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/models/boltzmann/rbm_diagnosis.h"
#include "deepgen/models/boltzmann/rbm_training.h"
#include "deepgen/parts/checks/enumeration.h"
#include "deepgen/parts/couplings/softmax_gauge.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

UnitLayer visible_layer_of(const RbmOptions& options, const DataShape& data) {
  if (options.visible_units == "auto") return UnitLayer::of(data.column_groups());
  return UnitLayer::of(unit_kind(options.visible_units, "model.visible_units"), data.columns, options.group,
                       options.copies);
}

Rbm::Rbm(RbmOptions options, RbmLearning learning, const DataShape& data)
    : Rbm(options, std::move(learning), visible_layer_of(options, data)) {}

Rbm::Rbm(RbmOptions options, RbmLearning learning, UnitLayer visible_layer)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(std::move(visible_layer)),
      hidden_units_(UnitLayer::of(unit_kind(options_.hidden_units, "model.hidden_units"), options_.hidden,
                                  options_.group, options_.copies)),
      gain_limit_(visible_units_, hidden_units_),
      workspace_(std::make_shared<RbmWorkspace>()),
      diagnosis_(std::make_shared<RbmDiagnosis>()) {
  options_.check();
  learning_.check();
  if (visible_units_.size() < 1)
    fail_data("rbm", fmt::format("expected at least one visible unit, got {}", visible_units_.size()));
  refuse_infinite_partition();
  register_tensors();
  refuse_learning();
}

void Rbm::refuse_learning() const {
  constexpr std::int64_t most_columns = 1000;
  const std::string& how = learning_.learning;
  const bool bits = visible_units_.all(UnitKind::binary);
  if (how == "exact" && (enumeration_units() > enumerable_units || enumeration_units() == 0))
    fail_usage(
        "training.learning",
        fmt::format("exact learning enumerates a binary layer of at most {} units, got {} visible ({}) "
                    "and {} hidden ({}) units; use pcd or cd",
                    enumerable_units, visible(), bits ? "binary" : "other", hidden(), options_.hidden_units));
  if (how == "fpcd" && gain_limit_.needed())
    fail_usage(
        "training.learning",
        "fpcd moves its chains under fast weights, which nothing keeps from a gain above 1 where units of "
        "both layers grow without bound; use pcd or cd");
  if (how == "ratio_matching" && (!bits || visible() > most_columns))
    fail_usage(
        "training.learning",
        fmt::format("ratio matching turns over every one of at most {} binary columns, got {} {} columns; "
                    "use pcd or cd",
                    most_columns, visible(), bits ? "binary" : "other"));
  if (how == "score_matching" &&
      !(visible_units_.all(UnitKind::gaussian) && hidden_units_.all(UnitKind::binary)))
    fail_usage("training.learning",
               "score matching is for Gaussian columns and binary hidden units, got others; use pcd or cd");
}

void Rbm::refuse_infinite_partition() const {
  if (visible_units_.any(Growth::exponential) && !hidden_units_.all(UnitKind::binary) &&
      growth_of(hidden_units_.groups()[0].kind) != Growth::linear)
    fail_usage("model.hidden_units",
               fmt::format("log Z is infinite for count columns with {} hidden units, whatever the weights; "
                           "choose binary, softmax, mean_field or stepped",
                           options_.hidden_units));
}

void Rbm::register_tensors() {
  const std::int64_t columns = visible_units_.size(), units = hidden_units_.size();
  weights = register_parameter("weights", at::zeros({columns, units}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({columns}), false);
  hidden_bias = register_parameter("hidden_bias", at::zeros({units}), false);
  data_mean = register_buffer("data_mean", at::full({columns}, 0.5));
  if (visible_units_.any(UnitKind::gaussian))
    visible_log_variance = register_parameter("visible_log_variance", at::zeros({columns}), false);
  if (visible_units_.any(UnitKind::gaussian) || visible_units_.any(UnitKind::count))
    data_variance = register_buffer("data_variance", at::ones({columns}));
  if (learning_.centring) {
    visible_offset = register_buffer("visible_offset", at::full({columns}, 0.5));
    hidden_offset = register_buffer("hidden_offset", at::full({units}, 0.5));
  }
  if (gain_limit_.needed())
    gain_directions = register_buffer("gain_directions", at::zeros({GainLimit::directions, units}));
  if (parse_gibbs_steps(learning_.gibbs_steps).automatic)
    chain_memory = register_buffer("chain_memory", at::zeros({2}));
  register_chains();
}

// The chains of the rule of learning and what goes with them.
void Rbm::register_chains() {
  const std::string& how = learning_.learning;
  const std::int64_t columns = visible(), units = hidden(), snapshots = learning_.snapshots;
  const std::int64_t levels = how == "pt" ? learning_.temperatures : how == "trajectory" ? snapshots + 1 : 1;
  if (how == "pcd" || how == "fpcd" || levels > 1)
    chains = register_buffer("chains", at::zeros({levels * learning_.chains, units}));
  if (levels > 1) swap_rates = register_buffer("swap_rates", at::ones({levels - 1}));
  if (how == "fpcd") {
    fast_weights = register_buffer("fast_weights", at::zeros({columns, units}));
    fast_visible_bias = register_buffer("fast_visible_bias", at::zeros({columns}));
    fast_hidden_bias = register_buffer("fast_hidden_bias", at::zeros({units}));
  }
  if (how != "trajectory") return;
  snapshot_weights = register_buffer("snapshot_weights", at::zeros({snapshots, columns, units}));
  snapshot_visible_bias = register_buffer("snapshot_visible_bias", at::zeros({snapshots, columns}));
  snapshot_hidden_bias = register_buffer("snapshot_hidden_bias", at::zeros({snapshots, units}));
  if (visible_log_variance.defined())
    snapshot_log_variance = register_buffer("snapshot_log_variance", at::zeros({snapshots, columns}));
}

namespace {

// Means and variances of the known cells, each column with one pseudo-row: halves of the range for units in
// [0, 1], one event for counts.
void known_moments(const Tensor& x, const UnitLayer& layer, Tensor& mean, Tensor& variance) {
  constexpr std::int64_t block = 1000;  // rows in float64 at a time
  const Tensor zero = at::zeros({x.size(1)}, at::kDouble);
  Tensor count = zero.clone(), sums = zero.clone(), squares = zero.clone();
  for (const Tensor& rows : x.split(block)) {
    const Tensor known = rows.isnan().logical_not();
    count.add_(known.sum(0));
    sums.add_(at::where(known, rows.to(at::kDouble), zero).sum(0));
  }
  const Tensor plain = sums / count.clamp_min(1);
  for (const Tensor& rows : x.split(block))
    squares.add_(at::where(rows.isnan(), zero, rows.to(at::kDouble) - plain).square().sum(0));
  variance = squares / count.clamp_min(1);
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

void Rbm::initialise(const Rows& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  initialise_visible(sample.x);
  float* w = weights.data_ptr<float>();
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  hidden_bias.zero_();
  if (gain_directions.defined()) gain_directions.copy_(gain_limit_.random_directions(hidden(), rng));
  if (learning_.centring) {
    visible_offset.copy_(data_mean);
    hidden_offset.copy_(hidden_units_.mean(at::zeros({hidden()}), {}).squeeze(0));
  }
  if (chain_memory.defined()) chain_memory.zero_();
  if (fast_weights.defined()) fast_weights.zero_(), fast_visible_bias.zero_(), fast_hidden_bias.zero_();
  if (chains.defined()) chains.copy_(sample_h_given_v(chain_start(chains.size(0), rng), rng));
}

// The moments of the data, and the visible units' parameters as they are without hidden ones.
void Rbm::initialise_visible(const Tensor& sample) {
  Tensor mean, variance;
  known_moments(sample, visible_units_, mean, variance);
  data_mean.copy_(mean);
  if (has_moments()) {  // a column that is constant keeps deviation 1
    variance = at::where(variance > 1e-12, variance, at::ones_like(variance));
    data_variance.copy_(variance);
    // log rates are stable for counts that vary little: no unit is finer than one event
    data_variance.copy_(
        at::where(visible_units_.columns_of(UnitKind::count), data_variance.clamp_min(1), data_variance));
  }
  visible_bias.copy_(base_natural().theta);
  if (!visible_log_variance.defined()) return;
  const Tensor gaussian = visible_units_.columns_of(UnitKind::gaussian);
  const Tensor own = options_.variance == "learned"
                         ? data_variance
                         : data_variance.masked_select(gaussian).mean().expand_as(data_variance);
  visible_log_variance.copy_(at::where(gaussian, own.log(), at::zeros_like(own)));
  visible_bias.copy_(at::where(gaussian, data_mean, visible_bias));
}

void Rbm::check_optimiser(const std::string& name, int) const {
  if (name == "adam" && learning_.centring)
    fail_usage("training.optimiser",
               "adam scales each element of the gradient by itself, which undoes centring and can go "
               "downhill; use sgd, or set training.centring=false");
}

bool Rbm::decays(const std::string& name, const Tensor& parameter) const {
  return name != "visible_log_variance" && Model::decays(name, parameter);
}

void Rbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "rbm", what, first_row, "choose other units (model.visible_units)");
}

// ---------------------------------------------------------------- conditionals

NaturalParameters Rbm::natural_of(const Tensor& bias, const Tensor& log_variance) const {
  NaturalParameters p{bias, {}, {}};
  if (!has_moments()) return p;
  const Tensor count = visible_units_.columns_of(UnitKind::count);
  p.couple = at::where(count, data_variance.rsqrt(), at::ones_like(data_variance));
  if (!log_variance.defined()) return p;
  const Tensor gaussian = visible_units_.columns_of(UnitKind::gaussian), one = at::ones_like(data_variance);
  p.gamma = at::where(gaussian, (-log_variance).exp(), one);
  p.couple = at::where(gaussian, (log_variance * -0.5).exp(), p.couple);
  p.theta = bias * p.gamma;
  return p;
}

NaturalParameters Rbm::base_natural() const { return visible_units_.at_moments(data_mean, data_variance); }

Tensor Rbm::coupled(const Tensor& v) const { return has_moments() ? v * visible_natural().couple : v; }

Tensor Rbm::mean_h_given_v(const Tensor& v) const {
  Tensor h;
  coupling().input_to_upper(h, coupled(v));
  Rng unused(0);
  hidden_units_.activate(h, hidden_natural(), 1, unused, {.mean = h});
  return h;
}

Tensor Rbm::mean_v_given_h(const Tensor& h) const {
  Tensor v;
  coupling().input_to_lower(v, h);
  Rng unused(0);
  visible_units_.activate(v, visible_natural(), 1, unused, {.mean = v});
  return v;
}

Tensor Rbm::sample_h_given_v(const Tensor& v, Rng& rng) const {
  Tensor h;
  coupling().input_to_upper(h, coupled(v));
  hidden_units_.activate(h, hidden_natural(), 1, rng, {.sample = h});
  return h;
}

Tensor Rbm::sample_v_given_h(const Tensor& h, Rng& rng) const {
  Tensor v;
  coupling().input_to_lower(v, h);
  visible_units_.activate(v, visible_natural(), 1, rng, {.sample = v});
  return v;
}

Tensor Rbm::encode(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  Tensor h;
  coupling().input_to_upper(h, coupled(rows.x));
  return hidden_units_.code(h.add_(hidden_bias), {});
}

Tensor Rbm::filters() const { return weights.t().contiguous(); }

// ---------------------------------------------------------------- training

Metrics Rbm::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  torch::NoGradGuard no_graph;
  return RbmStep(*this, turn, rng).run(fill_gaps(batch.x, rng));
}

void Rbm::project(const Turn& turn) {
  constexpr std::int64_t gauge_every = 50;  // the mean weight of a group drifts slowly
  torch::NoGradGuard no_graph;
  if (visible_log_variance.defined()) {
    if (options_.variance == "learned") {
      const Tensor own = data_variance.log();
      const double floor = 2 * std::log(options_.smallest_deviation), ceiling = std::log(100.0);
      visible_log_variance.copy_(at::max(at::min(visible_log_variance, own + ceiling), own + floor));
    }
    visible_log_variance.mul_(visible_units_.columns_of(UnitKind::gaussian).to(at::kFloat));
  }
  if (gain_directions.defined()) gain_limit_.apply(coupling(), gain_directions, turn.step);
  if (turn.step % gauge_every == gauge_every - 1) centre_softmax_groups();
}

Metrics Rbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  torch::NoGradGuard no_graph;
  return diagnosis_->of(*this, train, valid, rng);
}

std::string Rbm::diverged(const Metrics& diagnosis) const {
  return diagnosis_->diverged(diagnosis, visible());
}

// ---------------------------------------------------------------- gauge and domain

void Rbm::add_input_to_bias(const Tensor& input) {
  const NaturalParameters p = visible_natural();
  Tensor shift = input;  // of theta / s
  if (p.couple.defined()) shift = shift * p.couple;
  if (p.gamma.defined()) shift = shift / p.gamma;
  visible_bias.add_(shift);
}

void Rbm::flip_hidden_unit(std::int64_t j) {
  if (!hidden_units_.all(UnitKind::binary))
    fail_usage("flip_hidden_unit", "expected binary hidden units, the only ones with two equal states");
  torch::NoGradGuard no_graph;
  add_input_to_bias(weights.select(1, j).clone());
  weights.select(1, j).neg_();
  hidden_bias.select(0, j).neg_();
}

void Rbm::centre_softmax_groups() {
  torch::NoGradGuard no_graph;
  take_group_means(weights, visible_units_, Side::lower, [&](const Tensor& mean) { hidden_bias.add_(mean); });
  take_group_means(weights, hidden_units_, Side::upper, [&](const Tensor& mean) { add_input_to_bias(mean); });
}

double Rbm::largest_gain(int rounds, int starts) const {
  torch::NoGradGuard no_graph;
  return gain_limit_.largest_gain(coupling(), rounds, starts);
}

template std::shared_ptr<Model> create<RbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
