#include "deepgen/evaluate/quality/closeness.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "deepgen/core/work.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen::quality {
namespace {

// A column ready for distances: numbers over the range of the training rows, codes as they are.
struct Scaled {
  bool is_number = false;
  std::vector<float> training, rows;
};

std::vector<float> scaled_numbers(const std::vector<double>& numbers, double low, double range) {
  std::vector<float> scaled;
  scaled.reserve(numbers.size());
  for (const double value : numbers) scaled.push_back(static_cast<float>((value - low) / range));
  return scaled;
}

Scaled scale(const Field& field, const Column& training, const Column& rows) {
  if (!field.is_number)  // codes are below 2^24: floats hold them
    return {false, {training.codes.begin(), training.codes.end()}, {rows.codes.begin(), rows.codes.end()}};
  const std::vector<double> known = sorted_known(training);
  const double low = known.empty() ? 0 : known.front();
  const double range = known.empty() || known.back() == low ? 1 : known.back() - low;
  return {true, scaled_numbers(training.numbers, low, range), scaled_numbers(rows.numbers, low, range)};
}

// Adds the distances of one cell to those of all training rows.
void add_distances(const Scaled& column, float cell, std::vector<float>& distances) {
  const float* other = column.training.data();
  const std::size_t count = distances.size();
  if (!column.is_number) {
    for (std::size_t i = 0; i < count; ++i) distances[i] += other[i] == cell ? 0.0F : 1.0F;
  } else if (std::isnan(cell)) {
    for (std::size_t i = 0; i < count; ++i) distances[i] += std::isnan(other[i]) ? 0.0F : 1.0F;
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      const float difference = std::abs(other[i] - cell);
      distances[i] += std::isnan(difference) ? 1.0F : difference;
    }
  }
}

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return std::nan("");
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Distances summary(std::vector<double> distances) {
  std::sort(distances.begin(), distances.end());
  return {static_cast<std::int64_t>(distances.size()), quantile(distances, 0.5), quantile(distances, 0.05)};
}

// The bytes of a row, equal for equal rows.
std::string row_key(const Table& table, std::size_t row, const std::vector<bool>& left_out) {
  std::string key;
  const auto add = [&](const void* from, std::size_t size) {
    key.append(static_cast<const char*>(from), size);
  };
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    if (left_out[j]) continue;
    const Column& column = table.columns[j];
    if (!column.codes.empty()) {
      add(&column.codes[row], sizeof(std::int32_t));
    } else {
      const double value = std::isnan(column.numbers[row]) ? std::numeric_limits<double>::quiet_NaN()
                                                           : column.numbers[row] + 0.0;
      add(&value, sizeof value);
    }
  }
  return key;
}

std::vector<bool> nearly_unique(const Tables& tables) {
  std::vector<bool> unique;
  for (std::size_t j = 0; j < tables.fields.size(); ++j) {
    const Column& column = tables.real.columns[j];
    std::size_t values = 0;
    if (tables.fields[j].is_number) {
      std::vector<double> known = sorted_known(column);
      values = static_cast<std::size_t>(std::unique(known.begin(), known.end()) - known.begin());
    } else {
      for (const double count : code_counts(column, tables.fields[j].codes())) values += count > 0 ? 1 : 0;
    }
    unique.push_back(2 * static_cast<std::int64_t>(values) > tables.real.rows);
  }
  return unique;
}

Copies copies(const Tables& tables, const std::vector<bool>& left_out) {
  Copies found;
  for (std::size_t j = 0; j < left_out.size(); ++j)
    if (left_out[j]) found.ignored.push_back(tables.fields[j].name);
  if (found.ignored.size() == left_out.size()) {  // nothing is left to compare
    found.synthetic = found.held_out = std::nan("");
    return found;
  }
  found.synthetic = share_of_copies(tables.synthetic, tables.real, left_out);
  found.held_out = share_of_copies(tables.test, tables.real, left_out);
  return found;
}

}  // namespace

std::vector<double> closest_distances(const std::vector<Field>& fields, const Table& rows,
                                      const Table& training) {
  std::vector<Scaled> columns;
  for (std::size_t j = 0; j < fields.size(); ++j)
    columns.push_back(scale(fields[j], training.columns[j], rows.columns[j]));
  std::vector<double> closest(static_cast<std::size_t>(rows.rows));
  const double cost_ns = static_cast<double>(training.rows) * static_cast<double>(columns.size());
  parallel_ranges(rows.rows, cost_ns, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> distances;
    for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row) {
      distances.assign(static_cast<std::size_t>(training.rows), 0.0F);
      for (const Scaled& column : columns) add_distances(column, column.rows[row], distances);
      closest[row] = static_cast<double>(*std::min_element(distances.begin(), distances.end()));
    }
  });
  return closest;
}

double share_of_copies(const Table& rows, const Table& training, const std::vector<bool>& left_out) {
  std::unordered_set<std::string> known;
  for (std::size_t row = 0; row < static_cast<std::size_t>(training.rows); ++row)
    known.insert(row_key(training, row, left_out));
  double found = 0;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows.rows); ++row)
    if (known.contains(row_key(rows, row, left_out))) ++found;
  return rows.rows == 0 ? std::nan("") : found / static_cast<double>(rows.rows);
}

Closeness closeness(const Tables& tables, const Rng& rng, Observer& observer) {
  Work work(observer, "looking for the closest records", 4);
  const auto some = [&](const Table& table, std::uint64_t path) {
    return rows_of(table, some_rows(table.rows, closeness_rows, rng.fork({path})));
  };
  const Table training = some(tables.real, 1);
  Closeness result;
  result.training_rows = training.rows;
  result.synthetic = summary(closest_distances(tables.fields, some(tables.synthetic, 2), training));
  work.advance(1);
  result.held_out = summary(closest_distances(tables.fields, some(tables.test, 3), training));
  work.advance(1);
  result.all = copies(tables, std::vector<bool>(tables.fields.size(), false));
  work.advance(1);
  result.some = copies(tables, nearly_unique(tables));
  work.advance(1);
  return result;
}

}  // namespace deepgen::quality
