// Inside of the tables: the different cells of a column. What is found out of one of them holds for all that
// are spelled the same, so a column of a million rows is read at the cost of its values.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace deepgen {

class DistinctCells {
 public:
  // Every row for itself.
  explicit DistinctCells(std::int64_t rows) : rows_(rows) {}
  // `first_rows`: of each different cell the first row, ascending; `numbers`: of each row which of them it
  // is.
  DistinctCells(std::vector<std::int64_t> first_rows, std::vector<std::uint16_t> numbers)
      : rows_(static_cast<std::int64_t>(numbers.size())),
        first_rows_(std::move(first_rows)),
        numbers_(std::move(numbers)) {}

  // Whether cells that are the same have one number; else, where too many differ, each row has its own.
  bool are_shared() const { return !numbers_.empty(); }
  std::int64_t count() const { return are_shared() ? static_cast<std::int64_t>(first_rows_.size()) : rows_; }
  std::int64_t first_row(std::int64_t number) const {
    return are_shared() ? first_rows_[static_cast<std::size_t>(number)] : number;
  }
  std::int64_t number(std::int64_t row) const {
    return are_shared() ? numbers_[static_cast<std::size_t>(row)] : row;
  }

 private:
  std::int64_t rows_;
  std::vector<std::int64_t> first_rows_;
  std::vector<std::uint16_t> numbers_;
};

// Of each column; raw(row, column) is the cell as it stands in the file.
std::vector<DistinctCells> find_distinct_cells(
    std::int64_t rows, std::int64_t columns,
    const std::function<std::string_view(std::int64_t row, std::int64_t column)>& raw);

}  // namespace deepgen
