// What the cells of a matrix hold, found in one pass that makes nothing of its size.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "deepgen/core/torch.h"

namespace deepgen {

struct CellFacts {
  bool missing = false;  // some cell is NaN
  bool known = false;    // some cell is not
  bool bits = true;      // every known cell is 0 or 1
  bool unit = true;      // every known cell is in [0, 1]
};

// Of x [N, D], uint8, float32 or float64.
CellFacts cell_facts(const Tensor& x);

// Row and column of the first cell that is infinite as a float32 (of float64 also 1e300), or that is NaN, in
// the order of the rows; of uint8 none is.
using CellPlace = std::pair<std::int64_t, std::int64_t>;
std::optional<CellPlace> first_infinite_cell(const Tensor& x);
std::optional<CellPlace> first_missing_cell(const Tensor& x);

}  // namespace deepgen
