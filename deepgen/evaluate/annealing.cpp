#include "deepgen/evaluate/annealing.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"

namespace deepgen {
namespace {

Tensor run_chains(AnnealedChains& chains, const std::vector<double>& betas, std::int64_t count, Rng& rng,
                  Observer& observer, const char* what) {
  constexpr std::int64_t piece = 50;  // temperatures between two words to the observer
  Tensor log_weights = at::zeros({count}, at::kDouble);
  const std::int64_t steps = static_cast<std::int64_t>(betas.size()) - 1;
  Work work(observer, what, steps);
  for (std::int64_t k = 1; k <= steps; ++k) {
    chains.step(betas[static_cast<std::size_t>(k - 1)], betas[static_cast<std::size_t>(k)], log_weights, rng);
    if (k % piece == 0) work.advance(piece);
  }
  return log_weights;
}

// Student's t at 97.5 %, by the expansion of Cornish and Fisher; within 1 % from three degrees of freedom on.
double t_quantile(double df) {
  constexpr double z = 1.959964, z2 = z * z;
  const double first = z * (z2 + 1) / 4, second = z * (5 * z2 * z2 + 16 * z2 + 3) / 96;
  const double third = z * (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / 384;
  return z + first / df + second / (df * df) + third / (df * df * df);
}

// The weights, those of a group as one, scaled so that their mean stays.
Tensor independent_weights(const Tensor& w, const Tensor& groups) {
  if (!groups.defined()) return w;
  const std::int64_t count = groups.max().item<std::int64_t>() + 1;
  const Tensor sums = at::zeros({count}, at::kDouble).index_add_(0, groups, w);
  const Tensor used = at::bincount(groups, {}, count) > 0;
  const Tensor kept = sums.masked_select(used);
  return kept * (static_cast<double>(kept.size(0)) / static_cast<double>(w.size(0)));
}

// log of the mean weight over the lower end of its one-sided interval.
double margin_of(const Tensor& weights) {
  constexpr std::int64_t unseen = 2, fewest = 3;
  const double most = markov_margin(0.975);
  if (weights.size(0) < fewest) return most;
  const Tensor all = at::cat({weights, at::zeros({unseen}, at::kDouble)});
  const auto n = static_cast<double>(all.size(0));
  const double lowest =
      all.mean().item<double>() - t_quantile(n - 1) * all.std(true).item<double>() / std::sqrt(n);
  return lowest > 0 ? std::min(most, std::log(weights.mean().item<double>() / lowest)) : most;
}

}  // namespace

double markov_margin(double confidence) { return -std::log1p(-confidence); }

LogPartition summarise_weights(const Tensor& log_weights, const Tensor& groups) {
  const double largest = log_weights.max().item<double>();
  if (!std::isfinite(largest))
    fail_numerical("annealing",
                   "the importance weights are not finite; the weights of the model are too large");
  const Tensor w = (log_weights - largest).exp();
  const std::int64_t n = w.size(0);
  const double mean = w.mean().item<double>();
  LogPartition result;
  result.value = largest + std::log(mean);
  result.standard_error = n > 1 ? w.std(true).item<double>() / (mean * std::sqrt(static_cast<double>(n))) : 0;
  result.effective_chains = std::pow(w.sum().item<double>(), 2) / w.square().sum().item<double>();
  result.margin = margin_of(independent_weights(w, groups));
  result.chains = n;
  return result;
}

AnnealedRun run_forward(const CanAnneal& model, const std::vector<double>& schedule, std::int64_t count,
                        Rng& rng, Observer& observer) {
  const auto chains = model.anneal_from_base(count, rng);
  AnnealedRun run;
  run.log_weights = run_chains(*chains, schedule, count, rng, observer, "annealing forward");
  run.log_z = summarise_weights(run.log_weights);
  run.log_z.temperatures = static_cast<std::int64_t>(schedule.size()) - 1;
  run.log_z.value += model.log_base_partition();
  Rng own = rng.fork({1});
  run.ends = chains->states(own);
  return run;
}

AnnealedRun run_reverse(const CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                        const Tensor& groups, Rng& rng, Observer& observer) {
  const std::vector<double> backwards(schedule.rbegin(), schedule.rend());
  const auto chains = model.anneal_from(start);
  AnnealedRun run;
  run.log_weights = run_chains(*chains, backwards, start.size(0), rng, observer, "annealing in reverse");
  run.log_z = summarise_weights(run.log_weights, groups);
  run.log_z.temperatures = static_cast<std::int64_t>(schedule.size()) - 1;
  run.log_z.value = model.log_base_partition() - run.log_z.value;
  return run;
}

LogPartition anneal_forward(const CanAnneal& model, const std::vector<double>& schedule, std::int64_t count,
                            Rng& rng, Observer& observer) {
  return run_forward(model, schedule, count, rng, observer).log_z;
}

LogPartition anneal_reverse(const CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                            Rng& rng, Observer& observer) {
  return run_reverse(model, schedule, start, {}, rng, observer).log_z;
}

}  // namespace deepgen
