// All states of a few binary units, block by block: the oracle of every energy model.
#pragma once

#include <functional>

#include "deepgen/core/torch.h"

namespace deepgen {

inline constexpr std::int64_t enumerable_units = 25;  // 2^25 states of a layer take about a minute

// States first, first + 1, ... of n binary units, [count, n] float64; bit 0 of the state's number is unit 0.
Tensor binary_states(std::int64_t first, std::int64_t count, std::int64_t n);

// Calls body on consecutive blocks of all 2^n states of n units. Blocks are small enough to stay in cache.
void for_each_block_of_states(std::int64_t n, std::int64_t width,
                              const std::function<void(std::int64_t first, const Tensor& states)>& body);

// A running log sum exp in float64.
class LogSumExp {
 public:
  void add(const Tensor& values);  // any shape, float64
  double value() const;            // -infinity when nothing was added

 private:
  double maximum_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0;  // of exp(value - maximum_)
};

}  // namespace deepgen
