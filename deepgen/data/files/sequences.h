// Sequences: neighbouring rows that make one case together. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"
#include "deepgen/data/files/csv_cells.h"

namespace deepgen {

// The row at which each sequence begins, ascending from 0; empty where every row is a case of its own.
using Starts = std::vector<std::int64_t>;

// From the number of rows of each sequence, whole numbers of 1 or more whose sum is `rows`. Throws a data
// error naming `what` and the array `name` otherwise.
Starts starts_of_lengths(const Array& lengths, std::int64_t rows, const std::string& what,
                         const std::string& name);

// From what names the sequence of each row, numbers or the cells of a column. Throws a data error naming
// `what` and the row for a row without a name, and where a name comes back after another: the rows of a
// sequence are neighbours. `place`: "column 0 of train".
Starts starts_of_numbers(const std::vector<double>& names, const std::string& what, const std::string& place);
Starts starts_of_cells(const CsvCells& file, std::int64_t column, const std::string& what);

// The rows of some cases, case after case, and where each case begins among them.
struct CaseRows {
  std::vector<std::int64_t> rows;
  Starts starts;
};

// `rows`: how many there are in all. The cases are below starts.size().
CaseRows rows_of_cases(std::span<const std::int64_t> starts, std::int64_t rows,
                       std::span<const std::int64_t> cases);

}  // namespace deepgen
