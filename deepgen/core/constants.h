// Constants of densities.
#pragma once

#include <cmath>
#include <numbers>

namespace deepgen {

inline constexpr double two_pi = 2 * std::numbers::pi;
inline const double log_two_pi = std::log(two_pi);

}  // namespace deepgen
