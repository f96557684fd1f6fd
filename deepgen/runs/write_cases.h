// What a model makes of cases, as a file: arrays, tables, pictures; class probabilities.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/image.h"
#include "deepgen/data/memory.h"
#include "deepgen/runs/open_run.h"

namespace deepgen {

// [N, D] (or [N]: one column) as .npy (float32 or float64), .csv (with these column names, or v0, v1, ...) or
// .png (a grid of cases of this shape). Another ending is a usage error.
void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names = {},
                const std::vector<std::int64_t>& shape = {}, const Grid& grid = {});

// Rows of a run's model [N, D] in the units of its data: a table as the CSV file it was trained on, or as
// numbers in .npy (of a category its index); all else as write_rows.
void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid = {});

// log p(y | x) [N, classes], nats, as a .csv or .npy file of one row a case: the probability of each class
// (p_0, p_1, ... or p_<name>), the most probable class (`class`) and, where the part has labels, the label
// (`label`; unknown: an empty cell, NaN). Classes go by their names in .csv where the run's table has names
// for them, else by number.
void write_classes(const OpenRun& run, const Split& split, const std::string& path, const Tensor& log_probs);

void write_text(const std::string& path, const std::string& text);

}  // namespace deepgen
