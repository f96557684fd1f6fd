// How the columns of a product are cut into parts: by its size alone, as BLAS has other kernels, with other
// roundings, for other shapes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace deepgen {

struct ColumnParts {
  static constexpr std::int64_t grain = 16;  // a multiple of every kernel's tile: no cut falls inside one
  std::int64_t columns, count;

  // An even number of parts of at least `narrowest` columns, or one.
  static ColumnParts of(std::int64_t columns, std::int64_t narrowest) {
    return {columns, columns < 2 * narrowest ? 1 : columns / narrowest / 2 * 2};
  }
  std::int64_t border(std::int64_t part) const {  // where a part begins
    const std::int64_t groups = (columns + grain - 1) / grain;
    return std::min(columns, grain * (groups * part / count));
  }
};

}  // namespace deepgen
