// How the cells of a column spell numbers and dates: read by it, and written back in the same form.
//
//   decimal point or comma, separators of thousands     1,234.5   1.234,5   1 234
//   a currency or % before or behind                    $5.10   5,10 €   12%
//   dates and times                                     2024-01-31   31.01.2024 12:30   20240131
//
// A date is the number of days since 1970-01-01, one with a time the number of seconds. The forms are written
// as in strftime: %Y %m %d %H %M %S of 4 and 2 digits, %-d and %-m without zeros in front.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deepgen {

struct CellFormat {
  char decimal = '.';
  std::string thousands;       // between groups of three digits; "": nothing
  std::string prefix, suffix;  // "$", " €", "%"
  std::string date;            // the form; "": numbers

  bool operator==(const CellFormat&) const = default;
  bool plain() const {  // as cell_number reads
    return decimal == '.' && thousands.empty() && prefix.empty() && suffix.empty() && date.empty();
  }
  bool is_date() const { return !date.empty(); }
  bool has_time() const { return date.find("%H") != std::string::npos; }

  // Nothing for what is spelled otherwise. The text has no blanks at its ends and is not missing.
  std::optional<double> parse(std::string_view text) const;
  int decimals_of(std::string_view text) const;  // places after the point: 2 for "1.50", 4 for "1.5e-3"
  // `least`: zeros behind so many places are left out; -1: none are.
  std::string write(double value, int decimals, int least = -1) const;
  std::string description() const;  // "decimal comma", "dates as %Y-%m-%d"; "" when plain

  nlohmann::ordered_json to_json() const;
  // Throws a data error naming `what` for anything but what to_json writes.
  static CellFormat from_json(const nlohmann::ordered_json& json, const std::string& what);
};

// What is known beforehand of a column's spelling.
struct FormatHints {
  char decimal = 0;     // '.' or ','; 0: to be found
  bool commas = false;  // 1,234 is rather 1.234 than 1234: cells are not separated by commas
  bool numbers = true;  // whether numbers are sought, and dates
  bool dates = true;
  std::string date_order;  // "dmy", "mdy", "ymd" or "": to be found
};

struct FoundFormat {
  CellFormat format;
  bool ambiguous = false;  // dates that are possible with the day first and with the month first
};

// The one form that fits all of the cells (without blanks at their ends, none missing, at least one).
std::optional<FoundFormat> recognise_format(std::span<const std::string_view> cells,
                                            const FormatHints& hints);

// Whether all are dates as 20240131, of the years 1800 to 2199.
bool are_compact_dates(std::span<const double> numbers);

}  // namespace deepgen
