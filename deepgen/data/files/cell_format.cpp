#include "deepgen/data/files/cell_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/data/files/cell_dates.h"
#include "deepgen/data/files/csv_scanner.h"

namespace deepgen {
namespace {

constexpr const char* currencies[] = {"$",   "€",   "£",   "¥",   "₹",   "CHF", "USD", "EUR", "GBP",
                                      "JPY", "CNY", "INR", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD",
                                      "AUD", "NZD", "BRL", "MXN", "zł",  "Kč",  "kr",  "kr.", "R$",
                                      "US$", "A$",  "C$",  "Fr.", "₽", "₺",   "₩"};
constexpr const char* no_break = "\xc2\xa0";
constexpr const char* narrow_no_break = "\xe2\x80\xaf";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Without blanks of any kind at both ends.
std::string_view without_blanks(std::string_view text) {
  for (bool more = true; more;) {
    const std::string_view before = text;
    text = trimmed_cell(text);
    for (const std::string_view blank : {std::string_view(no_break), std::string_view(narrow_no_break)}) {
      if (text.starts_with(blank)) text.remove_prefix(blank.size());
      if (text.ends_with(blank)) text.remove_suffix(blank.size());
    }
    more = text.size() != before.size();
  }
  return text;
}

bool is_unit(std::string_view text) {
  text = without_blanks(text);
  return text.empty() || text == "%" ||
         std::find(std::begin(currencies), std::end(currencies), text) != std::end(currencies);
}

// The sign, if any, is taken from the text.
bool take_sign(std::string_view& text, std::string& sign) {
  if (!sign.empty() || text.empty() || (text[0] != '-' && text[0] != '+')) return false;
  sign = text[0] == '-' ? "-" : "+";
  text.remove_prefix(1);
  return true;
}

// The whole part without its separators: groups of three digits after the first. False where they are not.
bool add_whole(std::string& out, std::string_view whole, const std::string& separator) {
  if (separator.empty() || whole.find(separator) == whole.npos) {
    out += whole;
    return true;
  }
  bool first = true;
  for (std::size_t start = 0; start <= whole.size(); first = false) {
    const std::size_t end = std::min(whole.find(separator, start), whole.size());
    const std::string_view group = whole.substr(start, end - start);
    if (group.empty() || !std::all_of(group.begin(), group.end(), is_digit)) return false;
    if (first ? group.size() > 3 || group[0] == '0' : group.size() != 3) return false;
    out += group;
    start = end + separator.size();
  }
  return true;
}

// The number as cell_number reads it; nothing for what is spelled otherwise.
std::optional<std::string> plain_number(const CellFormat& format, std::string_view text) {
  std::string number;
  take_sign(text, number);
  if (!text.starts_with(format.prefix)) return std::nullopt;
  text.remove_prefix(format.prefix.size());
  take_sign(text, number);
  if (!text.ends_with(format.suffix)) return std::nullopt;
  text.remove_suffix(format.suffix.size());
  if (text.empty() || (!is_digit(text[0]) && text[0] != format.decimal)) return std::nullopt;
  const std::size_t point = std::min(text.find(format.decimal), text.size());
  const std::string_view rest = text.substr(std::min(point + 1, text.size()));
  if (format.decimal != '.' && text.find('.') != text.npos && format.thousands != ".") return std::nullopt;
  if (!format.thousands.empty() && rest.find(format.thousands) != rest.npos) return std::nullopt;
  if (!add_whole(number, text.substr(0, point), format.thousands)) return std::nullopt;
  if (point < text.size()) number += '.';
  return number + std::string(rest);
}

std::string with_separators(const std::string& whole, const std::string& separator) {
  std::string out;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (i > 0 && (whole.size() - i) % 3 == 0) out += separator;
    out += whole[i];
  }
  return out;
}

bool fits(const CellFormat& format, std::span<const std::string_view> cells) {
  return std::all_of(cells.begin(), cells.end(),
                     [&](std::string_view cell) { return format.parse(cell).has_value(); });
}

// What stands before and behind the number, as the first cell has it; nothing when it is no unit.
std::optional<CellFormat> units_of(std::string_view cell) {
  std::string sign;
  take_sign(cell, sign);
  const std::size_t first = cell.find_first_of("0123456789");
  const std::size_t last = cell.find_last_of("0123456789");
  if (first == cell.npos) return std::nullopt;
  CellFormat format;
  format.prefix = cell.substr(0, first), format.suffix = cell.substr(last + 1);
  for (const char end : {'-', '+', '.', ','})
    if (format.prefix.ends_with(end) && !is_unit(format.prefix)) format.prefix.pop_back();
  if (!is_unit(format.prefix) || !is_unit(format.suffix)) return std::nullopt;
  return format;
}

std::optional<FoundFormat> find_numbers(std::span<const std::string_view> cells, const FormatHints& hints) {
  struct Marks {
    char decimal;
    const char* thousands;
  };
  std::vector<Marks> marks = {{'.', ""}};
  if (hints.commas) marks.push_back({',', ""});
  marks.push_back({'.', ","});
  if (!hints.commas) marks.push_back({',', ""});
  for (const char* blank : {" ", "'", no_break, narrow_no_break})
    marks.push_back({'.', blank}), marks.push_back({',', blank});
  marks.push_back({',', "."});
  const std::optional<CellFormat> units = units_of(cells.front());
  if (!units) return std::nullopt;
  for (const Marks& each : marks) {
    if (hints.decimal != 0 && each.decimal != hints.decimal) continue;
    CellFormat format = *units;
    format.decimal = each.decimal, format.thousands = each.thousands;
    if (fits(format, cells)) return FoundFormat{format, false};
  }
  return std::nullopt;
}

std::optional<FoundFormat> find_dates(std::span<const std::string_view> cells, const FormatHints& hints) {
  std::optional<FoundFormat> found;
  for (const std::string& form : date_forms(hints.date_order)) {
    CellFormat format;
    format.date = form;
    if (found && !swaps_day_and_month(found->format.date, form)) continue;
    if (!fits(format, cells)) continue;
    if (found) {
      found->ambiguous = true;
      return found;
    }
    found = FoundFormat{format, false};
  }
  return found;
}

}  // namespace

std::optional<double> CellFormat::parse(std::string_view text) const {
  if (is_date()) return parse_date(date, text);
  if (plain()) {
    const auto value = cell_number(text);
    return value && std::isnan(*value) ? std::nullopt : value;
  }
  const std::optional<std::string> number = plain_number(*this, text);
  return number ? cell_number(*number) : std::nullopt;
}

int CellFormat::decimals_of(std::string_view text) const {
  if (is_date()) return 0;
  const auto e = std::find_if(text.begin(), text.end(), [](char c) { return c == 'e' || c == 'E'; });
  const bool has_exponent = prefix.empty() && suffix.empty() && e != text.end();
  const std::size_t exponent_at = has_exponent ? static_cast<std::size_t>(e - text.begin()) : text.npos;
  std::string_view mantissa = text.substr(0, exponent_at);
  if (mantissa.ends_with(suffix)) mantissa.remove_suffix(suffix.size());
  const std::size_t point = mantissa.rfind(decimal);
  int places = point == mantissa.npos ? 0 : static_cast<int>(mantissa.size() - point - 1);
  if (exponent_at != text.npos) {
    std::string_view digits = text.substr(exponent_at + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    int exponent = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    places -= std::clamp(exponent, -400, 400);
  }
  return std::max(places, 0);
}

std::string CellFormat::write(double value, int decimals, int least) const {
  if (is_date()) return write_date(date, value);
  constexpr int longest = 17, digits = 6;  // a double has 17 digits at most
  const bool wide = decimals > longest || std::abs(value) >= 1e17;
  std::string text = wide ? fmt::format("{:.{}g}", value, digits) : fmt::format("{:.{}f}", value, decimals);
  const bool zero = text.find_first_of("123456789") == text.npos;
  const bool negative = text.starts_with('-');
  if (negative) text.erase(0, 1);
  if (!wide) {
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string rest = text.substr(point);
    while (least >= 0 && rest.ends_with('0') && static_cast<int>(rest.size()) - 1 > least) rest.pop_back();
    if (rest == ".") rest.clear();
    if (!rest.empty()) rest[0] = decimal;
    text = with_separators(text.substr(0, point), thousands) + rest;
  }
  return (negative && !zero ? "-" : "") + prefix + text + suffix;
}

std::string CellFormat::description() const {
  if (is_date()) return fmt::format("{} as {}", has_time() ? "times" : "dates", date);
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (decimal == ',') add("decimal comma");
  if (!thousands.empty()) add(fmt::format("thousands between '{}'", thousands));
  if (!prefix.empty()) add(fmt::format("'{}' before", prefix));
  if (!suffix.empty()) add(fmt::format("'{}' behind", suffix));
  return text;
}

nlohmann::ordered_json CellFormat::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (decimal != '.') json["decimal"] = std::string(1, decimal);
  if (!thousands.empty()) json["thousands"] = thousands;
  if (!prefix.empty()) json["prefix"] = prefix;
  if (!suffix.empty()) json["suffix"] = suffix;
  if (!date.empty()) json["date"] = date;
  return json;
}

CellFormat CellFormat::from_json(const nlohmann::ordered_json& json, const std::string& what) {
  CellFormat format;
  const auto decimal = json.value("decimal", std::string("."));
  format.thousands = json.value("thousands", std::string());
  format.prefix = json.value("prefix", std::string()), format.suffix = json.value("suffix", std::string());
  format.date = json.value("date", std::string());
  const std::vector<std::string> forms = date_forms("");
  const bool known = format.date.empty() || std::find(forms.begin(), forms.end(), format.date) != forms.end();
  if ((decimal != "." && decimal != ",") || decimal == format.thousands || !known)
    fail_data(what, "the spelling of a column of the table is malformed");
  format.decimal = decimal[0];
  return format;
}

std::optional<FoundFormat> recognise_format(std::span<const std::string_view> cells,
                                            const FormatHints& hints) {
  std::optional<FoundFormat> found;
  if (hints.dates) found = find_dates(cells, hints);
  if (!found && hints.numbers) found = find_numbers(cells, hints);
  return found;
}

bool are_compact_dates(std::span<const double> numbers) {
  constexpr double first = 18000101, last = 21991231;
  for (const double number : numbers) {
    if (std::isnan(number)) continue;
    if (!(number >= first && number <= last) || number != std::floor(number)) return false;
    if (!parse_date("%Y%m%d", fmt::format("{:.0f}", number))) return false;
  }
  return true;
}

}  // namespace deepgen
