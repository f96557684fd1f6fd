#include "deepgen/evaluate/quality/shapes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "deepgen/kernels/kernels.h"

namespace deepgen::quality {
namespace {

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double share(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

std::int64_t known_cells(const Field& field, const Column& column) {
  if (field.is_number)
    return std::count_if(column.numbers.begin(), column.numbers.end(),
                         [](double v) { return !std::isnan(v); });
  return std::count_if(column.codes.begin(), column.codes.end(),
                       [&](std::int32_t code) { return code != field.missing_code; });
}

Shape shape_of(const Field& field, const Table& real, const Table& synthetic, std::size_t j) {
  const Column &a = real.columns[j], &b = synthetic.columns[j];
  Shape shape{field.name, field.is_number, 0, known_cells(field, a), known_cells(field, b), 0, 0};
  shape.real_missing = share(real.rows - shape.real_known, real.rows);
  shape.synthetic_missing = share(synthetic.rows - shape.synthetic_known, synthetic.rows);
  shape.score = field.is_number
                    ? ks_similarity(sorted_known(a), sorted_known(b))
                    : variation_similarity(code_counts(a, field.codes()), code_counts(b, field.codes()));
  return shape;
}

}  // namespace

double Shape::missing_score() const { return 1 - std::abs(real_missing - synthetic_missing); }

double ks_similarity(const std::vector<double>& real, const std::vector<double>& synthetic) {
  if (real.empty() || synthetic.empty()) return real.empty() && synthetic.empty() ? 1 : 0;
  double largest = 0;
  for (std::size_t i = 0, j = 0; i < real.size() && j < synthetic.size();) {
    const double at = std::min(real[i], synthetic[j]);
    while (i < real.size() && real[i] <= at) ++i;
    while (j < synthetic.size() && synthetic[j] <= at) ++j;
    const double difference = static_cast<double>(i) / static_cast<double>(real.size()) -
                              static_cast<double>(j) / static_cast<double>(synthetic.size());
    largest = std::max(largest, std::abs(difference));
  }
  return 1 - largest;
}

double variation_similarity(const std::vector<double>& real, const std::vector<double>& synthetic) {
  const double reals = sum_of(real), synthetics = sum_of(synthetic);
  if (reals == 0 || synthetics == 0) return reals == synthetics ? 1 : 0;
  double distance = 0;
  for (std::size_t i = 0; i < real.size(); ++i)
    distance += std::abs(real[i] / reals - synthetic[i] / synthetics);
  return 1 - distance / 2;
}

std::vector<Shape> shapes(const std::vector<Field>& fields, const Table& real, const Table& synthetic) {
  std::vector<Shape> all(fields.size());
  const double cost_ns = 100.0 * static_cast<double>(real.rows + synthetic.rows);
  parallel_ranges(static_cast<std::int64_t>(fields.size()), cost_ns, 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (auto j = static_cast<std::size_t>(begin); j < static_cast<std::size_t>(end); ++j)
                      all[j] = shape_of(fields[j], real, synthetic, j);
                  });
  return all;
}

double mean_score(const std::vector<Shape>& shapes) {
  double sum = 0;
  for (const Shape& shape : shapes) sum += shape.score;
  return shapes.empty() ? 1 : sum / static_cast<double>(shapes.size());
}

}  // namespace deepgen::quality
