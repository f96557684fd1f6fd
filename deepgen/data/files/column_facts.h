// Inside of the tables: what the cells of a column tell of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "deepgen/data/files/cell_format.h"
#include "deepgen/data/files/csv_cells.h"

namespace deepgen {

constexpr std::size_t most_categories = 10000;  // each is a column for the model
constexpr std::int64_t nowhere = -1;

struct ColumnFacts {
  bool numeric = true;  // the known cells are numbers (or dates) of one spelling
  CellFormat format;
  bool ambiguous = false;  // of dates: day and month may be swapped
  // Of the distinct cells (distinct_cells.h): in how many rows each stands, and training rows; and its number,
  // NaN where it is missing. There are no numbers where the column is not numeric.
  std::vector<std::int64_t> rows, training_rows;
  std::vector<double> numbers;
  std::int64_t known = 0, missing_in_training = 0, known_in_training = 0;
  // Rows of the first cell that is text, infinite, no count, or a number that is no label.
  std::int64_t text = nowhere, infinite = nowhere, no_count = nowhere, no_label = nowhere;
  std::int64_t plain_numbers = 0;        // of a column of texts: how many are numbers
  double low = 0, high = 0;              // of the training rows
  int decimals = 0, least_decimals = 0;  // least: where no zeros are added behind
  double step = 0;
  bool quoted = false;  // all known cells are in quotes
  // The different values: the row of the first cell of each, and its text. More than most_categories: not all.
  std::vector<std::int64_t> value_rows;
  std::int64_t looked_at = 0;  // of a column of texts: known cells until there were too many values
  double mean_length = 0;      // of texts, bytes

  std::size_t values() const { return value_rows.size(); }
  bool all_values() const { return values() <= most_categories; }
};

struct FactsAsked {
  bool as_texts = false;   // numbers are of no interest
  bool dates = true;       // 20240131 may be one
  bool must_date = false;  // it is stated
  std::string date_order;
};

// `training`: for each row of the file whether it is a training row.
ColumnFacts facts_of_column(const CsvCells& file, const std::vector<char>& training, std::int64_t column,
                            const FactsAsked& asked);

// Whether a cell stands for a missing one, whatever the column; `number`: also by what stands so among
// numbers.
bool stands_for_missing(std::string_view trimmed, const std::vector<std::string>& missing_as, bool number);

}  // namespace deepgen
