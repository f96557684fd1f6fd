#include "deepgen/data/files/csv.h"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_missing(std::string_view text) {
  std::string lower(text.substr(0, 4));
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text.empty() || (text.size() <= 3 && (lower == "na" || lower == "nan" || lower == "n/a"));
}

// NaN for a missing cell; nothing for what is no number or too large for a double.
std::optional<double> number(std::string_view text) {
  text = trimmed(text);
  if (is_missing(text)) return missing;
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
  if (std::isinf(value) && text.find_first_of("0123456789") != text.npos) return std::nullopt;
  return value;
}

class Parser {
 public:
  Parser(const std::string& path, std::string_view text) : path_(path), text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff"))
      fail_data(path_, "expected a CSV file in UTF-8, got UTF-16; convert it");
    while (!text_.empty() && (text_.back() == '\n' || text_.back() == '\r')) text_.remove_suffix(1);
    if (text_.empty()) fail_data(path_, "expected at least one row, got an empty file");
    separator_ = find_separator();
  }

  Csv read() {
    first_row();
    while (at_ < text_.size()) next_row();
    Csv csv;
    csv.names = std::move(names_);
    csv.values = make_array(DType::f64, {rows_, columns_});
    if (!values_.empty()) std::memcpy(csv.values.bytes.data(), values_.data(), csv.values.bytes.size());
    return csv;
  }

 private:
  [[noreturn]] void fail(std::int64_t line, std::int64_t column, const std::string& what) const {
    const auto index = static_cast<std::size_t>(column - 1);
    const std::string name = index < names_.size() ? fmt::format(" ({})", shown(names_[index])) : "";
    fail_data(path_, fmt::format("line {}, column {}{}: {}", line, column, name, what));
  }

  char find_separator() const {
    bool within = false;  // quotes
    bool opens = true;    // a quote here: at the beginning of a cell, or the second of two
    bool semicolon = false;
    for (const char c : text_) {
      const bool toggles = c == '"' && (within || opens);
      within = within != toggles;
      opens = toggles || c == ',' || c == ';' || c == '\t';
      if (within) continue;
      if (c == '\n' || c == '\r') break;
      if (c == '\t') return '\t';
      semicolon = semicolon || c == ';';
    }
    return semicolon ? ';' : ',';
  }

  bool at_line_end() const { return at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }

  void end_line() {
    const bool both = text_.substr(std::min(at_, text_.size())).starts_with("\r\n");
    at_ += both ? 2 : 1;  // past the end of the text after its last line
    ++line_;
  }

  // The next cell, without its quotes; valid until the next call. `at_` is left on the separator or line end.
  std::string_view cell(std::int64_t column) {
    if (at_ < text_.size() && text_[at_] == '"') return quoted_cell(column);
    const std::size_t begin = at_;
    while (!at_line_end() && text_[at_] != separator_) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::string_view quoted_cell(std::int64_t column) {
    const std::int64_t line = line_;
    unquoted_.clear();
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) fail(line, column, "expected a closing quote, got the end of the file");
      if (text_[at_] == '"') {
        ++at_;
        if (at_ >= text_.size() || text_[at_] != '"') break;
      }
      const bool carriage = text_[at_] == '\r' && !text_.substr(at_).starts_with("\r\n");
      if (text_[at_] == '\n' || carriage) ++line_;
      unquoted_ += text_[at_];
    }
    if (!at_line_end() && text_[at_] != separator_)
      fail(line, column,
           fmt::format("expected a separator after the closing quote, got {}", shown(text_.substr(at_, 1))));
    return unquoted_;
  }

  void first_row() {
    std::vector<std::string> cells;
    bool header = false;
    for (;; ++at_) {
      cells.emplace_back(cell(columns_ + 1));
      ++columns_;
      header = header || !number(cells.back());
      if (at_line_end()) break;
    }
    end_line();
    if (header) {
      for (std::string& text : cells) text = trimmed(text);
      names_ = std::move(cells);
      return;
    }
    for (const std::string& text : cells) values_.push_back(*number(text));
    rows_ = 1;
  }

  void next_row() {
    const std::int64_t line = line_;
    std::int64_t column = 0;
    for (;; ++at_) {
      const std::int64_t cell_line = line_;
      const std::string_view text = cell(++column);
      if (column > columns_) fail(line, column, fmt::format("expected {} cells, got more", columns_));
      const auto value = number(text);
      if (!value) fail(cell_line, column, fmt::format("expected a number, got {}", shown(text)));
      values_.push_back(*value);
      if (at_line_end()) break;
    }
    if (column < columns_) fail(line, column, fmt::format("expected {} cells, got {}", columns_, column));
    end_line();
    ++rows_;
  }

  const std::string& path_;
  std::string_view text_;
  char separator_ = ',';
  std::size_t at_ = 0;
  std::int64_t line_ = 1, rows_ = 0, columns_ = 0;
  std::string unquoted_;
  std::vector<std::string> names_;
  std::vector<double> values_;
};

std::string quoted_name(const std::string& name) {
  // A first byte above ASCII might be taken for a byte-order mark.
  const bool plain = !name.empty() && static_cast<unsigned char>(name[0]) < 0x80 && trimmed(name) == name;
  if (plain && name.find_first_of(",;\t\"\r\n") == name.npos) return name;
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

// Appends columns of T, the shortest text that reads back to the same value.
template <class T>
void append_rows(std::string& out, const Array& values) {
  const std::int64_t columns = values.columns();
  char text[64];
  for (std::int64_t row = 0; row < values.rows(); ++row) {
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

void append_values(std::string& out, const Array& values) {
  switch (values.type) {
    case DType::u8:
      return append_rows<std::uint8_t>(out, values);
    case DType::i8:
      return append_rows<std::int8_t>(out, values);
    case DType::u16:
      return append_rows<std::uint16_t>(out, values);
    case DType::i16:
      return append_rows<std::int16_t>(out, values);
    case DType::i32:
      return append_rows<std::int32_t>(out, values);
    case DType::i64:
      return append_rows<std::int64_t>(out, values);
    case DType::f32:
      return append_rows<float>(out, values);
    case DType::f64:
      return append_rows<double>(out, values);
  }
}

void append_names(std::string& out, const std::vector<std::string>& names, std::int64_t columns) {
  if (static_cast<std::int64_t>(names.size()) != columns)
    fail_usage("csv", fmt::format("expected {} column names, got {}", columns, names.size()));
  if (std::all_of(names.begin(), names.end(),
                  [](const std::string& name) { return number(name).has_value(); }))
    fail_usage("csv", "expected a column name that is no number, got only numbers; they read back as a row");
  for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? "," : "") + quoted_name(names[i]);
  out += '\n';
}

}  // namespace

Csv parse_csv(const std::string& path, std::string_view text) { return Parser(path, text).read(); }

Csv read_csv(const std::string& path) {
  const Bytes bytes = read_file_bytes(path);
  return parse_csv(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string encode_csv(const std::vector<std::string>& names, const Array& values) {
  std::string out;
  if (!names.empty()) append_names(out, names, values.columns());
  append_values(out, values);
  return out;
}

void write_csv(const std::string& path, const std::vector<std::string>& names, const Array& values) {
  const std::string text = encode_csv(names, values);
  write_file(path, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace deepgen
