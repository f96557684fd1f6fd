#include "deepgen/data/files/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv_scanner.h"

namespace deepgen {

std::string quoted_name(const std::string& name) {
  // These first bytes might be taken for a byte-order mark, and nothing at all for an empty line.
  const bool plain = !name.empty() && std::string_view("\xef\xfe\xff").find(name[0]) == std::string::npos;
  const std::string cell = quoted_cell(name);
  return plain || cell.starts_with('"') ? cell : '"' + cell + '"';
}

namespace {

// The first row is a header when one of its cells is neither a number nor missing. Where a cell below it is
// text: a data error naming line and column, or nothing when `refuse` is not set.
std::optional<Csv> read_numbers(const std::string& path, std::string_view text, bool refuse) {
  CsvScanner scanner(path, text);
  std::vector<std::string> first;
  scanner.next_row([&](std::int64_t, std::string_view cell, std::int64_t) { first.emplace_back(cell); });
  Csv csv;
  Bytes values;  // of doubles: they become the array as they are
  const auto add = [&](double value) {
    const std::size_t at = values.size();
    values.resize(at + sizeof value);
    std::memcpy(values.data() + at, &value, sizeof value);
  };
  std::int64_t rows = 0;
  if (std::all_of(first.begin(), first.end(),
                  [](const std::string& c) { return cell_number(c).has_value(); })) {
    for (const std::string& cell : first) add(*cell_number(cell));
    rows = 1;
  } else {
    for (const std::string& cell : first) csv.names.emplace_back(trimmed_cell(cell));
    scanner.name_columns(csv.names);
  }
  bool numeric = true;
  const auto keep = [&](std::int64_t column, std::string_view cell, std::int64_t line) {
    const auto value = cell_number(cell);
    if (!value && refuse)
      scanner.fail(line, column + 1, fmt::format("expected a number, got {}", shown(cell)));
    numeric = numeric && value.has_value();
    add(value.value_or(0));
  };
  while (scanner.next_row(keep)) {
    ++rows;
    if (!numeric) return std::nullopt;
  }
  csv.values = {DType::f64, {rows, scanner.columns()}, std::move(values)};
  return csv;
}

// Appends rows of T, the shortest text that reads back to the same value.
template <class T>
void append_rows(std::string& out, const Array& values, std::int64_t begin, std::int64_t end) {
  const std::int64_t columns = values.columns();
  char text[64];
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const T value = values.as<T>()[row * columns + column];
      if (column > 0) out += ',';
      if (value != value) {  // NaN; in a single column an empty line would not be seen as a cell
        if (columns == 1) out += "\"\"";
        continue;
      }
      out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
    }
    out += '\n';
  }
}

void append_values(std::string& out, const Array& values, std::int64_t begin, std::int64_t end) {
  switch (values.type) {
    case DType::u8:
      return append_rows<std::uint8_t>(out, values, begin, end);
    case DType::i8:
      return append_rows<std::int8_t>(out, values, begin, end);
    case DType::u16:
      return append_rows<std::uint16_t>(out, values, begin, end);
    case DType::i16:
      return append_rows<std::int16_t>(out, values, begin, end);
    case DType::i32:
      return append_rows<std::int32_t>(out, values, begin, end);
    case DType::i64:
      return append_rows<std::int64_t>(out, values, begin, end);
    case DType::f32:
      return append_rows<float>(out, values, begin, end);
    case DType::f64:
      return append_rows<double>(out, values, begin, end);
  }
}

void append_names(std::string& out, const std::vector<std::string>& names, std::int64_t columns) {
  if (static_cast<std::int64_t>(names.size()) != columns)
    fail_usage("csv", fmt::format("expected {} column names, got {}", columns, names.size()));
  if (std::all_of(names.begin(), names.end(),
                  [](const std::string& name) { return cell_number(name).has_value(); }))
    fail_usage("csv", "expected a column name that is no number, got only numbers; they read back as a row");
  for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? "," : "") + quoted_name(names[i]);
  out += '\n';
}

}  // namespace

Csv parse_csv(const std::string& path, std::string_view text) { return *read_numbers(path, text, true); }

std::optional<Csv> parse_csv_numbers(const std::string& path, std::string_view text) {
  return read_numbers(path, text, false);
}

Csv read_csv(const std::string& path) {
  const Bytes bytes = read_file_bytes(path);
  return parse_csv(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string encode_csv(const std::vector<std::string>& names, const Array& values) {
  std::string out;
  if (!names.empty()) append_names(out, names, values.columns());
  append_values(out, values, 0, values.rows());
  return out;
}

void write_csv(const std::string& path, const std::vector<std::string>& names, const Array& values) {
  CsvWriter file(path, names);
  file.append(values);
  file.close();
}

void CsvWriter::append(const Array& rows) {
  constexpr std::int64_t cells = 1 << 16;  // whose text is made at a time
  const std::int64_t step = std::max<std::int64_t>(1, cells / std::max<std::int64_t>(rows.columns(), 1));
  std::string text;
  if (!began_ && !names_.empty()) append_names(text, names_, rows.columns());
  began_ = true;
  for (std::int64_t row = 0; row < rows.rows(); row += step) {
    append_values(text, rows, row, std::min(row + step, rows.rows()));
    file_.append(text);
    text.clear();
  }
  file_.append(text);
}

}  // namespace deepgen
