#include "deepgen/evaluate/quality/trends.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "deepgen/kernels/kernels.h"

namespace deepgen::quality {
namespace {

constexpr int range_parts = 10;
using Codes = std::vector<std::int32_t>;

// 0 below the range, 1..10 within, 11 from its end on, 12 missing.
Codes cut(const std::vector<double>& numbers, double low, double high) {
  Codes codes;
  codes.reserve(numbers.size());
  for (const double value : numbers) {
    int part = range_parts + 2;
    if (value < low)
      part = 0;
    else if (value >= high)
      part = range_parts + 1;
    else if (!std::isnan(value))
      part = 1 + std::min(range_parts - 1, static_cast<int>((value - low) / (high - low) * range_parts));
    codes.push_back(part);
  }
  return codes;
}

// All columns of both tables as codes.
struct Cut {
  std::vector<Codes> real, synthetic;
};

Cut cut_tables(const std::vector<Field>& fields, const Table& real, const Table& synthetic) {
  Cut all;
  for (std::size_t j = 0; j < fields.size(); ++j) {
    if (!fields[j].is_number) {
      all.real.push_back(real.columns[j].codes), all.synthetic.push_back(synthetic.columns[j].codes);
      continue;
    }
    double low = INFINITY, high = -INFINITY;
    for (const double value : real.columns[j].numbers)
      if (!std::isnan(value)) low = std::min(low, value), high = std::max(high, value);
    all.real.push_back(cut(real.columns[j].numbers, low, high));
    all.synthetic.push_back(cut(synthetic.columns[j].numbers, low, high));
  }
  return all;
}

// A pair of values and how many rows have it, ascending.
using CellCounts = std::vector<std::pair<std::int64_t, double>>;

constexpr std::int64_t next_value = std::int64_t{1} << 32;

CellCounts count_cells(const Codes& a, const Codes& b) {
  std::vector<std::int64_t> cells;
  cells.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) cells.push_back(a[i] * next_value + b[i]);
  std::sort(cells.begin(), cells.end());
  CellCounts counts;
  for (const std::int64_t cell : cells) {
    if (counts.empty() || counts.back().first != cell) counts.emplace_back(cell, 0);
    ++counts.back().second;
  }
  return counts;
}

double table_similarity(const CellCounts& a, const CellCounts& b, double rows_a, double rows_b) {
  double distance = 0;
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const bool left = j == b.size() || (i < a.size() && a[i].first <= b[j].first);
    const bool right = i == a.size() || (j < b.size() && b[j].first <= a[i].first);
    const double p = left ? a[i++].second / rows_a : 0, q = right ? b[j++].second / rows_b : 0;
    distance += std::abs(p - q);
  }
  return 1 - distance / 2;
}

// Cramer's V without its bias, from the cells that occur: chi2 / n = sum p(cell)^2 / (p(row) p(column)) - 1.
double cramers_v(const CellCounts& cells, double n) {
  std::map<std::int64_t, double> rows, columns;
  for (const auto& [cell, count] : cells)
    rows[cell / next_value] += count, columns[cell % next_value] += count;
  double sum = 0;
  for (const auto& [cell, count] : cells)
    sum += count * count / (rows[cell / next_value] * columns[cell % next_value]);
  const auto k = static_cast<double>(rows.size()), l = static_cast<double>(columns.size());
  if (n < 2 || k < 2 || l < 2) return 0;
  const double squared = std::max(0.0, sum - 1 - (k - 1) * (l - 1) / (n - 1));
  const double most = std::min(k - (k - 1) * (k - 1) / (n - 1), l - (l - 1) * (l - 1) / (n - 1)) - 1;
  return most > 0 ? std::min(1.0, std::sqrt(squared / most)) : 0;
}

double or_zero(double value) { return std::isnan(value) ? 0 : value; }

void fill_trend(Trend& trend, const Table& real, const Table& synthetic, const Cut& all) {
  const std::size_t i = trend.first, j = trend.second;
  if (trend.numbers) {
    trend.real = or_zero(correlation(real.columns[i].numbers, real.columns[j].numbers));
    trend.synthetic = or_zero(correlation(synthetic.columns[i].numbers, synthetic.columns[j].numbers));
    trend.score = 1 - std::abs(trend.real - trend.synthetic) / 2;
    return;
  }
  const CellCounts a = count_cells(all.real[i], all.real[j]);
  const CellCounts b = count_cells(all.synthetic[i], all.synthetic[j]);
  const auto rows_a = static_cast<double>(real.rows), rows_b = static_cast<double>(synthetic.rows);
  trend.real = cramers_v(a, rows_a), trend.synthetic = cramers_v(b, rows_b);
  trend.score = table_similarity(a, b, rows_a, rows_b);
}

std::vector<Trend> pairs_of(const std::vector<Field>& fields, const Rng& rng) {
  std::vector<Trend> pairs;
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (std::size_t j = i + 1; j < fields.size(); ++j)
      pairs.push_back({i, j, 0, 0, 0, fields[i].is_number && fields[j].is_number});
  const auto count = static_cast<std::int64_t>(pairs.size());
  if (count <= most_pairs) return pairs;
  Index chosen = some_rows(count, most_pairs, rng);
  std::sort(chosen.begin(), chosen.end());
  std::vector<Trend> some;
  for (const std::int64_t pair : chosen) some.push_back(pairs[static_cast<std::size_t>(pair)]);
  return some;
}

}  // namespace

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  double n = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isnan(x[i]) && !std::isnan(y[i])) ++n, mean_x += x[i], mean_y += y[i];
  mean_x /= n, mean_y /= n;  // of no rows at all: NaN, as is the result
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) continue;
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  return xx > 0 && yy > 0 ? xy / (std::sqrt(xx) * std::sqrt(yy)) : std::nan("");
}

std::vector<Trend> trends(const std::vector<Field>& fields, const Table& real, const Table& synthetic,
                          const Rng& rng) {
  std::vector<Trend> pairs = pairs_of(fields, rng);
  const Cut all = cut_tables(fields, real, synthetic);
  const double cost_ns = 100.0 * static_cast<double>(real.rows + synthetic.rows);
  parallel_ranges(static_cast<std::int64_t>(pairs.size()), cost_ns, 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i)
                      fill_trend(pairs[static_cast<std::size_t>(i)], real, synthetic, all);
                  });
  return pairs;
}

double mean_score(const std::vector<Trend>& trends) {
  double sum = 0;
  for (const Trend& trend : trends) sum += trend.score;
  return trends.empty() ? std::nan("") : sum / static_cast<double>(trends.size());
}

double mean_associated(const std::vector<Trend>& trends) {
  std::vector<Trend> some;
  std::copy_if(trends.begin(), trends.end(), std::back_inserter(some),
               [](const Trend& trend) { return trend.is_associated(); });
  return mean_score(some);
}

std::int64_t count_associated(const std::vector<Trend>& trends) {
  return std::count_if(trends.begin(), trends.end(),
                       [](const Trend& trend) { return trend.is_associated(); });
}

std::vector<double> means_by_column(const std::vector<Trend>& trends, std::size_t columns) {
  std::vector<double> sums(columns), counts(columns);
  for (const Trend& trend : trends)
    for (const std::size_t j : {trend.first, trend.second}) sums[j] += trend.score, ++counts[j];
  for (std::size_t j = 0; j < columns; ++j) sums[j] /= counts[j];
  return sums;
}

}  // namespace deepgen::quality
