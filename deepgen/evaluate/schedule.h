// Schedules of annealed importance sampling by name. Torch-free: the command checks names before it loads
// anything.
#pragma once

#include <string>
#include <vector>

namespace deepgen {

// Inverse temperatures from 0 to 1 by name:
//   salakhutdinov_murray   0:1e-3:0.5, 0.5:1e-4:0.9, 0.9:1e-5:1 (14,500 steps)
//   standard               the same shape, ten times coarser (1,450 steps)
//   quick                  linear, 300 steps: to watch training, not to publish
//   linear-K               K equal steps
std::vector<double> annealing_schedule(const std::string& name);

}  // namespace deepgen
