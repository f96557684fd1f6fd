#include "deepgen/data/files/csv_cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_scanner.h"

namespace deepgen {
namespace {

constexpr std::int64_t rows_to_look_at = 1000;  // below what may be a header

// Whether cells below the first row are numbers only, and there is at least one.
bool numbers_below(const CsvCells& file, std::int64_t column) {
  bool any = false;
  for (std::int64_t row = 1; row < std::min(file.rows(), rows_to_look_at); ++row) {
    const auto value = cell_number(file.cell(row, column));
    if (!value) return false;
    any = any || !std::isnan(*value);
  }
  return any;
}

// Whether the texts below the first row are categories of which it has none: each twice or more on average.
bool unlike_categories_below(const CsvCells& file, std::int64_t column) {
  std::set<std::string_view> seen;
  const std::int64_t rows = std::min(file.rows(), rows_to_look_at);
  for (std::int64_t row = 1; row < rows; ++row) seen.insert(trimmed_cell(file.cell(row, column)));
  return 2 * static_cast<std::int64_t>(seen.size()) < rows &&
         !seen.contains(trimmed_cell(file.cell(0, column)));
}

// Whether the whole number above lies outside of all numbers below.
bool unlike_numbers_below(const CsvCells& file, std::int64_t column) {
  const double above = *cell_number(file.cell(0, column));
  bool below = false, beyond = false;
  for (std::int64_t row = 1; row < std::min(file.rows(), rows_to_look_at); ++row) {
    const double value = cell_number(file.cell(row, column)).value_or(above);
    below = below || value <= above, beyond = beyond || value >= above;
  }
  return above == std::floor(above) && below != beyond;
}

// Texts and whole numbers, none like what stands below: years above numbers.
bool unlike_all_below(const CsvCells& file) {
  for (std::int64_t column = 0; column < file.columns; ++column) {
    const auto value = cell_number(file.cell(0, column));
    if (value && std::isnan(*value)) return false;
    if (value ? !unlike_numbers_below(file, column) : !unlike_categories_below(file, column)) return false;
  }
  return true;
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
  return texts && (!numbers || above_numbers || file.rows() == 1 || unlike_all_below(file));
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

// Where each cell is, to the end of the file.
void read_cells(CsvCells& file, const std::string& path, CsvScanner& scanner) {
  file.ends.reserve(file.text.size() / 8);
  std::size_t begin = scanner.offset(), longest = 0;
  const auto keep = [&](std::int64_t, std::string_view cell, std::int64_t) {
    if (scanner.escaped()) file.escaped.emplace(file.ends.size(), cell);
    const std::size_t end = scanner.offset() - begin;
    longest = std::max(longest, end);
    file.ends.push_back(static_cast<std::uint32_t>(end));
  };
  for (std::int64_t line = scanner.line(); scanner.next_row(keep); line = scanner.line()) {
    file.starts.push_back(line), file.begins.push_back(begin);
    begin = scanner.offset();
    if (longest > std::numeric_limits<std::uint32_t>::max())
      fail_data(path, fmt::format("line {}: expected a row of less than 4 GiB, got more", line));
  }
  file.columns = scanner.columns();
}

}  // namespace

std::size_t utf8_end(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    std::uint64_t eight;
    if (at + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & high_bits) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t size = character_size(text.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return at;
}

std::string_view CsvCells::raw(std::int64_t row, std::int64_t column) const {
  const std::size_t at = index(row, column);
  const std::size_t begin = column == 0 ? 0 : ends[at - 1] + std::size_t{1};
  return {text.data() + begins[static_cast<std::size_t>(row + header)] + begin, ends[at] - begin};
}

std::string_view CsvCells::cell(std::int64_t row, std::int64_t column) const {
  const std::string_view whole = raw(row, column);
  if (whole.empty() || whole[0] != '"') return whole;
  if (!escaped.empty())
    if (const auto found = escaped.find(index(row, column)); found != escaped.end()) return found->second;
  return whole.substr(1, whole.size() - 2);
}

std::string_view CsvCells::head() const {
  const std::size_t first_row = header == 0 ? 0 : ends[static_cast<std::size_t>(columns - 1)];
  return std::string_view(text).substr(0, begins[0] + first_row);
}

std::string_view CsvCells::line_end(std::int64_t row) const {
  for (const std::int64_t each : {row, -header}) {
    const std::size_t begin = begins[static_cast<std::size_t>(each + header)];
    const std::string_view rest = std::string_view(text).substr(begin + ends[index(each, columns - 1)]);
    if (rest.starts_with("\r\n")) return rest.substr(0, 2);
    if (!rest.empty()) return rest.substr(0, 1);
  }
  return "\n";
}

CsvCells parse_csv_cells(const std::string& path, std::string_view text, Header header,
                         const std::vector<std::string>& known, const CellHints& hints) {
  CsvScanner scanner(path, text, hints.separator);  // first: it tells UTF-16
  check_utf8(path, text);
  CsvCells file;
  file.text = text;
  file.separator = scanner.separator();
  file.hints = hints;
  read_cells(file, path, scanner);
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
  file.distinct = find_distinct_cells(file.rows(), file.columns, [&](std::int64_t row, std::int64_t column) {
    return file.raw(row, column);
  });
  return file;
}

}  // namespace deepgen
