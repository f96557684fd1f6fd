#include "deepgen/data/files/header_doubt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace deepgen {
namespace {

constexpr std::int64_t looked_through = 1000;  // rows
constexpr std::int64_t fewest_rows = 4;
constexpr double by_chance = 0.01;

// What stands below a row in a column.
struct Below {
  bool texts = false, numbers = false;
  double low = 0, high = 0;
};

class FirstRow {
 public:
  FirstRow(std::int64_t rows, std::int64_t columns, const NumberOfCell& cell)
      : rows_(std::min(rows, looked_through)), columns_(columns), cell_(cell) {}

  bool is_doubtful() const {
    if (rows_ < fewest_rows) return false;
    for (std::int64_t column = 0; column < columns_; ++column)
      if (!is_whole(cell_(0, column))) return false;
    return stands_out() || numbers_the_columns();
  }

 private:
  static bool is_whole(const std::optional<double>& cell) {
    return cell && std::isfinite(*cell) && *cell == std::floor(*cell);
  }

  Below below(std::int64_t row, std::int64_t column) const {
    Below found;
    for (std::int64_t other = row + 1; other < rows_; ++other) {
      const auto value = cell_(other, column);
      found.texts = found.texts || !value;
      if (!value || std::isnan(*value)) continue;
      found.low = found.numbers ? std::min(found.low, *value) : *value;
      found.high = found.numbers ? std::max(found.high, *value) : *value;
      found.numbers = true;
    }
    return found;
  }

  // How a row stands to those below it: outside of them in every column, and farther than they are apart.
  struct Standing {
    bool outside = false, far = false;
    std::int64_t columns = 0;  // of numbers
  };

  Standing standing(std::int64_t row) const {
    Standing found{.outside = true, .far = true};
    bool above_texts = false;
    for (std::int64_t column = 0; column < columns_; ++column) {
      const Below others = below(row, column);
      const auto value = cell_(row, column);
      above_texts = above_texts || (others.texts && !others.numbers && value);
      if (!others.numbers) continue;
      if (others.texts || !value || !(*value < others.low || *value > others.high)) return {};
      const double distance = std::max(others.low - *value, *value - others.high);
      found.far = found.far && others.low < others.high && distance > others.high - others.low;
      ++found.columns;
    }
    found.outside = found.columns > 0 || above_texts;
    found.far = found.far && found.outside;
    return found;
  }

  // The first of n numbers is the least or the greatest with probability 2 / n.
  bool stands_out() const {
    const Standing first = standing(0);
    if (!first.outside) return false;
    if (first.columns == 0) return true;  // numbers above texts
    const Standing second = standing(1);
    if (first.far && !second.far) return true;
    const double chance = std::pow(2 / static_cast<double>(rows_), static_cast<double>(first.columns));
    return chance < by_chance && !second.outside;
  }

  bool in_equal_steps(std::int64_t row) const {
    const auto first = cell_(row, 0), second = cell_(row, 1);
    if (!first || !second || !(*first != *second)) return false;
    const double step = *second - *first;
    double last = *second;
    for (std::int64_t column = 2; column < columns_; ++column) {
      const auto value = cell_(row, column);
      if (!value || !(*value - last == step)) return false;
      last = *value;
    }
    return true;
  }

  // Small whole numbers are soon in equal steps by chance.
  bool numbers_the_columns() const {
    constexpr std::int64_t few = 3, many = 5;
    if (columns_ < few || !in_equal_steps(0)) return false;
    bool others = columns_ >= many;
    for (std::int64_t row = 1; row < rows_; ++row) {
      if (in_equal_steps(row)) return false;
      for (std::int64_t column = 0; column < columns_ && !others; ++column) {
        const auto value = cell_(row, column);
        others = !value || (!std::isnan(*value) && !is_whole(value));
      }
    }
    return others;
  }

  const std::int64_t rows_, columns_;
  const NumberOfCell& cell_;
};

}  // namespace

std::string header_doubt(std::int64_t rows, std::int64_t columns, const NumberOfCell& cell) {
  constexpr std::int64_t few = 4;
  if (!FirstRow(rows, columns, cell).is_doubtful()) return "";
  std::vector<std::string> cells;
  for (std::int64_t column = 0; column < std::min(columns, few); ++column)
    cells.push_back(fmt::format("{}", *cell(0, column)));
  if (columns > few) cells.emplace_back("...");
  return fmt::format(
      "the first row ({}) is read as values, though it looks unlike the others; if it holds the names of the "
      "columns, state header=true, else header=false",
      fmt::join(cells, ", "));
}

}  // namespace deepgen
