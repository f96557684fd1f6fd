#include "deepgen/data/files/sequences.h"

#include <fmt/format.h>

#include <cmath>
#include <unordered_set>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/table.h"

namespace deepgen {
namespace {

// fail(row, name) where a name comes back.
template <class Name, class Fail>
Starts starts_of(const std::vector<Name>& names, Fail fail) {
  Starts starts;
  std::unordered_set<Name> seen;
  for (std::size_t row = 0; row < names.size(); ++row) {
    if (row > 0 && names[row] == names[row - 1]) continue;
    if (!seen.insert(names[row]).second) fail(static_cast<std::int64_t>(row), names[row]);
    starts.push_back(static_cast<std::int64_t>(row));
  }
  return starts;
}

}  // namespace

Starts starts_of_lengths(const Array& lengths, std::int64_t rows, const std::string& what,
                         const std::string& name) {
  if (lengths.type == DType::f32 || lengths.type == DType::f64 || lengths.shape.size() != 1)
    fail_data(what, fmt::format("expected {} to be a list of whole numbers, got {} {}", name,
                                shape_text(lengths.shape), dtype_name(lengths.type)));
  Starts starts;
  std::int64_t next = 0;
  for (const double length : column_values(lengths, 0)) {
    if (!(length >= 1))
      fail_data(what, fmt::format("expected lengths of 1 or more in {}, got {} at place {}", name, length,
                                  starts.size()));
    if (length > static_cast<double>(rows - next))
      fail_data(what,
                fmt::format("expected the lengths in {} to add up to its {} rows, got more", name, rows));
    starts.push_back(next);
    next += static_cast<std::int64_t>(length);
  }
  if (next != rows)
    fail_data(what,
              fmt::format("expected the lengths in {} to add up to its {} rows, got {}", name, rows, next));
  return starts;
}

Starts starts_of_numbers(const std::vector<double>& names, const std::string& what,
                         const std::string& place) {
  for (std::size_t row = 0; row < names.size(); ++row)
    if (!std::isfinite(names[row]))
      fail_data(what, fmt::format("expected the name of a sequence in {}, got {} at row {}", place,
                                  std::isnan(names[row]) ? "a missing cell" : "an infinite number", row));
  return starts_of(names, [&](std::int64_t row, double name) {
    fail_data(what, fmt::format("expected the rows of a sequence beside each other, got {} again in {} at "
                                "row {}",
                                name, place, row));
  });
}

Starts starts_of_cells(const CsvCells& file, std::int64_t column, const std::string& what) {
  std::vector<std::string> names;
  for (std::int64_t row = 0; row < file.rows(); ++row) {
    names.emplace_back(trimmed_cell(file.cell(row, column)));
    if (is_missing_cell(names.back()))
      fail_data(what, fmt::format("{}: expected the name of a sequence, got a missing cell",
                                  table_place(file, row, column)));
  }
  return starts_of(names, [&](std::int64_t row, const std::string& name) {
    fail_data(what, fmt::format("{}: expected the rows of a sequence beside each other, got {} again",
                                table_place(file, row, column), shown(name)));
  });
}

CaseRows rows_of_cases(std::span<const std::int64_t> starts, std::int64_t rows,
                       std::span<const std::int64_t> cases) {
  CaseRows result;
  for (const std::int64_t one : cases) {
    const auto at = static_cast<std::size_t>(one);
    if (at >= starts.size())
      throw Error(ErrorKind::bug, "sequences", fmt::format("there is no case {} of {}", one, starts.size()));
    const std::int64_t end = at + 1 < starts.size() ? starts[at + 1] : rows;
    result.starts.push_back(static_cast<std::int64_t>(result.rows.size()));
    for (std::int64_t row = starts[at]; row < end; ++row) result.rows.push_back(row);
  }
  return result;
}

}  // namespace deepgen
