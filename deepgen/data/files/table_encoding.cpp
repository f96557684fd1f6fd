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

// What a cell is for a model.
struct ReadCell {
  bool known = false;      // of those that are kept: whether it was looked at
  bool blank = false;      // missing, or one that cannot be read
  bool unread = false;     // the latter
  bool beyond = false;     // a number beyond the range of the training rows
  std::int64_t index = 0;  // which value or bin
  float value = 0;         // of a column that is one number for a model
  double log_density = 0;  // of a number in bins, given its bin: nats in the units of the file
};

// One column of a file, read by what the schema says of it. Cells that are the same are looked at once.
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
        distinct_(file.distinct_of(column)),
        unread_(unread) {
    kept_.resize(distinct_.are_shared() ? static_cast<std::size_t>(distinct_.count()) : 1);
  }

  // The cell of a row, counted where it should be; valid until the next one.
  const ReadCell& read(std::int64_t row) {
    ReadCell& cell = kept_[distinct_.are_shared() ? static_cast<std::size_t>(distinct_.number(row)) : 0];
    if (!cell.known || !distinct_.are_shared()) cell = looked_at(row);
    if (!unread_) return cell;
    if (cell.unread && unread_->count++ == 0)
      unread_->first_row = row, unread_->first = file_.cell(row, column_);
    unread_->beyond += cell.beyond;
    return cell;
  }

  // The encoded cell: about.width() numbers; `marks`: whether it is missing is known.
  void encode(const ReadCell& cell, float* out, bool marks) const {
    const std::int64_t width = about_.value_width();
    if (about_.marks_missing) out[width] = marks ? (cell.blank ? 1.0F : 0.0F) : unknown;
    if (cell.blank) {
      std::fill(out, out + width, unknown);
    } else if (about_.is_category()) {
      std::fill(out, out + width, 0.0F);
      out[cell.index] = 1;
    } else if (about_.modelled()) {
      out[0] = cell.value;
    }
  }

  std::int64_t label(std::int64_t row) const {
    if (cells_.missing(row)) return -1;
    if (!about_.values.empty()) {
      const std::int64_t index = cells_.value(row);
      if (index < 0) fail(row, expected_value());
      return index;
    }
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

  // What would have been read.
  std::string expected(std::optional<double> number) const {
    if (about_.kind == Kind::count) return "a whole number of 0 or more (a count)";
    if (about_.kind != Kind::real) return expected_value();
    if (!number) return about_.format.is_date() ? "a date as " + about_.format.date : std::string("a number");
    if (!std::isfinite(*number)) return "a finite number";
    return fmt::format("a number that is comparable to the training rows ({} to {})", about_.low,
                       about_.high);
  }

  ReadCell looked_at(std::int64_t row) const {
    ReadCell cell{.known = true, .blank = cells_.missing(row)};
    if (cell.blank) return cell;
    const bool numeric = about_.is_number();
    const std::optional<double> number = numeric ? cells_.number(row) : std::nullopt;
    if (numeric ? number && read_number(*number, cell) : read_value(row, cell)) return cell;
    if (!unread_) fail(row, expected(number));
    return {.known = true, .blank = true, .unread = true};
  }

  // False where it is not one that can be read.
  bool read_value(std::int64_t row, ReadCell& cell) const {
    cell.index = cells_.value(row), cell.value = static_cast<float>(cell.index);
    return cell.index >= 0;
  }

  bool read_number(double number, ReadCell& cell) const {
    if (!std::isfinite(number)) return false;
    cell.beyond = about_.low < about_.high && (number < about_.low || number > about_.high);
    if (about_.kind == Kind::count) {
      cell.value = static_cast<float>(number);
      return is_count(number);
    }
    if (about_.bins.empty()) {
      cell.value = static_cast<float>((number - about_.mean) / about_.deviation);
      return std::isfinite(cell.value);
    }
    const auto place = about_.bins.place(number);
    if (place) cell.index = place->bin, cell.log_density = place->log_density;
    return place.has_value();
  }

  const TableColumn& about_;
  const std::string& path_;
  const CsvCells& file_;
  const std::int64_t column_;
  const ColumnCells cells_;
  const DistinctCells& distinct_;
  UnreadCells::Column* const unread_;
  std::vector<ReadCell> kept_;  // of the distinct cells; the last one where each row is its own
};

UnreadCells::Column* unread_of(UnreadCells* unread, const TableSchema& schema, std::size_t column) {
  if (!unread) return nullptr;
  unread->columns.resize(schema.columns.size());
  return &unread->columns[column];
}

// Where the log-densities of the numbers in bins go, where they are asked for.
class LogDensities {
 public:
  LogDensities(const TableSchema& schema, const std::vector<std::int64_t>& rows, Array* out)
      : width_(schema.numbers_in_bins()) {
    if (!out) return;
    *out = make_array(DType::f32, {static_cast<std::int64_t>(rows.size()), width_});
    next_ = out->as<float>();
  }

  std::int64_t width() const { return width_; }
  // That of the first row in the next column; null where there is none.
  float* next(const TableColumn& about) { return about.bins.empty() || !next_ ? nullptr : next_++; }

 private:
  const std::int64_t width_;
  float* next_ = nullptr;
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
                   const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows,
                   bool marks, UnreadCells* unread, Array* densities) {
  const std::int64_t width = schema.width();
  Array encoded = make_array(DType::f32, {static_cast<std::int64_t>(rows.size()), width});
  LogDensities log_densities(schema, rows, densities);
  float* first = encoded.as<float>();
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    if (columns[i] < 0 || (!about.modelled() && about.kind != Kind::constant)) continue;
    ColumnReader reader(about, path, file, columns[i], unread_of(unread, schema, i));
    float* out = first;
    float* density = log_densities.next(about);
    for (const std::int64_t row : rows) {
      const ReadCell& cell = reader.read(row);
      reader.encode(cell, out, marks);
      out += width;
      if (density) *density = static_cast<float>(cell.log_density), density += log_densities.width();
    }
    first += about.width();
  }
  return encoded;
}

Array table_codes(const TableSchema& schema, const std::string& path, const CsvCells& file,
                  const std::vector<std::int64_t>& columns, const std::vector<std::int64_t>& rows, bool marks,
                  UnreadCells* unread, Array* densities) {
  const auto width = static_cast<std::int64_t>(schema.code_layout().sizes.size());
  Array codes = make_array(DType::i16, {static_cast<std::int64_t>(rows.size()), width});
  LogDensities log_densities(schema, rows, densities);
  std::int16_t* first = codes.as<std::int16_t>();
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    if (columns[i] < 0 || (!about.modelled() && about.kind != Kind::constant)) continue;
    ColumnReader reader(about, path, file, columns[i], unread_of(unread, schema, i));
    std::int16_t* out = first;
    float* density = log_densities.next(about);
    const bool modelled = about.modelled();
    for (const std::int64_t row : rows) {
      const ReadCell& cell = reader.read(row);
      if (!modelled) continue;  // a constant is looked at alone
      out[0] = static_cast<std::int16_t>(cell.blank ? -1 : cell.index);
      if (about.marks_missing) out[1] = static_cast<std::int16_t>(!marks ? -1 : cell.blank ? 1 : 0);
      out += width;
      if (density) *density = static_cast<float>(cell.log_density), density += log_densities.width();
    }
    if (modelled) first += about.marks_missing ? 2 : 1;
  }
  return codes;
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
