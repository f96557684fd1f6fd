// Numbers to cells of a table, by its schema.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/table.h"

namespace deepgen {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

bool is_written(const TableColumn& column) {
  return column.modelled() || column.kind == TableColumnKind::constant;
}

double decoded(const TableColumn& about, const float* encoded) {
  if (about.kind == TableColumnKind::constant) return 0;
  if (std::isnan(encoded[0])) return missing;
  if (about.kind == TableColumnKind::binary) return encoded[0] >= 0.5F ? 1 : 0;
  if (about.kind == TableColumnKind::categorical)
    return static_cast<double>(std::max_element(encoded, encoded + about.width()) - encoded);
  if (about.kind == TableColumnKind::count) return std::max(0.0, std::round(static_cast<double>(encoded[0])));
  return about.mean + about.deviation * static_cast<double>(encoded[0]);
}

// As exact as the training cells were, but not more than six digits of what tells rows apart.
std::string real_text(const TableColumn& about, double value) {
  constexpr int digits = 6, longest = 17;  // a double has 17 digits at most
  const int useful = digits - 1 - static_cast<int>(std::floor(std::log10(about.deviation)));
  const int places = std::min(about.decimals, std::max(useful, 0));
  if (places > longest || std::abs(value) >= 1e17) return fmt::format("{:.{}g}", value, digits);
  std::string text = fmt::format("{:.{}f}", value, places);
  const bool zero = text.find_first_of("123456789") == text.npos;
  return zero && text.starts_with('-') ? text.substr(1) : text;
}

// Ends the line that began at this place; a single empty cell would look like an empty line.
void end_row(std::string& out, std::size_t begin, std::size_t columns) {
  if (columns == 1 && out.size() == begin) out += "\"\"";
  out += '\n';
}

// For each column of the file its place among the columns of table_values, or -1; and what is known of it.
struct FileColumn {
  std::int64_t value = -1;
  const TableColumn* about = nullptr;
};

std::vector<FileColumn> file_columns(const TableSchema& schema, const CsvCells& file,
                                     const std::vector<std::int64_t>& columns) {
  std::vector<FileColumn> all(static_cast<std::size_t>(file.columns));
  std::int64_t value = 0;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    if (!is_written(schema.columns[i])) continue;
    if (columns[i] >= 0) all[static_cast<std::size_t>(columns[i])] = {value, &schema.columns[i]};
    ++value;
  }
  return all;
}

}  // namespace

Array table_values(const TableSchema& schema, const Array& encoded) {
  if (encoded.columns() != schema.width())
    fail_data("table", fmt::format("expected {} columns, as the table has for a model, got {}",
                                   schema.width(), encoded.columns()));
  std::vector<const TableColumn*> written;
  for (const TableColumn& column : schema.columns)
    if (is_written(column)) written.push_back(&column);
  const auto columns = static_cast<std::int64_t>(written.size());
  Array values = make_array(DType::f64, {encoded.rows(), columns});
  const float* from = encoded.as<float>();
  double* to = values.as<double>();
  for (std::int64_t row = 0; row < encoded.rows(); ++row)
    for (const TableColumn* column : written) {
      *to++ = decoded(*column, from);
      from += column->width();
    }
  return values;
}

std::vector<std::string> table_value_names(const TableSchema& schema) {
  std::vector<std::string> names;
  for (const TableColumn& column : schema.columns)
    if (is_written(column)) names.push_back(column.name);
  return names;
}

std::string table_cell(const TableColumn& about, double value) {
  if (about.kind == TableColumnKind::constant)
    return about.values.empty() ? "" : quoted_cell(about.values[0]);
  if (std::isnan(value)) return "";
  if (about.kind == TableColumnKind::count) return fmt::format("{:.0f}", value);
  if (about.kind == TableColumnKind::real) return real_text(about, value);
  const double last = static_cast<double>(about.values.size()) - 1;
  return quoted_cell(about.values[static_cast<std::size_t>(std::clamp(value, 0.0, last))]);
}

std::string table_csv_header(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? "," : "") + quoted_name(names[i]);
  return out + '\n';
}

std::string table_csv_rows(const TableSchema& schema, const Array& values) {
  std::string out;
  const double* value = values.as<double>();
  const auto columns = static_cast<std::size_t>(values.columns());
  for (std::int64_t row = 0; row < values.rows(); ++row) {
    const std::size_t begin = out.size();
    bool first = true;
    for (const TableColumn& column : schema.columns) {
      if (!is_written(column)) continue;
      if (!first) out += ',';
      out += table_cell(column, *value++);
      first = false;
    }
    end_row(out, begin, columns);
  }
  return out;
}

std::string completed_csv_rows(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns, std::span<const std::int64_t> rows,
                               const Array& values) {
  const std::vector<FileColumn> about = file_columns(schema, file, columns);
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double* line = values.as<double>() + static_cast<std::int64_t>(i) * values.columns();
    const std::size_t begin = out.size();
    for (std::size_t j = 0; j < about.size(); ++j) {
      const std::string_view cell = file.cell(rows[i], static_cast<std::int64_t>(j));
      const TableColumn* column = about[j].about;
      const bool fixed = column && column->kind == TableColumnKind::constant && is_missing_cell(cell);
      const double value = column && column->modelled() ? line[about[j].value] : missing;
      if (j > 0) out += ',';
      out += fixed || !std::isnan(value) ? table_cell(*column, value) : quoted_cell(cell);
    }
    end_row(out, begin, about.size());
  }
  return out;
}

std::string spread_csv_rows(const TableSchema& schema, const CsvCells& file,
                            const std::vector<std::int64_t>& columns, const Array& values) {
  const std::vector<FileColumn> about = file_columns(schema, file, columns);
  std::string out;
  for (std::int64_t row = 0; row < values.rows(); ++row) {
    const double* line = values.as<double>() + row * values.columns();
    const std::size_t begin = out.size();
    for (std::size_t j = 0; j < about.size(); ++j) {
      const bool modelled = about[j].about && about[j].about->modelled();
      const double value = modelled ? line[about[j].value] : missing;
      if (j > 0) out += ',';
      if (!std::isnan(value)) out += fmt::format("{:.6g}", value);
    }
    end_row(out, begin, about.size());
  }
  return out;
}

std::string encode_table_csv(const TableSchema& schema, const Array& values) {
  return table_csv_header(table_value_names(schema)) + table_csv_rows(schema, values);
}

std::string complete_table_csv(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns,
                               const std::vector<std::int64_t>& rows, const Array& values) {
  return table_csv_header(file.names) + completed_csv_rows(schema, file, columns, rows, values);
}

std::string spread_table_csv(const TableSchema& schema, const CsvCells& file,
                             const std::vector<std::int64_t>& columns, const Array& values) {
  return table_csv_header(file.names) + spread_csv_rows(schema, file, columns, values);
}

}  // namespace deepgen
