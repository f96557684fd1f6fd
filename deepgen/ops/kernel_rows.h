// What the doors to the kernels share: raw pointers of tensors, and rows shared out among the threads.
#pragma once

#include "deepgen/core/interruption.h"
#include "deepgen/core/torch.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen {

inline float* floats(const Tensor& tensor) { return tensor.defined() ? tensor.data_ptr<float>() : nullptr; }
inline double* doubles(const Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<double>() : nullptr;
}

// kernel(arguments, begin, end) over all rows; the cost of one, in nanoseconds, decides how many threads wake.
template <class Kernel, class Arguments>
void for_rows(Kernel kernel, const Arguments& arguments, std::int64_t rows, double cost_of_row_ns) {
  interruption_point();
  parallel_ranges(rows, cost_of_row_ns, 1,
                  [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

}  // namespace deepgen
