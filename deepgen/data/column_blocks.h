// Columns a few at a time: float64 copies of a whole sample would be the largest things in memory.
#pragma once

#include <cstdint>

#include "deepgen/core/torch.h"

namespace deepgen {

// function(first, count) for neighbouring columns. At least 64 of them, unless there are fewer in all: torch
// sums a column of such a block in the order in which it sums it in the whole, so that results are equal bit
// for bit.
template <class F>
void over_column_blocks(std::int64_t columns, F function) {
  constexpr std::int64_t least = 64;
  for (std::int64_t first = 0; first < columns;) {
    const std::int64_t left = columns - first, count = left < 2 * least ? left : least;
    function(first, count);
    first += count;
  }
}

// x.sum(0) of float32 x [N, D] in float64: [D].
inline Tensor wide_column_sums(const Tensor& x) {
  Tensor sums = at::empty({x.size(1)}, at::kDouble);
  over_column_blocks(x.size(1), [&](std::int64_t first, std::int64_t count) {
    sums.narrow(0, first, count).copy_(x.narrow(1, first, count).sum(0, false, at::kDouble));
  });
  return sums;
}

}  // namespace deepgen
