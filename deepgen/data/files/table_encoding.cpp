// Cells of a table to numbers, by its schema.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {

bool is_count(double value) {
  constexpr double largest = 16777216;  // 2^24
  return value >= 0 && value <= largest && value == std::floor(value);
}

void check_names(const std::string& path, const CsvCells& file) {
  std::set<std::string> seen;
  for (const std::string& name : file.names)
    if (!seen.insert(name).second)
      fail_data(path, fmt::format("expected every column to have its own name, got '{}' twice", name));
}

namespace {

using Kind = TableColumnKind;

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

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
  // `unread`: where cells are counted that the schema cannot read, in place of an error.
  ColumnReader(const TableColumn& about, const std::string& path, const CsvCells& file, std::int64_t column,
               UnreadCells::Column* unread = nullptr)
      : about_(about),
        path_(path),
        file_(file),
        column_(column),
        cells_(about, file, column),
        unread_(unread) {}

  // The encoded cell: about.width() numbers; `marks`: whether it is missing is known.
  void encode(std::int64_t row, float* out, bool marks) const {
    const bool blank = is_blank(row);
    if (about_.marks_missing) out[about_.value_width()] = marks ? (blank ? 1.0F : 0.0F) : unknown;
    if (blank) {
      std::fill(out, out + about_.value_width(), unknown);
    } else if (about_.kind == Kind::binary) {
      out[0] = static_cast<float>(value_index(row));
    } else if (about_.is_category()) {
      std::fill(out, out + about_.value_width(), 0.0F);
      out[index(row)] = 1;
    } else if (about_.kind == Kind::count) {
      out[0] = static_cast<float>(count(row));
    } else if (about_.kind == Kind::real) {
      out[0] = standardised(row);
    } else if (about_.kind == Kind::constant) {
      value_index(row);
    }
  }

  // Of a column whose cells are one of several: which, or -1 where it is missing.
  std::int64_t code(std::int64_t row) const { return is_blank(row) ? -1 : index(row); }

  // Of a number in bins: its log-density given its bin, nats in the units of the file; 0 where it is missing.
  double log_density(std::int64_t row) const { return is_blank(row) ? 0 : place(row).log_density; }

  std::int64_t label(std::int64_t row) const {
    if (cells_.missing(row)) return -1;
    if (!about_.values.empty()) return value_index(row);
    const auto value = cells_.number(row);
    if (!value || !is_label(*value)) fail(row, expected_label);
    return static_cast<std::int64_t>(*value);
  }

  float weight(std::int64_t row) const {
    const auto value = cells_.number(row);
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
    const std::int64_t index = cells_.value(row);
    if (index < 0) fail(row, expected_value());
    return index;
  }

  // Missing; or nothing that the schema can read, where such cells are counted.
  bool is_blank(std::int64_t row) const {
    if (cells_.missing(row)) return true;
    if (!unread_) return false;
    if (cells_.fits(row)) {
      if (about_.low < about_.high) count_beyond(*cells_.number(row));
      return false;
    }
    if (unread_->count++ == 0) unread_->first_row = row, unread_->first = file_.cell(row, column_);
    return true;
  }

  void count_beyond(double value) const {
    if (value < about_.low || value > about_.high) ++unread_->beyond;
  }

  NumberBins::Place place(std::int64_t row) const {
    const auto value = number(row);
    const auto place = about_.bins.place(value);
    if (!place)
      fail(row, fmt::format("a number that is comparable to the training rows ({} to {})", about_.low,
                            about_.high));
    return *place;
  }

  std::int64_t index(std::int64_t row) const {
    return about_.bins.empty() ? value_index(row) : place(row).bin;
  }

  double count(std::int64_t row) const {
    const auto value = cells_.number(row);
    if (!value || !is_count(*value)) fail(row, "a whole number of 0 or more (a count)");
    return *value;
  }

  double number(std::int64_t row) const {
    const auto value = cells_.number(row);
    if (!value)
      fail(row, about_.format.is_date() ? "a date as " + about_.format.date : std::string("a number"));
    if (!std::isfinite(*value)) fail(row, "a finite number");
    return *value;
  }

  float standardised(std::int64_t row) const {
    const auto z = static_cast<float>((number(row) - about_.mean) / about_.deviation);
    if (!std::isfinite(z))
      fail(row, fmt::format("a number that is comparable to the training rows ({} to {})", about_.low,
                            about_.high));
    return z;
  }

  const TableColumn& about_;
  const std::string& path_;
  const CsvCells& file_;
  const std::int64_t column_;
  const ColumnCells cells_;
  UnreadCells::Column* const unread_;
};

UnreadCells::Column* unread_of(UnreadCells* unread, const TableSchema& schema, std::size_t column) {
  if (!unread) return nullptr;
  unread->columns.resize(schema.columns.size());
  return &unread->columns[column];
}

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
                   const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows,
                   bool marks, UnreadCells* unread) {
  const std::int64_t width = schema.width();
  Array encoded = make_array(DType::f32, {static_cast<std::int64_t>(rows.size()), width});
  std::int64_t first = 0;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    if (columns[i] < 0 || (!about.modelled() && about.kind != Kind::constant)) continue;
    const ColumnReader reader(about, path, file, columns[i], unread_of(unread, schema, i));
    float* out = encoded.as<float>() + first;
    for (const std::int64_t row : rows) {
      reader.encode(row, out, marks);
      out += width;
    }
    first += about.width();
  }
  return encoded;
}

Array table_codes(const TableSchema& schema, const std::string& path, const CsvCells& file,
                  const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows, bool marks,
                  UnreadCells* unread) {
  const auto width = static_cast<std::int64_t>(schema.code_layout().sizes.size());
  Array codes = make_array(DType::i16, {static_cast<std::int64_t>(rows.size()), width});
  std::int64_t place = 0;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    if (columns[i] < 0 || (!about.modelled() && about.kind != Kind::constant)) continue;
    const ColumnReader reader(about, path, file, columns[i], unread_of(unread, schema, i));
    std::int16_t* out = codes.as<std::int16_t>() + place;
    for (const std::int64_t row : rows) {
      const std::int64_t code = reader.code(row);
      if (!about.modelled()) continue;  // a constant is looked at alone
      out[0] = static_cast<std::int16_t>(code);
      if (about.marks_missing) out[1] = static_cast<std::int16_t>(!marks ? -1 : code < 0 ? 1 : 0);
      out += width;
    }
    if (about.modelled()) place += about.marks_missing ? 2 : 1;
  }
  return codes;
}

Array table_log_densities(const TableSchema& schema, const std::string& path, const CsvCells& file,
                          const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows,
                          UnreadCells* unread) {
  const std::int64_t width = schema.numbers_in_bins();
  Array densities = make_array(DType::f32, {static_cast<std::int64_t>(rows.size()), width});
  std::int64_t place = 0;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    if (schema.columns[i].bins.empty()) continue;
    const ColumnReader reader(schema.columns[i], path, file, columns[i], unread_of(unread, schema, i));
    float* out = densities.as<float>() + place++;
    for (const std::int64_t row : rows) {
      *out = static_cast<float>(reader.log_density(row));
      out += width;
    }
  }
  return densities;
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
  TableColumn about;
  about.name = file.names[static_cast<std::size_t>(column)], about.kind = Kind::weight;
  const ColumnReader reader(about, path, file, column);
  for (std::size_t i = 0; i < rows.size(); ++i) weights.as<float>()[i] = reader.weight(rows[i]);
  return weights;
}

}  // namespace deepgen
