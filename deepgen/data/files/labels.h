// Labels of rows, of which some may be unknown. Torch-free.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"

namespace deepgen {

// 0, 1, 2, ... below a million, or -1: unknown.
bool is_label(double value);

// Numbers as a file has them, -1 and NaN for unknown labels, as i64 [rows] with -1 for these. Throws a data
// error naming `what`, `place` ("train_labels", "column 3 of test") and the row for any other number.
Array read_labels(const std::vector<double>& numbers, const std::string& what, const std::string& place);

struct LabelCounts {
  std::int64_t known = 0, unknown = 0;
  std::int64_t classes = 0;  // the largest known label + 1
};

LabelCounts count_labels(const Array& labels);  // i64, as read_labels gives them

}  // namespace deepgen
