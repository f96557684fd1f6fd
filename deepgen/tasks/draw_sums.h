// Several completions of the same rows together: one value a cell, and how unsure it is.
#pragma once

#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/data/files/table.h"

namespace deepgen {

// Means and deviations over draws of equal shape, cell by cell, in float64. A single draw is kept as it is.
class DrawSums {
 public:
  void add(const Tensor& rows);
  Tensor mean() const;
  // Of the draws as a sample: the divisor is their number less one. 0 for a single draw.
  Tensor deviation() const;
  // Of some of the rows.
  DrawSums narrow(std::int64_t first, std::int64_t count) const;

 private:
  std::int64_t count_ = 0;
  Tensor first_, sum_, squares_;  // the last two from the second draw on; squares about the first
};

// From draws of encoded rows [N, width], for each column of table_values: the deviation in the units of the
// file (real, count; in bins of the numbers that the bins hold), 1 - share of the most frequent value (binary, categorical), NaN (constant); [N,
// columns].
Tensor table_spread(const TableSchema& table, const DrawSums& draws);

// table_values of rows of which each number in bins is drawn from its bin; `first_row`: what number the first
// has among the rows for which this stream draws; `beyond`: as of table_values.
Array drawn_table_values(const TableSchema& table, const Tensor& encoded, const Stream& stream,
                         std::int64_t first_row, bool beyond = false);

// Whether each cell of table_values is known in encoded rows x [N, width]: [N, columns] bool; constant ones
// are.
Tensor table_known(const TableSchema& table, const Tensor& x);

// Encoded columns of each modelled column, and whether it is missing: what is hidden together.
std::vector<std::int64_t> variable_sizes(const TableSchema& table);

// Encoded rows in which no cell is said to be missing: all are to be filled.
Tensor without_marks(const TableSchema& table, const Tensor& rows);

}  // namespace deepgen
