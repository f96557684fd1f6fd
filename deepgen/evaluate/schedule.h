// Schedules of annealed importance sampling by name. Torch-free: the command checks names before it loads
// anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepgen {

// Inverse temperatures from 0 to 1 by name:
//   salakhutdinov_murray   0:1e-3:0.5, 0.5:1e-4:0.9, 0.9:1e-5:1 (14,500 steps)
//   standard               the same shape, ten times coarser (1,450 steps)
//   quick                  linear, 300 steps: to watch training, not to publish
//   linear-K               K equal steps
// Others are a usage error, those that a pilot run chooses (below) too.
std::vector<double> annealing_schedule(const std::string& name);

// The number of temperatures of a schedule that is chosen for each model by its effective sample sizes
// (adaptive_annealing.h): adaptive-K, or adaptive, which takes as many as standard; nothing for other names.
std::optional<std::int64_t> adaptive_temperatures(const std::string& name);

// A usage error for what is no name of a schedule of either sort.
void check_schedule(const std::string& name);

}  // namespace deepgen
