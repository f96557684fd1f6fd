#include "deepgen/evaluate/quality/columns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace deepgen::quality {
namespace {

template <class T>
std::vector<T> picked(const std::vector<T>& values, const Index& rows) {
  std::vector<T> some;
  if (values.empty()) return some;
  some.reserve(rows.size());
  for (const std::int64_t row : rows) some.push_back(values[static_cast<std::size_t>(row)]);
  return some;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Column rows_of_column(const Column& column, const Index& rows) {
  return {picked(column.numbers, rows), picked(column.codes, rows)};
}

}  // namespace

Table rows_of(const Table& table, const Index& rows) {
  Table some{static_cast<std::int64_t>(rows.size()), {}};
  for (const Column& column : table.columns) some.columns.push_back(rows_of_column(column, rows));
  return some;
}

Table joined(const Table& first, const Table& second) {
  Table both = first;
  both.rows += second.rows;
  for (std::size_t j = 0; j < both.columns.size(); ++j) {
    append(both.columns[j].numbers, second.columns[j].numbers);
    append(both.columns[j].codes, second.columns[j].codes);
  }
  return both;
}

Index some_rows(std::int64_t rows, std::int64_t most, Rng rng) {
  if (rows <= most) return counted(rows);
  Index drawn = rng.permutation(rows);
  drawn.resize(static_cast<std::size_t>(most));
  return drawn;
}

Table independent_columns(const Table& table, const Rng& rng) {
  Table shuffled{table.rows, {}};
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    shuffled.columns.push_back(rows_of_column(table.columns[j], rng.fork({j}).permutation(table.rows)));
  return shuffled;
}

Index counted(std::int64_t count) {
  Index all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

std::vector<double> sorted_known(const Column& column) {
  std::vector<double> known;
  for (const double value : column.numbers)
    if (!std::isnan(value)) known.push_back(value);
  std::sort(known.begin(), known.end());
  return known;
}

std::vector<double> code_counts(const Column& column, std::int64_t codes) {
  std::vector<double> counts(static_cast<std::size_t>(codes));
  for (const std::int32_t code : column.codes) ++counts[static_cast<std::size_t>(code)];
  return counts;
}

}  // namespace deepgen::quality
