#include "deepgen/evaluate/schedule.h"

#include <charconv>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

// first, first + step, ... up to but without last; by counting, so that no rounding adds or drops a step.
void append_range(std::vector<double>& betas, double first, double last, std::int64_t steps) {
  for (std::int64_t k = 0; k < steps; ++k)
    betas.push_back(first + (last - first) * static_cast<double>(k) / static_cast<double>(steps));
}

std::vector<double> three_part_schedule(std::int64_t divisor) {
  std::vector<double> betas;
  append_range(betas, 0, 0.5, 500 / divisor);
  append_range(betas, 0.5, 0.9, 4000 / divisor);
  append_range(betas, 0.9, 1, 10000 / divisor);
  betas.push_back(1);
  return betas;
}

constexpr std::int64_t standard_steps = 1450, most_steps = 10'000'000;

// K of "<prefix>K"; 0 where it is no number or out of range.
std::int64_t steps_after(const std::string& prefix, const std::string& name) {
  if (!name.starts_with(prefix)) return 0;
  std::int64_t steps = 0;
  const char *first = name.data() + prefix.size(), *last = name.data() + name.size();
  const auto [end, code] = std::from_chars(first, last, steps);
  return code == std::errc() && end == last && steps >= 1 && steps <= most_steps ? steps : 0;
}

}  // namespace

std::vector<double> annealing_schedule(const std::string& name) {
  if (name == "salakhutdinov_murray") return three_part_schedule(1);
  if (name == "standard") return three_part_schedule(10);
  std::vector<double> betas;
  const std::int64_t steps = name == "quick" ? 300 : steps_after("linear-", name);
  if (steps < 1)
    fail_usage("ais", unknown_name("schedule", name,
                                   {"salakhutdinov_murray", "standard", "quick", "linear-K", "adaptive",
                                    "adaptive-K"}));
  append_range(betas, 0, 1, steps);
  betas.push_back(1);
  return betas;
}

std::optional<std::int64_t> adaptive_temperatures(const std::string& name) {
  if (name == "adaptive") return standard_steps;
  const std::int64_t steps = steps_after("adaptive-", name);
  return steps > 0 ? std::optional(steps) : std::nullopt;
}

void check_schedule(const std::string& name) {
  if (!adaptive_temperatures(name)) annealing_schedule(name);
}

}  // namespace deepgen
