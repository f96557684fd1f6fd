#include "deepgen/evaluate/adaptive_annealing.h"

#include <algorithm>
#include <cmath>

#include "deepgen/core/work.h"

namespace deepgen {
namespace {

constexpr double spread_share = 0.1;  // of the steps, evenly over beta

std::vector<double> even_steps(std::int64_t steps) {
  std::vector<double> betas;
  for (std::int64_t k = 0; k <= steps; ++k)
    betas.push_back(static_cast<double>(k) / static_cast<double>(steps));
  return betas;
}

std::vector<double> pilot_lengths(const CanAnneal& model, const std::vector<double>& betas,
                                  std::int64_t count, Rng& rng, Observer& observer) {
  Work work(observer, "annealing, a pilot", static_cast<std::int64_t>(betas.size()) - 1);
  const auto chains = model.anneal_from_base(count, rng);
  std::vector<double> lengths;
  for (std::size_t k = 1; k < betas.size(); ++k) {
    Tensor increments = at::zeros({count}, at::kDouble);
    chains->step(betas[k - 1], betas[k], increments, rng);
    lengths.push_back(step_length(increments));
    work.advance(1);
  }
  return lengths;
}

}  // namespace

double step_length(const Tensor& increments) {
  const Tensor dense = increments.contiguous();
  const double* u = dense.data_ptr<double>();
  const std::int64_t n = dense.size(0);
  const double largest = *std::max_element(u, u + n);
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double w = std::exp(u[i] - largest);
    sum += w, squares += w * w;
  }
  const double share = sum * sum / (static_cast<double>(n) * squares);
  // One chain has no spread, and weights that are not finite are no measure: annealing itself refuses them.
  return share > 0 && share < 1 ? std::sqrt(-std::log(share)) : 0;
}

std::vector<double> equal_lengths(const std::vector<double>& betas, const std::vector<double>& lengths,
                                  std::int64_t steps) {
  double total = 0;
  for (const double length : lengths) total += length;
  std::vector<double> at = {0};  // the share of the steps up to each beta
  for (std::size_t k = 0; k < lengths.size(); ++k) {
    const double even = betas[k + 1] - betas[k];
    const double share = total > 0 ? spread_share * even + (1 - spread_share) * lengths[k] / total : even;
    at.push_back(at.back() + share);
  }
  std::vector<double> chosen = {0};
  std::size_t k = 0;
  for (std::int64_t i = 1; i < steps; ++i) {
    const double wanted = at.back() * static_cast<double>(i) / static_cast<double>(steps);
    while (k + 2 < at.size() && at[k + 1] < wanted) ++k;
    const double part = (wanted - at[k]) / (at[k + 1] - at[k]);
    chosen.push_back(betas[k] + (betas[k + 1] - betas[k]) * std::clamp(part, 0.0, 1.0));
  }
  chosen.push_back(1);
  return chosen;
}

std::vector<double> schedule_for(const CanAnneal& model, const std::string& name, std::int64_t chains,
                                 const Rng& rng, Observer& observer) {
  constexpr std::int64_t pilots = 3, fewest_steps = 20;
  const std::optional<std::int64_t> steps = adaptive_temperatures(name);
  if (!steps) return annealing_schedule(name);
  NoGradGuard no_graph;
  Rng own = rng.fork({7, 1});
  const std::int64_t pilot_steps = std::max(*steps / 4, fewest_steps);
  std::vector<double> betas = even_steps(pilot_steps);
  for (std::int64_t pilot = 1; pilot <= pilots; ++pilot) {
    const std::vector<double> lengths = pilot_lengths(model, betas, chains, own, observer);
    betas = equal_lengths(betas, lengths, pilot < pilots ? pilot_steps : *steps);
  }
  return betas;
}

}  // namespace deepgen
