// A table as a matrix for linear models: standardised numbers with indicators of missing cells, and categories one
// by one.
#pragma once

#include "deepgen/core/torch.h"
#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

inline constexpr std::int64_t most_linear_values = 100;  // of a category; rarer ones have no column

// [rows, D] float32: means, deviations and frequencies are those of this table.
Tensor linear_features(const std::vector<Field>& fields, const Table& table);

}  // namespace deepgen::quality
