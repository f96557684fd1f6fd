// What a model makes of gaps: cells hidden from held-out rows, filled again from its draws given the others, and
// compared with what stood there.
//
//   error      numbers: mean |fill - truth| / (range of the training rows); the fill is what `deepgen complete --draws`
//              writes
//   accuracy   categories: share of the cells of which the most frequent draw is the truth
//   log p      mean of log p(truth | known cells of the row), nats, in the units of the file, where scores are exact:
//                log p(known and truth) - log p(known)
//              Of a model of many orders (HasOrders) one order's p(known) is not the sum of its p(known and value)
//              over the values: of a cell of finitely many values
//                log p(known and truth) - log sum_value p(known and value)
//   coverage   numbers: how often the interval that holds the middle 50 (90) % of the draws holds the truth
//
// Coverage: of m draws let b lie below the truth and e be equal to it. Were the truth one more draw, its place among
// the m + 1 would lie evenly in [b / (m + 1), (b + e + 1) / (m + 1)]; a cell counts as covered by the share of this
// piece that lies in [1/4, 3/4] ([0.05, 0.95]). So a right model has 0.5 and 0.9 on average, for any m, and for
// values that repeat.
//
// Beside it what needs no model: the median of the known training cells, or their most frequent category.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/quality/columns.h"
#include "deepgen/model/model.h"

namespace deepgen::quality {

inline constexpr std::int64_t gap_rows = 1000;          // of more held-out rows, so many drawn at random
inline constexpr std::int64_t gap_probabilities = 500;  // cells whose probability is told, likewise

struct GapPlan {
  double share = 0.2;         // of the cells
  std::int64_t draws = 50;    // of each hidden cell
  std::int64_t steps = 1000;  // of the chain of each draw, of models without direct ones
  std::uint64_t seed = 1;
};

// NaN where there is nothing to take the mean of.
struct ColumnGaps {
  std::string name;
  bool is_number = false;
  std::int64_t cells = 0;                   // hidden ones
  double error = 0, middle_error = 0;       // of a category: 1 - accuracy
  double coverage_50 = 0, coverage_90 = 0;  // numbers
  std::int64_t probabilities = 0;           // cells of log_prob
  double log_prob = 0;
};

struct Gaps {
  std::int64_t rows = 0;
  double share = 0;
  std::int64_t draws = 0;
  std::vector<ColumnGaps> columns;  // those with hidden cells

  std::int64_t cells() const;
  // Means over all cells of the columns: numbers, categories, or both.
  ColumnGaps total(bool numbers, bool categories) const;
};

// Of these values of m draws and the truth: the share of its place that lies in the middle `share` (see above).
double covered(const std::vector<double>& draws, double truth, double share);

// Why gaps of these rows of the data cannot be judged by this model, or "".
std::string no_gaps_because(const Model& model, const Dataset& data, const Split& rows);

// `rows`: a part of `data`, a table read as the model learnt it. `hidden` [rows, modelled columns] bool: cells to
// hide; those that are missing anyway do not count. `training` [rows, modelled and constant columns] float64 (of
// table_truth): what medians and ranges are of.
Gaps judge_hidden(const Model& model, const Dataset& data, const Split& rows, const Tensor& hidden,
                  const Tensor& training, const GapPlan& plan, Observer& observer);

// The same with cells hidden at random.
Gaps judge_gaps(const Model& model, const Dataset& data, const Split& rows, const Tensor& training,
                const GapPlan& plan, Observer& observer);

// Cells of a file as table_values has them: [rows, modelled and constant columns] float64, NaN where a cell is
// missing or none that the schema knows. Numbers in bins are the file's own, which their encoding does not say.
Tensor table_truth(const TableSchema& table, const std::string& path, const CsvCells& cells,
                   const Index& rows);

}  // namespace deepgen::quality
