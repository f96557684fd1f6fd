// What networks owe check_data: complete rows of finite numbers, in [0, 1] where the data are grey or binary;
// and what models owe whose condition or class is the label.
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

// Throws a data error that names `what` unless y [rows] int64 holds a label from 0 to classes - 1 for each
// row.
void check_labels(const Tensor& y, std::int64_t rows, std::int64_t classes, const std::string& what);

}  // namespace deepgen
