// What networks owe check_data: complete rows of finite numbers, in [0, 1] where the data are grey or binary.
#pragma once

#include <cstdint>
#include <string>

#include "deepgen/core/torch.h"

namespace deepgen {

// Throws a data error that names row (counted from first_row) and column of the first cell of x [B, D] that
// is missing, infinite or, with `unit_interval`, outside [0, 1]; or says that there are not `columns`
// columns.
void check_cells(const Tensor& x, std::int64_t columns, bool unit_interval, const std::string& who,
                 const std::string& what, std::int64_t first_row);

}  // namespace deepgen
