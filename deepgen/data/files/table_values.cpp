#include "deepgen/data/files/table_values.h"

#include <algorithm>
#include <cmath>

#include "deepgen/data/files/column_facts.h"
#include "deepgen/data/files/csv_scanner.h"

namespace deepgen {

ColumnCells::ColumnCells(const TableColumn& about, const CsvCells& file, std::int64_t column)
    : about_(about), file_(file), column_(column) {
  if (about.is_number()) return;
  const std::vector<std::string>& values = about.values;
  numeric_ = std::all_of(values.begin(), values.end(),
                         [&](const std::string& value) { return about.format.parse(value).has_value(); });
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    if (numeric_)
      numbers_.emplace(*about.format.parse(values[i]) + 0.0, place);  // -0 is 0
    else
      texts_.emplace(values[i], place);
  }
}

std::string_view ColumnCells::text(std::int64_t row) const { return trimmed_cell(file_.cell(row, column_)); }

bool ColumnCells::missing(std::int64_t row) const {
  const std::string_view cell = text(row);
  if (!stands_for_missing(cell, about_.missing_as, numeric_)) return false;
  return cell.empty() || numeric_ || !texts_.contains(cell) || !file_.quoted(row, column_);
}

std::int64_t ColumnCells::value(std::int64_t row) const {
  if (!numeric_) {
    const auto found = texts_.find(text(row));
    return found == texts_.end() ? -1 : found->second;
  }
  const auto number_of_cell = number(row);
  const auto found = number_of_cell ? numbers_.find(*number_of_cell + 0.0) : numbers_.end();
  return found == numbers_.end() ? -1 : found->second;
}

bool ColumnCells::fits(std::int64_t row) const {
  const bool count = about_.kind == TableColumnKind::count;
  if (about_.kind != TableColumnKind::real && !count) return value(row) >= 0;
  const auto value_of_cell = number(row);
  if (!value_of_cell || !std::isfinite(*value_of_cell)) return false;
  if (count) return is_count(*value_of_cell);
  if (!about_.bins.empty()) return about_.bins.place(*value_of_cell).has_value();
  return std::isfinite(static_cast<float>((*value_of_cell - about_.mean) / about_.deviation));
}

}  // namespace deepgen
