// Inside of the tables: how the values of a column are compared and ordered.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/table.h"

namespace deepgen {

// 0, 1, 2, ... as far as float32 holds every whole number.
bool is_count(double value);

// What a label that is a number must be, for messages.
constexpr const char* expected_label = "a label 0, 1, 2, ... (empty or -1: unknown)";

// The cells of one column of a file, as its schema says that they are spelled.
class ColumnCells {
 public:
  // All must outlive it.
  ColumnCells(const TableColumn& about, const CsvCells& file, std::int64_t column);

  bool missing(std::int64_t row) const;
  std::string_view text(std::int64_t row) const;  // without blanks at its ends
  std::optional<double> number(std::int64_t row) const { return about_.format.parse(text(row)); }
  // Which of the values it is; -1: none.
  std::int64_t value(std::int64_t row) const;
  // Whether a known cell is one that the schema can read.
  bool fits(std::int64_t row) const;

 private:
  const TableColumn& about_;
  const CsvCells& file_;
  const std::int64_t column_;
  bool numeric_ = true;  // the values are numbers: compared as such
  std::unordered_map<std::string_view, std::int64_t> texts_;
  std::unordered_map<double, std::int64_t> numbers_;
};

// Throws a data error when two columns have one name.
void check_names(const std::string& path, const CsvCells& file);

}  // namespace deepgen
