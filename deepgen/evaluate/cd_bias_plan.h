// What the study of contrastive divergence (cd_bias.h) is to measure. Torch-free, so that usage errors answer at once.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"

namespace deepgen {

inline constexpr std::int64_t most_cd_bias_units = 10;  // of a layer: all its states are listed

struct CdBiasPlan {
  std::int64_t visible = 8, hidden = 8;
  std::int64_t machines = 20;  // whose figures are averaged
  std::vector<double> scales = {0.25, 0.5, 1, 2};
  std::vector<std::int64_t> steps = {1, 2, 5, 10, 25};
  std::uint64_t seed = 1;
};

// A usage error for layers that are too large and lists that do not increase.
inline void check_cd_bias(const CdBiasPlan& plan) {
  for (const auto& [flag, units] : {std::pair{"--visible", plan.visible}, std::pair{"--hidden", plan.hidden}})
    if (units < 1 || units > most_cd_bias_units)
      fail_usage(flag, fmt::format("expected 1 to {} units, all of whose states are listed, got {}",
                                   most_cd_bias_units, units));
  if (plan.machines < 1) fail_usage("--machines", fmt::format("expected at least 1, got {}", plan.machines));
  double scale = 0;
  std::int64_t steps = 0;
  for (const double next : plan.scales) {
    if (!(next > scale && next <= 100))
      fail_usage("--scales", fmt::format("expected increasing numbers above 0, at most 100, got {}", next));
    scale = next;
  }
  for (const std::int64_t next : plan.steps) {
    if (next <= steps || next > 100000)
      fail_usage("--steps", fmt::format("expected increasing whole numbers from 1 to 100000, got {}", next));
    steps = next;
  }
  if (plan.scales.empty()) fail_usage("--scales", "expected at least one number");
  if (plan.steps.empty()) fail_usage("--steps", "expected at least one number");
}

}  // namespace deepgen
