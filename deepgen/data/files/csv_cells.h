// A CSV file as text cells: what a table of mixed columns (table.h) is read from. The format is that of
// csv.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deepgen {

struct CsvCells {
  std::vector<std::string> names;  // of the columns: the header, or v0, v1, ... without one
  std::int64_t columns = 0;
  std::int64_t header = 0;           // rows of the file before the first case: 1 with a header
  std::string text;                  // all cells of the file, without quotes, one after another
  std::vector<std::size_t> ends;     // where each cell ends in `text`
  std::vector<std::int64_t> starts;  // line of the file where each of its rows begins

  std::int64_t rows() const { return static_cast<std::int64_t>(starts.size()) - header; }
  std::string_view cell(std::int64_t row, std::int64_t column) const;
  std::int64_t line(std::int64_t row) const { return starts[static_cast<std::size_t>(row + header)]; }
};

enum class Header { automatic, yes, no };

// automatic: the first row is a header when it holds all of `known`, when none of its cells is a number (and
// not all are missing), or when one of its texts stands above a column of numbers. Throws a data error naming
// `path` for what is no CSV or not UTF-8.
CsvCells parse_csv_cells(const std::string& path, std::string_view text, Header header = Header::automatic,
                         const std::vector<std::string>& known = {});

// The first byte that is not UTF-8, or text.size().
std::size_t utf8_end(std::string_view text);

}  // namespace deepgen
