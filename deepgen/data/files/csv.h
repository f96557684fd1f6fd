// Numeric CSV: one case a line, cells between commas, semicolons or tabs, quotes as in RFC 4180.
//
// The separator is the tab if the first line has one outside quotes, else the semicolon, else the comma. The
// first line is a header when one of its cells is neither a number nor missing. Missing cells (empty, NA,
// N/A, NaN, ?) become NaN. Line ends are LF, CRLF or CR; a byte-order mark and empty lines at the end are
// passed over. An empty line elsewhere is a missing cell in a file of one column and an error in any other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deepgen/core/file_writer.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

struct Csv {
  std::vector<std::string> names;  // of the columns; empty without a header
  Array values;                    // f64 [rows, columns]
};

// Plain or gzip. Throws a data error naming `path`, line and column (both from 1) for rows of another length,
// cells that are no numbers, and quotes without an end.
Csv read_csv(const std::string& path);
Csv parse_csv(const std::string& path, std::string_view text);

// The same, or nothing when a cell below the first row is text: the file is a table (csv_cells.h).
std::optional<Csv> parse_csv_numbers(const std::string& path, std::string_view text);

// Shortest decimals that read back to the same number; NaN as an empty cell. `names` may be empty, and else
// has one name a column, not all of them numbers (they would read back as a row): a usage error. Rows are
// values.rows(), all other sizes make the columns.
void write_csv(const std::string& path, const std::vector<std::string>& names, const Array& values);
std::string encode_csv(const std::vector<std::string>& names, const Array& values);

// The same file from rows that arrive block after block: byte for byte what write_csv writes of them all.
class CsvWriter {
 public:
  CsvWriter(const std::string& path, std::vector<std::string> names)
      : names_(std::move(names)), file_(path) {}
  void append(const Array& rows);  // all of one type
  void close() { file_.close(); }

 private:
  const std::vector<std::string> names_;
  bool began_ = false;
  FileWriter file_;
};

// A column name as it is written: in quotes where it would not read back without them.
std::string quoted_name(const std::string& name);

}  // namespace deepgen
