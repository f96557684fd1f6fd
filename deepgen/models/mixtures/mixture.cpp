#include "deepgen/models/mixtures/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/kernels/kernels.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

enum Total { log_prob_sum, weight_sum, objective, gain, passes, total_count };

constexpr double shrinkage = 0.5;                              // of the first centres, towards the mean
constexpr std::int64_t trial_passes = 10, trial_chunk = 1000;  // of a restart
constexpr double least_share = 1e-12;                          // of a component without rows and prior

// One component a row, in proportion to its shares [B, K].
Tensor draw_components(const Tensor& shares, Rng& rng) {
  const std::int64_t n = shares.size(0), k = shares.size(1);
  Tensor which = at::empty({n}, at::kLong);
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = shares.data_ptr<float>() + i * k;
    double total = 0;
    for (std::int64_t c = 0; c < k; ++c) total += row[c];
    which.data_ptr<std::int64_t>()[i] =
        pick_category(k, rng.uniform() * total, [row](std::int64_t c) { return row[c]; });
  }
  return which;
}

// log softmax in float64, summed in order.
Tensor log_weights(const Tensor& mixing) {
  const Tensor wide = mixing.detach().to(at::kDouble).contiguous();
  Tensor log_sum;
  normalise_rows(wide.unsqueeze(0), log_sum);
  return wide - log_sum;
}

}  // namespace

Tensor normalise_rows(const Tensor& log_joint, Tensor& log_prob) {
  const std::int64_t n = log_joint.size(0), k = log_joint.size(1);
  const double* joint = log_joint.data_ptr<double>();
  Tensor shares = at::empty({n, k}, at::kDouble);
  log_prob = at::empty({n}, at::kDouble);
  double *out = shares.data_ptr<double>(), *logs = log_prob.data_ptr<double>();
  parallel_ranges(n, 8.0 * static_cast<double>(k), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double *row = joint + i * k, largest = *std::max_element(row, row + k);
      double sum = 0;
      for (std::int64_t c = 0; c < k; ++c) {
        const double part = std::exp(row[c] - largest);
        out[i * k + c] = part, sum += part;
      }
      logs[i] = largest + std::log(sum);
      for (std::int64_t c = 0; c < k; ++c) out[i * k + c] /= sum;
    }
  });
  return shares;
}

Mixture::Mixture(std::string name, std::int64_t count, std::shared_ptr<MixtureComponents> components)
    : mixing(register_parameter("mixing", at::zeros({count}))),
      name_(std::move(name)),
      components_(register_module("components", std::move(components))),
      mass_(register_buffer("mass", at::zeros({count}, at::kDouble))),
      totals_(register_buffer("totals", at::zeros({total_count}, at::kDouble))) {}

void Mixture::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  components_->check(x, what, first_row);
}

// ---------------------------------------------------------------- the beginning

Tensor Mixture::centres(const Tensor& rows, const ColumnMoments& moments, Rng& rng) const {
  // Distances to all rows cost K a row; some rows a component are enough to begin with.
  const std::int64_t enough = std::max<std::int64_t>(2000, 10 * count());
  std::vector<std::int64_t> some = rng.permutation(rows.size(0));
  some.resize(static_cast<std::size_t>(std::min(enough, rows.size(0))));
  const Tensor drawn = spread_rows(rows.index_select(0, at::tensor(some, at::kLong)), count(),
                                   components_->distance_scale(moments), rng);
  const Tensor mean = moments.mean.to(at::kFloat);
  return mean + (drawn - mean) * (1 - shrinkage);
}

double Mixture::run_passes(const Rows& rows, std::int64_t count) {
  double last = 0;
  for (std::int64_t pass = 0; pass < count; ++pass) {
    for (std::int64_t first = 0; first < rows.size(); first += trial_chunk)
      gather(rows.narrow(first, std::min(trial_chunk, rows.size() - first)));
    finish_pass();
    last = totals_.data_ptr<double>()[objective];
  }
  mass_.zero_(), totals_.zero_();
  return last;
}

void Mixture::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  const ColumnMoments moments = column_moments(sample.x);
  const Tensor rows = at::where(sample.x.isnan(), moments.mean.to(at::kFloat), sample.x).contiguous();
  const std::int64_t beginnings = restarts();
  double best = -std::numeric_limits<double>::infinity();
  std::vector<Tensor> kept;
  for (std::int64_t r = 0; r < beginnings; ++r) {
    Rng own = rng.fork({static_cast<std::uint64_t>(r)});
    mixing.zero_();
    components_->start(moments, centres(rows, moments, own));
    if (beginnings == 1) return;
    const double value = run_passes({sample.x, sample.y}, trial_passes);
    if (!(value > best)) continue;
    best = value;
    kept.clear();
    for (const Tensor& parameter : parameters()) kept.push_back(parameter.detach().clone());
  }
  for (std::size_t i = 0; i < kept.size(); ++i) parameters()[i].copy_(kept[i]);
}

// ---------------------------------------------------------------- conditionals

Tensor Mixture::log_joint(const Tensor& x) const {
  NoGradGuard no_graph;
  return components_->log_densities(x).add_(log_weights(mixing));
}

Tensor Mixture::responsibilities(const Rows&, const Tensor& log_joint, Tensor& log_prob) const {
  return normalise_rows(log_joint, log_prob);
}

// ---------------------------------------------------------------- fitting

Metrics Mixture::gather(const Rows& rows) {
  NoGradGuard no_graph;
  Tensor log_prob, r = responsibilities(rows, log_joint(rows.x), log_prob);
  const std::int64_t n = rows.x.size(0);
  const auto* logs = log_prob.data_ptr<double>();
  double chunk = 0, weight = 0;
  if (rows.weights.defined()) {
    const Tensor weights = rows.weights.to(at::kDouble).contiguous();
    r.mul_(weights.unsqueeze(1));
    const auto* w = weights.data_ptr<double>();
    for (std::int64_t i = 0; i < n; ++i) chunk += w[i] * logs[i], weight += w[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) chunk += logs[i];
    weight = static_cast<double>(n);
  }
  double* totals = totals_.data_ptr<double>();
  totals[log_prob_sum] += chunk, totals[weight_sum] += weight;
  mass_.add_(column_totals(r));
  components_->gather(rows.x, r);
  return {{"batch_log_prob", weight > 0 ? chunk / weight : 0}};
}

double Mixture::log_prior() const {
  double sum = components_->log_prior();
  if (fit().pseudo_count == 0) return sum;
  const Tensor logs = log_weights(mixing);
  for (std::int64_t k = 0; k < count(); ++k) sum += fit().pseudo_count * logs.data_ptr<double>()[k];
  return sum;
}

// The objective that is told is that of the parameters under which the rows were seen.
Metrics Mixture::finish_pass() {
  NoGradGuard no_graph;
  double* totals = totals_.data_ptr<double>();
  const double rows = std::max(totals[weight_sum], least_share), mean = totals[log_prob_sum] / rows;
  const double value = mean + log_prior() / rows;
  totals[gain] = totals[passes] > 0 ? value - totals[objective] : 0;
  totals[objective] = value;
  totals[passes] += 1;
  totals[log_prob_sum] = totals[weight_sum] = 0;
  mixing.copy_((mass_ + fit().pseudo_count).clamp_min(least_share * rows).log() - std::log(rows));
  mass_.zero_();
  components_->maximise();
  return {{"train_log_prob", mean}, {"objective", value}, {"gain", totals[gain]}};
}

bool Mixture::converged() const {
  const double* totals = totals_.data_ptr<double>();
  return totals[passes] > 1 && totals[gain] <= fit().tolerance;
}

// The number of components in use, as the exponential of the entropy of pi.
Metrics Mixture::diagnose(const Rows&, const Rows&, Rng&) {
  const Tensor logs = log_weights(mixing);
  double entropy = 0;
  for (std::int64_t k = 0; k < count(); ++k) {
    const double log_pi = logs.data_ptr<double>()[k];
    entropy -= std::exp(log_pi) * log_pi;
  }
  return {{"components_used", std::exp(entropy)}};
}

// ---------------------------------------------------------------- draws

Tensor Mixture::sample(std::int64_t rows, Rng& rng) const {
  const std::int64_t columns = components_->means().size(1);
  return complete(at::full({rows, columns}, std::numeric_limits<float>::quiet_NaN()), rng);
}

Tensor Mixture::complete(const Rows& rows, Rng& rng) const {
  return components_->draw(rows.x, draw_components(shares(rows.x), rng), rng);
}

// ---------------------------------------------------------------- scores

Tensor Mixture::log_prob(const Rows& rows) const {
  Tensor logs;
  normalise_rows(log_joint(rows.x), logs);
  return logs;
}

Tensor Mixture::shares(const Tensor& x) const {
  Tensor logs;
  return normalise_rows(log_joint(x), logs).to(at::kFloat);
}

}  // namespace deepgen
