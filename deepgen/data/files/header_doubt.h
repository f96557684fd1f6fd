// Whether the first row of a file, where it is numbers alone and was read as values, may hold names of columns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace deepgen {

// A cell of the file, the first row counted in: nothing where it is text, NaN where it is missing.
using NumberOfCell = std::function<std::optional<double>(std::int64_t row, std::int64_t column)>;

// What to tell of it, or nothing. It is told of whole numbers alone, where each lies outside of all that stands
// below it, or where they rise in equal steps as no other row does: years, numbers of columns. A second row that
// stands out in the same way says that the rows are sorted.
std::string header_doubt(std::int64_t rows, std::int64_t columns, const NumberOfCell& cell);

}  // namespace deepgen
