// Numbers to cells of a table, by its schema.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// One category for certain, and not the shares of several draws.
std::int64_t certain(const TableColumn& about, const float* encoded) {
  const float* end = encoded + about.value_width();
  const float* most = std::max_element(encoded, end);
  return *most == 1 && std::count(encoded, end, 0.0F) == end - encoded - 1 ? most - encoded : -1;
}

// A draw of the bin; of several draws together their median.
double number_in_bins(const TableColumn& about, const float* encoded, const float* uniform, bool beyond) {
  const std::int64_t bin = uniform ? certain(about, encoded) : -1;
  if (bin >= 0) return about.bins.draw(bin, static_cast<double>(*uniform), beyond);
  std::vector<double> shares(encoded, encoded + about.value_width());
  for (double& share : shares) share = std::max(share, 0.0);
  return about.bins.quantile(shares, 0.5);
}

// Within the range of the training rows unless `beyond`, and on the grid of their values.
double within_range(const TableColumn& about, double value, bool beyond) {
  if (!(about.low < about.high)) return value;
  const auto bounded = [&](double x) { return beyond ? x : std::clamp(x, about.low, about.high); };
  value = bounded(value);
  if (!(about.step > 0)) return value;
  return bounded(about.low + std::round((value - about.low) / about.step) * about.step);
}

double decoded(const TableColumn& about, const float* encoded, const float* uniform, bool beyond) {
  if (about.kind == TableColumnKind::constant) return 0;
  if (about.marks_missing && encoded[about.value_width()] >= 0.5F) return missing;
  if (std::isnan(encoded[0])) return missing;
  if (!about.bins.empty()) return number_in_bins(about, encoded, uniform, beyond);
  if (about.kind == TableColumnKind::binary) return encoded[0] >= 0.5F ? 1 : 0;
  if (about.kind == TableColumnKind::categorical)
    return static_cast<double>(std::max_element(encoded, encoded + about.value_width()) - encoded);
  const bool count = about.kind == TableColumnKind::count;
  const double value = count ? std::max(0.0, std::round(static_cast<double>(encoded[0])))
                             : about.mean + about.deviation * static_cast<double>(encoded[0]);
  return within_range(about, value, beyond);
}

// As exact as the training cells were, but not more than six digits of what tells rows apart.
std::string real_text(const TableColumn& about, double value) {
  constexpr int digits = 6;
  const int useful = digits - 1 - static_cast<int>(std::floor(std::log10(about.deviation)));
  return about.format.write(value, std::min(about.decimals, std::max(useful, 0)), about.least_decimals);
}

// In quotes where the training file has them, and where it would not read back without them: a category may
// be called NA.
std::string cell_text(const TableColumn& about, const std::string& text, char separator) {
  const std::string special = std::string("\"\r\n") + separator;
  const bool plain = !about.quoted && trimmed_cell(text) == text &&
                     text.find_first_of(special) == text.npos && !is_missing_cell(text);
  if (plain) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  return out + '"';
}

// Ends the line that began at this place; a single empty cell would look like an empty line.
void end_row(std::string& out, std::size_t begin, std::size_t columns, std::string_view end = "\n") {
  if (columns == 1 && out.size() == begin) out += "\"\"";
  out += end;
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
    if (!schema.columns[i].written()) continue;
    if (columns[i] >= 0) all[static_cast<std::size_t>(columns[i])] = {value, &schema.columns[i]};
    ++value;
  }
  return all;
}

}  // namespace

Array table_values(const TableSchema& schema, const Array& encoded, const Array* uniform, bool beyond) {
  if (encoded.columns() != schema.width())
    fail_data("table", fmt::format("expected {} columns, as the table has for a model, got {}",
                                   schema.width(), encoded.columns()));
  std::vector<const TableColumn*> written;
  for (const TableColumn& column : schema.columns)
    if (column.written()) written.push_back(&column);
  const auto columns = static_cast<std::int64_t>(written.size());
  Array values = make_array(DType::f64, {encoded.rows(), columns});
  const float* from = encoded.as<float>();
  double* to = values.as<double>();
  const float* drawn = uniform ? uniform->as<float>() : nullptr;
  for (std::int64_t row = 0; row < encoded.rows(); ++row)
    for (const TableColumn* column : written) {
      *to++ = decoded(*column, from, drawn, beyond);
      from += column->width();
      if (drawn && !column->bins.empty()) ++drawn;
    }
  return values;
}

Array table_file_numbers(const TableSchema& schema, const CsvCells& file,
                         const std::vector<std::int64_t>& columns, std::span<const std::int64_t> rows) {
  const auto width = static_cast<std::int64_t>(table_value_names(schema).size());
  Array numbers = make_array(DType::f64, {static_cast<std::int64_t>(rows.size()), width});
  std::fill_n(numbers.as<double>(), numbers.items(), missing);
  const std::vector<FileColumn> all = file_columns(schema, file, columns);
  for (std::size_t j = 0; j < all.size(); ++j) {
    if (all[j].value < 0 || !all[j].about->is_number()) continue;
    const ColumnCells cells(*all[j].about, file, static_cast<std::int64_t>(j));
    double* to = numbers.as<double>() + all[j].value;
    for (std::size_t r = 0; r < rows.size(); ++r, to += width)
      if (!cells.missing(rows[r])) *to = cells.number(rows[r]).value_or(missing);
  }
  return numbers;
}

std::vector<std::string> table_value_names(const TableSchema& schema) {
  std::vector<std::string> names;
  for (const TableColumn& column : schema.columns)
    if (column.written()) names.push_back(column.name);
  return names;
}

namespace {

// Without quotes, in which it would be a value.
std::string gap_text(const TableColumn& about, char separator) {
  const bool plain = about.gap.find_first_of("\"\r\n") == std::string::npos &&
                     about.gap.find(separator) == std::string::npos;
  return plain ? about.gap : "";
}

}  // namespace

std::string table_cell(const TableColumn& about, double value, char separator) {
  if (about.kind == TableColumnKind::constant)
    return about.values.empty() ? "" : cell_text(about, about.values[0], separator);
  if (std::isnan(value)) return gap_text(about, separator);
  if (about.kind == TableColumnKind::count) return cell_text(about, about.format.write(value, 0), separator);
  if (about.kind == TableColumnKind::real) return cell_text(about, real_text(about, value), separator);
  const double last = static_cast<double>(about.values.size()) - 1;
  return cell_text(about, about.values[static_cast<std::size_t>(std::clamp(value, 0.0, last))], separator);
}

std::string table_csv_header(const std::vector<std::string>& names, char separator) {
  const bool found = separator == ',' || separator == ';' || separator == '\t';
  std::string out = found ? "" : std::string("sep=") + separator + '\n';
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += separator;
    const std::string name = quoted_name(names[i]);
    out += name.find(separator) == name.npos || name.starts_with('"') ? name : '"' + name + '"';
  }
  return out + '\n';
}

std::string completed_csv_header(const CsvCells& file) {
  std::string out(file.head());
  if (file.header > 0) out += file.line_end(-1);
  return out;
}

std::string table_csv_rows(const TableSchema& schema, const Array& values) {
  std::string out;
  const double* value = values.as<double>();
  const auto columns = static_cast<std::size_t>(values.columns());
  for (std::int64_t row = 0; row < values.rows(); ++row) {
    const std::size_t begin = out.size();
    bool first = true;
    for (const TableColumn& column : schema.columns) {
      if (!column.written()) continue;
      if (!first) out += schema.separator;
      out += table_cell(column, *value++, schema.separator);
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
  std::vector<std::optional<ColumnCells>> cells(about.size());
  for (std::size_t j = 0; j < about.size(); ++j)
    if (about[j].about) cells[j].emplace(*about[j].about, file, static_cast<std::int64_t>(j));
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double* line = values.as<double>() + static_cast<std::int64_t>(i) * values.columns();
    const std::size_t begin = out.size();
    for (std::size_t j = 0; j < about.size(); ++j) {
      const TableColumn* column = about[j].about;
      const bool fixed = column && column->kind == TableColumnKind::constant && !column->values.empty() &&
                         cells[j]->missing(rows[i]);
      const double value = column && column->modelled() ? line[about[j].value] : missing;
      // Cells that the model could not read stay.
      const bool filled =
          fixed || (!std::isnan(value) && (cells[j]->missing(rows[i]) || cells[j]->fits(rows[i])));
      if (j > 0) out += file.separator;
      if (filled)
        out += table_cell(*column, value, file.separator);
      else
        out += file.raw(rows[i], static_cast<std::int64_t>(j));
    }
    end_row(out, begin, about.size(), file.line_end(rows[i]));
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
  return table_csv_header(table_value_names(schema), schema.separator) + table_csv_rows(schema, values);
}

std::string complete_table_csv(const TableSchema& schema, const CsvCells& file,
                               const std::vector<std::int64_t>& columns,
                               const std::vector<std::int64_t>& rows, const Array& values) {
  return completed_csv_header(file) + completed_csv_rows(schema, file, columns, rows, values);
}

std::string spread_table_csv(const TableSchema& schema, const CsvCells& file,
                             const std::vector<std::int64_t>& columns, const Array& values) {
  return table_csv_header(file.names) + spread_csv_rows(schema, file, columns, values);
}

}  // namespace deepgen
