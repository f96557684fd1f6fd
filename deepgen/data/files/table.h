// Tables whose columns are of different kinds, read from the text cells of a CSV file.
//
//   kind          in the file                       for a model                        group
//   binary        any two values                    0 or 1                             binary
//   categorical   texts, or what is stated so       one column a category, one is 1    softmax
//   count         0, 1, 2, ...                      as it is                           count
//   real          numbers                           (x - mean) / deviation             gaussian
//   constant      one value, or nothing             -                                  -
//   ignore, weight, labels, sequence                -                                  -
//
// The schema is learnt from the training rows and travels with the model: later files are read, and samples
// written, by it. A missing cell is NaN in all columns of its group. Texts are compared without blanks at
// their ends; values of a column that held only numbers in training are compared as numbers (1 is 1.0).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"
#include "deepgen/data/files/column_group.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/table_column_kind.h"

namespace deepgen {

struct TableColumn {
  std::string name;
  TableColumnKind kind = TableColumnKind::ignore;
  std::vector<std::string> values;  // binary: two; categorical: K; labels: the classes; constant: at most one
  double mean = 0, deviation = 1;   // of the training rows (real)
  double low = 0, high = 0;         // range in the training rows (real, count)
  int decimals = 0;                 // most places after the point in the training rows (real)
  double missing = 0;               // share of the training cells

  bool modelled() const { return width() > 0; }
  std::int64_t width() const;  // columns the model sees
};

struct TableSchema {
  std::vector<TableColumn> columns;  // of the training file, in its order

  bool empty() const { return columns.empty(); }
  std::int64_t width() const;
  std::vector<ColumnGroup> groups() const;         // of the encoded columns; neighbours of one kind share one
  std::vector<std::string> encoded_names() const;  // age, job=nurse, ...
  ValueKind values() const;                        // what a model sees: of one kind, or mixed

  nlohmann::ordered_json to_json() const;
  // Throws a data error naming `what` for anything but what to_json writes.
  static TableSchema from_json(const nlohmann::ordered_json& json, const std::string& what);
};

// ---------------------------------------------------------------- learning the schema

// What the user states: the kind of each column of the file, or nothing where it is to be inferred.
using StatedKinds = std::vector<std::optional<TableColumnKind>>;

// The kinds from the training rows. Throws a data error naming line, column and cell where a stated kind is
// broken, and for texts that are hardly categories (above 200, or each but once); the columns of one name.
TableSchema infer_table(const std::string& path, const CsvCells& file,
                        const std::vector<std::int64_t>& training, const StatedKinds& stated);

// One column alone.
TableColumn infer_column(const std::string& path, const CsvCells& file,
                         const std::vector<std::int64_t>& training, std::int64_t column,
                         std::optional<TableColumnKind> stated);

// ---------------------------------------------------------------- reading by the schema

// For each column of the schema its column of the file, or -1: by name where the file has a header, else by
// place. Only columns for the model must be there; a data error lists those that are not.
std::vector<std::int64_t> match_columns(const TableSchema& schema, const std::string& path,
                                        const CsvCells& file);

// The rows as the model sees them, f32 [rows, width]. Throws a data error naming line, column and cell for
// what the schema does not allow: another value, an unseen category, a broken count, an infinite number.
Array encode_table(const TableSchema& schema, const std::string& path, const CsvCells& file,
                   const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows);

// i64 [rows]: the index of the text, or the number itself where the classes are numbers (no values); -1
// (unknown) for a missing cell and for the number -1.
Array table_labels(const TableColumn& about, const std::string& path, const CsvCells& file,
                   std::int64_t column, const std::vector<std::int64_t>& rows);

// f32 [rows], 0 or more.
Array table_weights(const std::string& path, const CsvCells& file, std::int64_t column,
                    const std::vector<std::int64_t>& rows);

// ---------------------------------------------------------------- writing

// Encoded rows f32 [N, width] as one number a modelled or constant column, f64 [N, columns]: the index of the
// value (binary from a half on, else the largest of its group), a whole count, a number in the file's units;
// NaN stays.
Array table_values(const TableSchema& schema, const Array& encoded);

// The names of the columns of table_values, and of the file samples are written to.
std::vector<std::string> table_value_names(const TableSchema& schema);

// A number of table_values as a cell of the file.
std::string table_cell(const TableColumn& about, double value);

// Rows of table_values as a CSV file in the training file's order, without what the model does not know
// (ignore, weight, labels, sequence).
std::string encode_table_csv(const TableSchema& schema, const Array& values);

// Rows of a file with some cells replaced: where `values` (as of table_values) is not NaN, and missing cells
// of constant columns. All other cells stay as they are in the file.
std::string complete_table_csv(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns,
                               const std::vector<std::int64_t>& rows, const Array& values);

// Numbers beside such a file: `values` in the columns of the model, empty cells for NaN and everywhere else.
std::string spread_table_csv(const TableSchema& schema, const CsvCells& file,
                             const std::vector<std::int64_t>& columns, const Array& values);

// The pieces of these files, for rows that come block after block: the first line (of table_value_names, or
// of the names of the file), then the lines of the rows.
std::string table_csv_header(const std::vector<std::string>& names);
std::string table_csv_rows(const TableSchema& schema, const Array& values);
std::string completed_csv_rows(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns, std::span<const std::int64_t> rows,
                               const Array& values);
std::string spread_csv_rows(const TableSchema& schema, const CsvCells& file,
                            const std::vector<std::int64_t>& columns, const Array& values);

// "line 3, column 'age'", for messages.
std::string table_place(const CsvCells& file, std::int64_t row, std::int64_t column);

}  // namespace deepgen
