#include "deepgen/evaluate/schedule.h"

#include <charconv>
#include <cstdint>

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

}  // namespace

std::vector<double> annealing_schedule(const std::string& name) {
  if (name == "salakhutdinov_murray") return three_part_schedule(1);
  if (name == "standard") return three_part_schedule(10);
  std::vector<double> betas;
  std::int64_t steps = name == "quick" ? 300 : 0;
  if (name.starts_with("linear-")) {
    const char* first = name.data() + 7;
    const auto [end, code] = std::from_chars(first, name.data() + name.size(), steps);
    if (code != std::errc() || end != name.data() + name.size()) steps = 0;
  }
  if (steps < 1 || steps > 10'000'000)
    fail_usage("ais",
               unknown_name("schedule", name, {"salakhutdinov_murray", "standard", "quick", "linear-K"}));
  append_range(betas, 0, 1, steps);
  betas.push_back(1);
  return betas;
}

}  // namespace deepgen
