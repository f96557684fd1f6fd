// Tables whose columns are of different kinds, read from the text cells of a CSV file.
//
//   kind          in the file                       for a model                        group
//   binary        any two values                    0 or 1                             binary
//   categorical   texts, or what is stated so       one column a category, one is 1    softmax
//   count         0, 1, 2, ...                      as it is                           count
//   real          numbers                           (x - mean) / deviation             gaussian
//                 or, in bins                       one column a bin, one is 1         softmax
//   constant      one value, or nothing             -                                  -
//   identifier    another value in every row        -                                  -
//   text          texts that are no categories      -                                  -
//   ignore, weight, labels, sequence                -                                  -
//
// A date is a real number, days or seconds, that is spelled as a date (cell_format.h); an ordinal column is a
// categorical one whose values have an order. The schema is learnt from a file and travels with the model:
// later files are read, and samples written, by it. A missing cell is NaN in all columns of its group. Texts
// are compared without blanks at their ends; values of a column that held only numbers in training are
// compared as numbers (1 is 1.0).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"
#include "deepgen/data/files/cell_format.h"
#include "deepgen/data/files/column_group.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/number_bins.h"
#include "deepgen/data/files/table_column_kind.h"

namespace deepgen {

struct TableColumn {
  std::string name;
  TableColumnKind kind = TableColumnKind::ignore;
  std::vector<std::string> values;  // binary: two; categorical: K; labels: the classes; constant: at most one
  double mean = 0, deviation = 1;   // of the training rows (real)
  double low = 0, high = 0;         // range in the training rows (real, count)
  int decimals = 0;                 // most places after the point in the training rows (real)
  int least_decimals = -1;          // and fewest, where no zeros are added behind; -1: all have the most
  double missing = 0;               // share of the training cells
  double step = 0;                  // real: values are low + k step; 0: not known
  bool ordered = false;             // categorical: the values have an order (ordinal)
  bool quoted = false;              // the training file has its cells in quotes
  CellFormat format = {};           // how numbers are spelled (real, count, categories that are numbers)
  std::vector<std::string> missing_as = {};  // texts that stand for a missing cell, beside the usual ones
  std::string gap = {};                      // how a missing cell is mostly spelled: what samples write
  std::string reason = {};                   // why it is of this kind; of a column that was just learnt
  NumberBins bins = {};                      // real: a category for each; none: standardised
  // The last of the encoded columns says whether the cell is missing: known in training rows alone, so that
  // samples have gaps and scores are those of the cells that are there.
  bool marks_missing = false;

  bool modelled() const { return value_width() > 0; }
  bool is_number() const { return kind == TableColumnKind::real || kind == TableColumnKind::count; }
  // Whether table_values and what is written from them have it.
  bool written() const { return modelled() || kind == TableColumnKind::constant; }
  bool is_category() const;          // one of value_width() columns is 1
  std::int64_t value_width() const;  // columns that hold the value
  std::int64_t width() const { return value_width() + (marks_missing ? 1 : 0); }  // that the model sees
};

// Encoded columns that are categories and bits alone, as one number each: of a size above 1 one of so many
// columns is 1, of size 1 the number is the bit itself.
struct CodeLayout {
  std::vector<std::int64_t> sizes;  // none: there are other columns too
};

struct TableSchema {
  std::vector<TableColumn> columns;  // of the training file, in its order
  char separator = ',';              // between its cells

  bool empty() const { return columns.empty(); }
  std::int64_t width() const;
  std::int64_t numbers_in_bins() const;
  CodeLayout code_layout() const;
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

// Kinds, spellings and categories from all rows of the file, means and ranges from the training rows. Throws
// one data error that names line, column and cell of all columns whose stated kind is broken or that are told
// neither as numbers nor as categories; and for columns of one name.
TableSchema infer_table(const std::string& path, const CsvCells& file,
                        const std::vector<std::int64_t>& training, const StatedKinds& stated);

// What a user should be told of the columns of a schema that was just learnt: those set aside, and doubts.
std::vector<std::string> table_notes(const TableSchema& schema);

// What a column is taken for, in words ("number", "date", "ordinal", ...), and which options change that: each,
// and all of them in a line.
std::string kind_text(const TableColumn& column);
std::vector<std::string> remedies(const TableColumn& column);
std::string remedy_text(const TableColumn& column);

// Puts the numbers (real) of the schema into bins, from the same rows.
void learn_table_bins(TableSchema& schema, const CsvCells& file, const std::vector<std::int64_t>& training);

// One column alone.
TableColumn infer_column(const std::string& path, const CsvCells& file,
                         const std::vector<std::int64_t>& training, std::int64_t column,
                         std::optional<TableColumnKind> stated);

// ---------------------------------------------------------------- reading by the schema

// For each column of the schema its column of the file, or -1: by name where the file has a header, else by
// place. Only columns for the model must be there; a data error lists those that are not.
std::vector<std::int64_t> match_columns(const TableSchema& schema, const std::string& path,
                                        const CsvCells& file);

// Cells that a schema cannot read (another value, an unseen category, a text among numbers): they are missing
// ones. And numbers beyond the range of the training rows, which are read.
struct UnreadCells {
  struct Column {
    std::int64_t count = 0, first_row = 0, beyond = 0;
    std::string first;  // cell
  };
  std::vector<Column> columns;  // of the schema

  // A sentence for each column that has some.
  std::vector<std::string> notes(const TableSchema& schema, const CsvCells& file,
                                 const std::string& part) const;
};

// The rows as the model sees them, f32 [rows, width]; `marks`: with the columns that say what is missing
// known. `densities` becomes what that does not say: of each number in bins its log-density given the bin, f32
// [rows, numbers_in_bins], nats in the units of the file; 0 where the cell is missing. Throws a data error
// naming line, column and cell for what the schema does not allow (another value, an unseen category, a broken
// count, an infinite number), unless `unread` is there to count such cells.
Array encode_table(const TableSchema& schema, const std::string& path, const CsvCells& file,
                   const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows,
                   bool marks = false, UnreadCells* unread = nullptr, Array* densities = nullptr);

// The same of a table that has categories and bits alone (CodeLayout), as their numbers: i16 [rows, sizes of
// the layout], -1 where a cell is missing.
Array table_codes(const TableSchema& schema, const std::string& path, const CsvCells& file,
                  const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows,
                  bool marks = false, UnreadCells* unread = nullptr, Array* densities = nullptr);

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
// NaN stays, and is what a cell that is marked as missing becomes. A number in bins is a draw of its bin, by
// `uniform` f32 [N, numbers_in_bins] in [0, 1); without it, and of the shares of several draws, the median.
// Numbers stay on the grid of the training values and, unless `beyond`, within their range; those in bins always.
Array table_values(const TableSchema& schema, const Array& encoded, const Array* uniform = nullptr,
                   bool beyond = false);

// The numbers of rows of a file as they stand there, in the columns of table_values: f64 [rows, columns]; NaN where a
// cell holds none, or its column is none of numbers.
Array table_file_numbers(const TableSchema& schema, const CsvCells& file,
                         const std::vector<std::int64_t>& columns, std::span<const std::int64_t> rows);

// The names of the columns of table_values, and of the file samples are written to.
std::vector<std::string> table_value_names(const TableSchema& schema);

// A number of table_values as a cell of the file.
std::string table_cell(const TableColumn& about, double value, char separator = ',');

// Rows of table_values as a CSV file in the training file's order, without what the model does not know
// (ignore, weight, labels, sequence).
std::string encode_table_csv(const TableSchema& schema, const Array& values);

// Rows of a file with some cells replaced: missing ones where `values` (as of table_values) is not NaN, and
// those of constant columns. All other cells, what is between them, the header and the line ends stay as they
// are in the file.
std::string complete_table_csv(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns,
                               const std::vector<std::int64_t>& rows, const Array& values);

// Numbers beside such a file: `values` in the columns of the model, empty cells for NaN and everywhere else.
std::string spread_table_csv(const TableSchema& schema, const CsvCells& file,
                             const std::vector<std::int64_t>& columns, const Array& values);

// The pieces of these files, for rows that come block after block: the first line (of table_value_names, or
// of the names of the file), then the lines of the rows.
std::string table_csv_header(const std::vector<std::string>& names, char separator = ',');
std::string completed_csv_header(const CsvCells& file);
std::string table_csv_rows(const TableSchema& schema, const Array& values);
std::string completed_csv_rows(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns, std::span<const std::int64_t> rows,
                               const Array& values);
std::string spread_csv_rows(const TableSchema& schema, const CsvCells& file,
                            const std::vector<std::int64_t>& columns, const Array& values);

// "line 3, column 'age'", for messages.
std::string table_place(const CsvCells& file, std::int64_t row, std::int64_t column);

}  // namespace deepgen
