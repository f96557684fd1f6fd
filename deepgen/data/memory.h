// Between data sets and what a program has in memory.
#pragma once

#include <string>

#include "deepgen/data/dataset.h"

namespace deepgen {

// A data set of these rows, all of them for training: x [N, D] float32, NaN where a cell is missing (bits are
// kept as bytes), with the labels and the starts of sequences that they have; each counts once. `shape` of a
// case: {1, 28, 28}; {}: D columns. Infinite cells are a data error.
Dataset dataset_of(const Rows& rows, const std::string& name = "memory",
                   std::vector<std::int64_t> shape = {});

// The same items as an array of float32, or of float64 where the rows are.
Array to_array(const Tensor& rows);

}  // namespace deepgen
