#include "deepgen/data/files/csv_scanner.h"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

std::string_view trimmed_cell(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_missing_cell(std::string_view text) {
  text = trimmed_cell(text);
  if (text.size() > 3) return false;
  if (!text.empty() && text[0] != 'n' && text[0] != 'N' && text[0] != '?') return false;
  char lower[4] = {};
  for (std::size_t i = 0; i < text.size(); ++i)
    lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
  const std::string_view word(lower, text.size());
  return word.empty() || word == "na" || word == "nan" || word == "n/a" || word == "?";
}

bool is_missing_number(std::string_view text) {
  text = trimmed_cell(text);
  constexpr std::string_view words[] = {"null", "none", "nil",     "#n/a", "#na",    "<na>", "n.a.",
                                        "-",    "--",   "missing", ".",    "#null!", "#nan", "-nan"};
  if (text.empty() || text.size() > 7 || (text[0] >= '0' && text[0] <= '9')) return false;
  char lower[8] = {};
  for (std::size_t i = 0; i < text.size(); ++i)
    lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
  return std::find(std::begin(words), std::end(words), std::string_view(lower, text.size())) !=
         std::end(words);
}

std::optional<double> cell_number(std::string_view text) {
  text = trimmed_cell(text);
  if (is_missing_cell(text)) return std::numeric_limits<double>::quiet_NaN();
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
  if (std::isinf(value) && text.find_first_of("0123456789") != text.npos) return std::nullopt;
  return value;
}

std::string quoted_cell(std::string_view text) {
  if (trimmed_cell(text) == text && text.find_first_of(",;\t\"\r\n") == text.npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  return out + '"';
}

CsvScanner::CsvScanner(const std::string& path, std::string_view text, char separator)
    : path_(path), text_(text) {
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff"))
    fail_data(path_, "expected a CSV file in UTF-8, got UTF-16; convert it");
  while (!text_.empty() && (text_.back() == '\n' || text_.back() == '\r')) text_.remove_suffix(1);
  if (text_.empty()) fail_data(path_, "expected at least one row, got an empty file");
  take_separator_line();
  if (separator != 0) separator_ = separator;
  if (separator_ == 0) separator_ = find_separator();
  for (const char end : {separator_, '\n', '\r'}) ends_cell_[static_cast<unsigned char>(end)] = true;
  before_ = static_cast<std::size_t>(text_.data() - text.data());
}

// Spreadsheets write sep=; in front of the first row.
void CsvScanner::take_separator_line() {
  constexpr std::string_view begin = "sep=";
  if (!text_.starts_with(begin) || text_.size() < begin.size() + 2) return;
  const char separator = text_[begin.size()];
  std::string_view rest = text_.substr(begin.size() + 1);
  if (separator == '\r' || separator == '\n' || separator == '"') return;
  const std::size_t end = rest.starts_with("\r\n") ? 2 : rest[0] == '\n' || rest[0] == '\r' ? 1 : 0;
  if (end == 0 || end == rest.size()) return;
  separator_ = separator;
  text_ = rest.substr(end);
  ++line_;
}

void CsvScanner::fail_length(std::int64_t line, std::int64_t cells) const {
  fail(line, cells,
       cells > columns_ ? fmt::format("expected {} cells, got more", columns_)
                        : fmt::format("expected {} cells, got {}", columns_, cells));
}

void CsvScanner::fail(std::int64_t line, std::int64_t column, const std::string& what) const {
  const auto index = static_cast<std::size_t>(column - 1);
  const std::string name = index < names_.size() ? fmt::format(" ({})", shown(names_[index])) : "";
  fail_data(path_, fmt::format("line {}, column {}{}: {}", line, column, name, what));
}

char CsvScanner::find_separator() const {
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

void CsvScanner::end_line() {
  const bool both = text_.substr(std::min(at_, text_.size())).starts_with("\r\n");
  at_ += both ? 2 : 1;  // past the end of the text after its last line
  ++line_;
}

// The next cell, without its quotes; valid until the next call. `at_` is left on the separator or line end.
std::string_view CsvScanner::cell(std::int64_t column) {
  escaped_ = false;
  if (at_ < text_.size() && text_[at_] == '"') return quoted(column);
  const std::size_t begin = at_;
  std::size_t end = begin;
  while (end < text_.size() && !ends_cell_[static_cast<unsigned char>(text_[end])]) ++end;
  at_ = end;
  return text_.substr(begin, end - begin);
}

std::string_view CsvScanner::quoted(std::int64_t column) {
  const std::int64_t line = line_;
  const std::size_t begin = at_ + 1;
  unquoted_.clear();
  std::size_t copied = begin;  // what stands before is in unquoted_, where a quote was doubled
  for (++at_;; ++at_) {
    if (at_ >= text_.size()) fail(line, column, "expected a closing quote, got the end of the file");
    if (text_[at_] == '"') {
      ++at_;
      if (at_ >= text_.size() || text_[at_] != '"') break;
      unquoted_ += text_.substr(copied, at_ - copied);
      copied = at_ + 1;
      escaped_ = true;
      continue;
    }
    const bool carriage = text_[at_] == '\r' && !text_.substr(at_).starts_with("\r\n");
    if (text_[at_] == '\n' || carriage) ++line_;
  }
  const std::size_t end = at_ - 1;
  if (!at_line_end() && text_[at_] != separator_)
    fail(line, column,
         fmt::format("expected a separator after the closing quote, got {}", shown(text_.substr(at_, 1))));
  if (!escaped_) return text_.substr(begin, end - begin);
  unquoted_ += text_.substr(copied, end - copied);
  return unquoted_;
}

}  // namespace deepgen
