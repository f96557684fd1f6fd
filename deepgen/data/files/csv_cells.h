// A CSV file as text cells: what a table of mixed columns (table.h) is read from. The format is that of
// csv.h. The text stays as it is, so that what is known comes back byte for byte.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "deepgen/data/files/distinct_cells.h"

namespace deepgen {

// What a SPEC states of how the cells of a file are spelled.
struct CellHints {
  char separator = 0;                                      // between cells; 0: to be found
  char decimal = 0;                                        // '.' or ','; 0: to be found
  std::vector<std::string> missing;                        // beside the usual ones
  std::map<std::string, std::string> dates;                // by column: "dmy", "mdy", "ymd" or ""
  std::map<std::string, std::vector<std::string>> orders;  // by column: its values, least first, or none
};

struct CsvCells {
  std::vector<std::string> names;  // of the columns: the header, or v0, v1, ... without one
  std::int64_t columns = 0;
  std::int64_t header = 0;  // rows of the file before the first case: 1 with a header
  std::string text;         // the file as it is
  char separator = ',';
  std::vector<std::size_t> begins;   // where each row of the file begins in `text`
  std::vector<std::uint32_t> ends;   // where each cell ends, counted from where its row begins
  std::vector<std::int64_t> starts;  // line of the file where each of its rows begins
  std::unordered_map<std::size_t, std::string> escaped;  // cells in which quotes are doubled, without that
  std::vector<DistinctCells> distinct;                   // of each column, its cells below the header
  CellHints hints;

  std::int64_t rows() const { return static_cast<std::int64_t>(starts.size()) - header; }
  std::int64_t line(std::int64_t row) const { return starts[static_cast<std::size_t>(row + header)]; }
  // Without its quotes; and as it stands in the file.
  std::string_view cell(std::int64_t row, std::int64_t column) const;
  std::string_view raw(std::int64_t row, std::int64_t column) const;
  const DistinctCells& distinct_of(std::int64_t column) const {
    return distinct[static_cast<std::size_t>(column)];
  }
  bool quoted(std::int64_t row, std::int64_t column) const { return raw(row, column).starts_with('"'); }
  // What stands in front of the first case, and between a row and the next (as after the first row where
  // nothing follows).
  std::string_view head() const;
  std::string_view line_end(std::int64_t row) const;

 private:
  std::size_t index(std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>((row + header) * columns + column);
  }
};

enum class Header { automatic, yes, no };

// automatic: the first row is a header when it holds all of `known`, when none of its cells is a number (and
// not all are missing), when one of its texts stands above a column of numbers, or when its texts and numbers
// are unlike all that stand below. Throws a data error naming `path` for what is no CSV or not UTF-8.
CsvCells parse_csv_cells(const std::string& path, std::string_view text, Header header = Header::automatic,
                         const std::vector<std::string>& known = {}, const CellHints& hints = {});

// The first byte that is not UTF-8, or text.size().
std::size_t utf8_end(std::string_view text);

}  // namespace deepgen
