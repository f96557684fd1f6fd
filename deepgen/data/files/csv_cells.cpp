#include "deepgen/data/files/csv_cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_scanner.h"

namespace deepgen {
namespace {

// Whether cells below the first row are numbers only, and there is at least one.
bool numbers_below(const CsvCells& file, std::int64_t column) {
  bool any = false;
  for (std::int64_t row = 1; row < file.rows(); ++row) {
    const auto value = cell_number(file.cell(row, column));
    if (!value) return false;
    any = any || !std::isnan(*value);
  }
  return any;
}

bool holds_all(const std::vector<std::string>& names, const std::vector<std::string>& known) {
  return std::all_of(known.begin(), known.end(), [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

// `file` still counts its first row as a case.
bool begins_with_header(const CsvCells& file, const std::vector<std::string>& first,
                        const std::vector<std::string>& known) {
  if (!known.empty() && holds_all(first, known)) return true;
  bool numbers = false, texts = false, above_numbers = false;
  for (std::int64_t column = 0; column < file.columns; ++column) {
    const auto value = cell_number(file.cell(0, column));
    numbers = numbers || (value && !std::isnan(*value));
    texts = texts || !value;
    above_numbers = above_numbers || (!value && numbers_below(file, column));
  }
  return texts && (!numbers || above_numbers || file.rows() == 1);
}

void check_utf8(const std::string& path, std::string_view text) {
  const std::size_t end = utf8_end(text);
  if (end == text.size()) return;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
  fail_data(path, fmt::format("line {}: expected text in UTF-8, got other bytes; convert the file", line));
}

// Bytes of the character that begins here; 0 when it is none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf5   ? 0U
                           : first >= 0xf0 ? 4U
                           : first >= 0xe0 ? 3U
                           : first >= 0xc2 ? 2U
                                           : 0U;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  // Longer than needed, halves of UTF-16 pairs, and above U+10FFFF.
  const bool wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
                     (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
  return wrong ? 0 : size;
}

}  // namespace

std::size_t utf8_end(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t size = character_size(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return at;
}

std::string_view CsvCells::cell(std::int64_t row, std::int64_t column) const {
  const auto index = static_cast<std::size_t>((row + header) * columns + column);
  const std::size_t begin = index == 0 ? 0 : ends[index - 1];
  return std::string_view(text).substr(begin, ends[index] - begin);
}

CsvCells parse_csv_cells(const std::string& path, std::string_view text, Header header,
                         const std::vector<std::string>& known) {
  CsvScanner scanner(path, text);  // first: it tells UTF-16
  check_utf8(path, text);
  CsvCells file;
  const CsvScanner::OnCell keep = [&](std::int64_t, std::string_view cell, std::int64_t) {
    file.text += cell;
    file.ends.push_back(file.text.size());
  };
  for (std::int64_t line = scanner.line(); scanner.next_row(keep); line = scanner.line())
    file.starts.push_back(line);
  file.columns = scanner.columns();
  std::vector<std::string> first;
  for (std::int64_t column = 0; column < file.columns; ++column)
    first.emplace_back(trimmed_cell(file.cell(0, column)));
  if (header == Header::yes || (header == Header::automatic && begins_with_header(file, first, known))) {
    file.names = std::move(first);
    file.header = 1;
  } else {
    for (std::int64_t column = 0; column < file.columns; ++column)
      file.names.push_back(fmt::format("v{}", column));
  }
  return file;
}

}  // namespace deepgen
