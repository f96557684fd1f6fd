// What a quality report compares: tables as plain columns, all read in one way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"

namespace deepgen::quality {

// What a column is, in all tables.
struct Field {
  std::string name;
  bool is_number = false;
  std::vector<std::string> values;  // of a category, by code: those of the training rows, then all others
  std::int32_t missing_code = -1;   // of a category: a missing cell is a value of its own; -1: there is none

  std::int64_t codes() const { return static_cast<std::int64_t>(values.size()); }
};

struct Column {
  std::vector<double> numbers;      // of a number, NaN where the cell is missing
  std::vector<std::int32_t> codes;  // of a category
};

struct Table {
  std::int64_t rows = 0;
  std::vector<Column> columns;  // one a field
};

// The tables of a report: the rows that were learnt from, rows held out from it, and the rows to be judged.
struct Tables {
  std::vector<Field> fields;
  Table real, test, synthetic;
  std::vector<std::string> notes;  // columns that are not compared, a sentence each
};

using Index = std::vector<std::int64_t>;

// These rows, in this order.
Table rows_of(const Table& table, const Index& rows);

// The rows of `first`, below them those of `second`.
Table joined(const Table& first, const Table& second);

// At most so many rows, drawn without replacement; all of them in their order where there are no more.
Index some_rows(std::int64_t rows, std::int64_t most, Rng rng);

// Each column shuffled on its own: the shapes stay, all that columns have to do with each other is lost.
Table independent_columns(const Table& table, const Rng& rng);

// 0, 1, ..., count - 1.
Index counted(std::int64_t count);

// The known values of a number, ascending.
std::vector<double> sorted_known(const Column& column);

// How often each code occurs.
std::vector<double> code_counts(const Column& column, std::int64_t codes);

}  // namespace deepgen::quality
