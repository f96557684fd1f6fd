#include "deepgen/evaluate/annealing.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// log mean exp of the weights with its error: sd(w) / (mean(w) sqrt(n)).
LogPartition summarise(const Tensor& log_weights, std::int64_t temperatures) {
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
  result.chains = n;
  result.temperatures = temperatures;
  return result;
}

Tensor run_chains(AnnealedChains& chains, const std::vector<double>& betas, std::int64_t count, Rng& rng,
                  Observer& observer, const char* what) {
  Tensor log_weights = at::zeros({count}, at::kDouble);
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t steps = static_cast<std::int64_t>(betas.size()) - 1;
  for (std::int64_t k = 1; k <= steps; ++k) {
    chains.step(betas[static_cast<std::size_t>(k - 1)], betas[static_cast<std::size_t>(k)], log_weights, rng);
    if (k % 50 != 0) continue;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    observer.progress(
        {what, k, steps, seconds, seconds / static_cast<double>(k) * static_cast<double>(steps - k)}, {});
    if (observer.stop_requested()) throw Error(ErrorKind::interrupted, what, "stopped by request");
  }
  return log_weights;
}

constexpr double widest_bracket = 1.0, fewest_effective = 5.0;

std::string few_chains(const LogPartition& side, const char* direction, const char* effect) {
  return fmt::format(
      "only {:.1f} of {} chains of the {} run carry the weight: {}; use more chains or temperatures",
      side.effective_chains, side.chains, direction, effect);
}

std::string judge(const PartitionBracket& bracket) {
  const double width = bracket.reverse.value - bracket.forward.value;
  if (std::abs(width) > widest_bracket)
    return fmt::format(
        "forward and reverse runs differ by {:.1f} nats: the chains do not mix along this schedule, and "
        "neither number can be trusted; use more temperatures (--ais salakhutdinov_murray)",
        width);
  if (bracket.forward.effective_chains < fewest_effective)
    return few_chains(bracket.forward, "forward",
                      "log Z is likely underestimated and the likelihood too good");
  if (bracket.reverse.effective_chains < fewest_effective)
    return few_chains(bracket.reverse, "reverse", "log Z is likely overestimated on that side");
  return "";
}

}  // namespace

LogPartition anneal_forward(CanAnneal& model, const std::vector<double>& schedule, std::int64_t count,
                            Rng& rng, Observer& observer) {
  const auto chains = model.anneal_from_base(count, rng);
  const Tensor log_weights = run_chains(*chains, schedule, count, rng, observer, "annealing forward");
  LogPartition result = summarise(log_weights, static_cast<std::int64_t>(schedule.size()) - 1);
  result.value += model.log_base_partition();
  return result;
}

LogPartition anneal_reverse(CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                            Rng& rng, Observer& observer) {
  const std::vector<double> backwards(schedule.rbegin(), schedule.rend());
  const auto chains = model.anneal_from(start);
  const Tensor log_weights =
      run_chains(*chains, backwards, start.size(0), rng, observer, "annealing in reverse");
  LogPartition result = summarise(log_weights, static_cast<std::int64_t>(schedule.size()) - 1);
  result.value = model.log_base_partition() - result.value;
  return result;
}

PartitionBracket bracket_log_partition(Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                                       Observer& observer) {
  auto* annealed = as<CanAnneal>(model);
  auto* chain = as<HasChain>(model);
  if (!annealed || !chain) fail_usage("ais", "this model has no annealing path; see `deepgen models`");
  const std::vector<double> schedule = annealing_schedule(plan.schedule);
  PartitionBracket bracket;
  bracket.forward = anneal_forward(*annealed, schedule, plan.chains, rng, observer);
  // Fewer rows than chains: rows serve several times; the burn-in draws them apart.
  const Tensor index = at::arange(plan.chains, at::kLong).remainder(data.size(0));
  const Tensor rows = data.index_select(0, index), gaps = rows.isnan();
  const Tensor filled = at::where(gaps, chain->chain_start(rows.size(0), rng), rows);
  const Tensor start = chain->chain_steps(filled, plan.burn_in, {}, rng);
  bracket.reverse = anneal_reverse(*annealed, schedule, start, rng, observer);
  bracket.warning = judge(bracket);
  return bracket;
}

}  // namespace deepgen
