// Cells of a table to numbers, by its schema.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {

bool is_count(double value) {
  constexpr double largest = 16777216;  // 2^24
  return value >= 0 && value <= largest && value == std::floor(value);
}

std::string value_key(std::string_view cell, bool numeric) {
  const auto value = numeric ? cell_number(cell) : std::nullopt;
  if (value) return fmt::format("{}", *value + 0.0);  // -0 is 0
  return std::string(trimmed_cell(cell));
}

bool all_numbers(const std::vector<std::string>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](const std::string& value) { return cell_number(value).has_value(); });
}

void sort_values(std::vector<std::string>& values, bool numeric) {
  std::sort(values.begin(), values.end(), [numeric](const std::string& a, const std::string& b) {
    return numeric ? *cell_number(a) < *cell_number(b) : a < b;
  });
}

void check_names(const std::string& path, const CsvCells& file) {
  std::set<std::string> seen;
  for (const std::string& name : file.names)
    if (!seen.insert(name).second)
      fail_data(path, fmt::format("expected every column to have its own name, got '{}' twice", name));
}

namespace {

using Kind = TableColumnKind;

// The first few of a list, for messages.
std::string first_few(const std::vector<std::string>& values) {
  constexpr std::size_t few = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(few, values.size()); ++i)
    text += (i > 0 ? ", " : "") + shown(values[i]);
  return values.size() > few ? text + ", ..." : text;
}

// One column of a file, read by what the schema says of it.
class ColumnReader {
 public:
  ColumnReader(const TableColumn& about, const std::string& path, const CsvCells& file, std::int64_t column)
      : about_(about), path_(path), file_(file), column_(column), numeric_(all_numbers(about.values)) {
    for (std::size_t i = 0; i < about.values.size(); ++i)
      index_.emplace(value_key(about.values[i], numeric_), static_cast<std::int64_t>(i));
  }

  // The encoded cell: about.width() numbers.
  void encode(std::int64_t row, float* out) const {
    const std::string_view cell = file_.cell(row, column_);
    if (is_missing_cell(cell)) {
      std::fill(out, out + about_.width(), std::numeric_limits<float>::quiet_NaN());
    } else if (about_.kind == Kind::binary) {
      out[0] = static_cast<float>(value_index(row));
    } else if (about_.kind == Kind::categorical) {
      std::fill(out, out + about_.width(), 0.0F);
      out[value_index(row)] = 1;
    } else if (about_.kind == Kind::count) {
      out[0] = static_cast<float>(count(row));
    } else if (about_.kind == Kind::real) {
      out[0] = standardised(row);
    } else if (about_.kind == Kind::constant) {
      value_index(row);
    }
  }

  std::int64_t label(std::int64_t row) const {
    if (is_missing_cell(file_.cell(row, column_))) return -1;
    if (!about_.values.empty()) return value_index(row);
    const auto value = cell_number(file_.cell(row, column_));
    if (!value || !is_label(*value)) fail(row, expected_label);
    return static_cast<std::int64_t>(*value);
  }

  float weight(std::int64_t row) const {
    const auto value = cell_number(file_.cell(row, column_));
    if (!value || !(*value >= 0) || !std::isfinite(static_cast<float>(*value)))
      fail(row, "a weight of 0 or more");
    return static_cast<float>(*value);
  }

 private:
  [[noreturn]] void fail(std::int64_t row, const std::string& expected) const {
    fail_data(path_, fmt::format("{}: expected {}, got {}", table_place(file_, row, column_), expected,
                                 shown(file_.cell(row, column_))));
  }

  std::string expected_value() const {
    const std::vector<std::string>& values = about_.values;
    if (about_.kind == Kind::binary) return fmt::format("{} or {}", shown(values[0]), shown(values[1]));
    if (about_.kind == Kind::constant)
      return values.empty() ? std::string("a missing cell, as in all training rows")
                            : fmt::format("{}, the only value in the training rows", shown(values[0]));
    return fmt::format("one of the {} {} of the training rows ({})", values.size(),
                       about_.kind == Kind::labels ? "classes" : "categories", first_few(values));
  }

  std::int64_t value_index(std::int64_t row) const {
    const auto found = index_.find(value_key(file_.cell(row, column_), numeric_));
    if (found == index_.end()) fail(row, expected_value());
    return found->second;
  }

  double count(std::int64_t row) const {
    const auto value = cell_number(file_.cell(row, column_));
    if (!value || !is_count(*value)) fail(row, "a whole number of 0 or more (a count)");
    return *value;
  }

  float standardised(std::int64_t row) const {
    const auto value = cell_number(file_.cell(row, column_));
    if (!value) fail(row, "a number");
    if (!std::isfinite(*value)) fail(row, "a finite number");
    const auto z = static_cast<float>((*value - about_.mean) / about_.deviation);
    if (!std::isfinite(z))
      fail(row, fmt::format("a number that is comparable to the training rows ({} to {})", about_.low,
                            about_.high));
    return z;
  }

  const TableColumn& about_;
  const std::string& path_;
  const CsvCells& file_;
  const std::int64_t column_;
  const bool numeric_;
  std::unordered_map<std::string, std::int64_t> index_;
};

std::int64_t named_column(const CsvCells& file, const std::string& name) {
  const auto found = std::find(file.names.begin(), file.names.end(), name);
  return found == file.names.end() ? -1 : found - file.names.begin();
}

// Whether the names stand for places, as in a file without a header.
bool names_are_places(const TableSchema& schema) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i)
    if (schema.columns[i].name != fmt::format("v{}", i)) return false;
  return true;
}

}  // namespace

std::vector<std::int64_t> match_columns(const TableSchema& schema, const std::string& path,
                                        const CsvCells& file) {
  check_names(path, file);
  std::vector<std::int64_t> columns;
  std::vector<std::string> missing;
  for (const TableColumn& column : schema.columns) {
    columns.push_back(named_column(file, column.name));
    if (columns.back() < 0 && column.modelled()) missing.push_back(column.name);
  }
  if (missing.empty()) return columns;
  const auto trained = static_cast<std::int64_t>(schema.columns.size());
  if (file.header > 0 && !names_are_places(schema))
    fail_data(path, fmt::format("expected the columns of the training file, by name; missing: {}; the file "
                                "has: {}",
                                fmt::join(missing, ", "), fmt::join(file.names, ", ")));
  if (file.columns != trained)
    fail_data(path, fmt::format("expected {} columns as in the training file (there are no names to go by), "
                                "got {}",
                                trained, file.columns));
  for (std::int64_t i = 0; i < trained; ++i) columns[static_cast<std::size_t>(i)] = i;
  return columns;
}

Array encode_table(const TableSchema& schema, const std::string& path, const CsvCells& file,
                   const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows) {
  const std::int64_t width = schema.width();
  Array encoded = make_array(DType::f32, {static_cast<std::int64_t>(rows.size()), width});
  std::int64_t first = 0;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    if (columns[i] < 0 || (!about.modelled() && about.kind != Kind::constant)) continue;
    const ColumnReader reader(about, path, file, columns[i]);
    float* out = encoded.as<float>() + first;
    for (const std::int64_t row : rows) {
      reader.encode(row, out);
      out += width;
    }
    first += about.width();
  }
  return encoded;
}

Array table_labels(const TableColumn& about, const std::string& path, const CsvCells& file,
                   std::int64_t column, const std::vector<std::int64_t>& rows) {
  Array labels = make_array(DType::i64, {static_cast<std::int64_t>(rows.size())});
  const ColumnReader reader(about, path, file, column);
  for (std::size_t i = 0; i < rows.size(); ++i) labels.as<std::int64_t>()[i] = reader.label(rows[i]);
  return labels;
}

Array table_weights(const std::string& path, const CsvCells& file, std::int64_t column,
                    const std::vector<std::int64_t>& rows) {
  Array weights = make_array(DType::f32, {static_cast<std::int64_t>(rows.size())});
  const TableColumn about{
      .name = file.names[static_cast<std::size_t>(column)], .kind = Kind::weight, .values = {}};
  const ColumnReader reader(about, path, file, column);
  for (std::size_t i = 0; i < rows.size(); ++i) weights.as<float>()[i] = reader.weight(rows[i]);
  return weights;
}

}  // namespace deepgen
