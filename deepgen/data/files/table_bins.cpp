// Numbers of a table in bins.
#include <algorithm>
#include <cmath>

#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {
namespace {

// The known numbers of the rows, and in how many of them each stands.
std::vector<NumberOfRows> known_numbers(const TableColumn& about, const CsvCells& file, std::int64_t column,
                                        const std::vector<std::int64_t>& rows) {
  const DistinctCells& distinct = file.distinct_of(column);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(distinct.count()), 0);
  for (const std::int64_t row : rows) ++counts[static_cast<std::size_t>(distinct.number(row))];
  const ColumnCells cells(about, file, column);
  std::vector<NumberOfRows> numbers;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::int64_t row = distinct.first_row(static_cast<std::int64_t>(i));
    if (counts[i] == 0 || cells.missing(row)) continue;
    const auto number = cells.number(row);
    if (number && std::isfinite(*number)) numbers.push_back({*number, counts[i]});
  }
  return numbers;
}

// Numbers that differ in held-out rows alone: a category of one value is none.
void become_constant(TableColumn& about, const CsvCells& file, std::int64_t column,
                     const std::vector<std::int64_t>& training) {
  const ColumnCells cells(about, file, column);
  const auto known =
      std::find_if(training.begin(), training.end(), [&](std::int64_t row) { return !cells.missing(row); });
  about.kind = TableColumnKind::constant;
  about.values = {std::string(cells.text(*known))};
  about.reason = "one value in the training rows";
  about.bins = {};
}

}  // namespace

void learn_table_bins(TableSchema& schema, const CsvCells& file, const std::vector<std::int64_t>& training) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    TableColumn& about = schema.columns[i];
    if (about.kind != TableColumnKind::real) continue;
    const auto numbers = known_numbers(about, file, static_cast<std::int64_t>(i), training);
    std::int64_t known = 0;
    for (const NumberOfRows& number : numbers) known += number.rows;
    if (known > 0) about.bins = learn_number_bins(numbers, about.decimals, suitable_bins(known));
    if (about.bins.count() == 1) become_constant(about, file, static_cast<std::int64_t>(i), training);
  }
}

}  // namespace deepgen
