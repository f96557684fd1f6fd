// Sums over the flat buffers of a run, the same for any number of threads.
#pragma once

#include <cstdint>

#include "deepgen/core/torch.h"

namespace deepgen {

// The sum of the squares of `count` floats in float64. Not finite exactly when one of them is not.
double sum_of_squares(const float* values, std::int64_t count);

// Whether every number of a tensor of any type is finite.
bool all_finite(const Tensor& tensor);

}  // namespace deepgen
