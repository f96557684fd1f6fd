#include "deepgen/evaluate/quality/linear_features.h"

#include <algorithm>
#include <cmath>

namespace deepgen::quality {
namespace {

using MatrixColumns = std::vector<std::vector<float>>;

void add_number(const std::vector<double>& numbers, MatrixColumns& into) {
  double known = 0, mean = 0, squares = 0;
  for (const double value : numbers)
    if (!std::isnan(value)) ++known, mean += value;
  mean /= std::max(known, 1.0);
  for (const double value : numbers)
    if (!std::isnan(value)) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / std::max(known, 1.0));
  const double scale = deviation > 0 ? 1 / deviation : 0;
  std::vector<float> values, missing;
  for (const double value : numbers) {
    values.push_back(std::isnan(value) ? 0.0F : static_cast<float>((value - mean) * scale));
    missing.push_back(std::isnan(value) ? 1.0F : 0.0F);
  }
  into.push_back(std::move(values));
  if (known < static_cast<double>(numbers.size())) into.push_back(std::move(missing));
}

void add_category(const Column& column, std::int64_t codes, MatrixColumns& into) {
  const std::vector<double> counts = code_counts(column, codes);
  Index order = counted(codes);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(std::min(codes, most_linear_values)));
  const std::size_t first = into.size();
  std::vector<std::int64_t> place(static_cast<std::size_t>(codes), -1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(first + i);
    into.emplace_back(column.codes.size(), 0.0F);
  }
  for (std::size_t row = 0; row < column.codes.size(); ++row) {
    const std::int64_t to = place[static_cast<std::size_t>(column.codes[row])];
    if (to >= 0) into[static_cast<std::size_t>(to)][row] = 1;
  }
}

}  // namespace

Tensor linear_features(const std::vector<Field>& fields, const Table& table) {
  MatrixColumns columns;
  for (std::size_t j = 0; j < fields.size(); ++j) {
    if (fields[j].is_number)
      add_number(table.columns[j].numbers, columns);
    else
      add_category(table.columns[j], fields[j].codes(), columns);
  }
  const auto count = static_cast<std::int64_t>(columns.size());
  Tensor matrix = at::empty({table.rows, count});
  float* cells = matrix.data_ptr<float>();
  for (std::int64_t j = 0; j < count; ++j)
    for (std::int64_t row = 0; row < table.rows; ++row)
      cells[row * count + j] = columns[static_cast<std::size_t>(j)][static_cast<std::size_t>(row)];
  return matrix;
}

}  // namespace deepgen::quality
