#include "deepgen/data/files/cell_dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace deepgen {
namespace {

constexpr double seconds_of_day = 86400;

struct Moment {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};

bool has_time(std::string_view form) { return form.find("%H") != form.npos; }

// A number of `least` to `most` digits at the beginning of the text, which it is taken from; -1: none.
int take_digits(std::string_view& text, std::size_t least, std::size_t most) {
  int number = 0;
  std::size_t digits = 0;
  while (digits < most && digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    number = 10 * number + (text[digits++] - '0');
  if (digits < least || (least == 1 && digits == 2 && text[0] == '0')) return -1;
  text.remove_prefix(digits);
  return number;
}

int* part_of(Moment& moment, char letter) {
  switch (letter) {
    case 'Y':
      return &moment.year;
    case 'm':
      return &moment.month;
    case 'd':
      return &moment.day;
    case 'H':
      return &moment.hour;
    case 'M':
      return &moment.minute;
    default:
      return &moment.second;
  }
}

std::optional<Moment> read_moment(std::string_view form, std::string_view text) {
  Moment moment;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '%') {
      if (!text.starts_with(form[i])) return std::nullopt;
      text.remove_prefix(1);
      continue;
    }
    const bool short_form = form[i + 1] == '-';
    i += short_form ? 2 : 1;
    const std::size_t digits = form[i] == 'Y' ? 4 : 2;
    const int number = take_digits(text, short_form ? 1 : digits, digits);
    if (number < 0) return std::nullopt;
    *part_of(moment, form[i]) = number;
  }
  if (!text.empty()) return std::nullopt;
  return moment;
}

}  // namespace

std::optional<double> parse_date(std::string_view form, std::string_view text) {
  const std::optional<Moment> moment = read_moment(form, text);
  if (!moment || moment->hour > 23 || moment->minute > 59 || moment->second > 59) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(moment->year),
                                         std::chrono::month(static_cast<unsigned>(moment->month)),
                                         std::chrono::day(static_cast<unsigned>(moment->day)));
  if (!date.ok()) return std::nullopt;
  const auto days = static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
  if (!has_time(form)) return days;
  return days * seconds_of_day + moment->hour * 3600 + moment->minute * 60 + moment->second;
}

std::string write_date(std::string_view form, double value) {
  constexpr double first_day = -719528, last_day = 2932896;  // 0000-01-01, 9999-12-31
  const double unit = has_time(form) ? seconds_of_day : 1;
  const double whole = std::clamp(std::round(value), first_day * unit, (last_day + 1) * unit - 1);
  const double day = std::floor(whole / unit);
  const int seconds = has_time(form) ? static_cast<int>(whole - day * unit) : 0;
  const std::chrono::year_month_day date(
      std::chrono::sys_days(std::chrono::days(static_cast<std::int64_t>(day))));
  Moment moment{static_cast<int>(date.year()),
                static_cast<int>(static_cast<unsigned>(date.month())),
                static_cast<int>(static_cast<unsigned>(date.day())),
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60};
  std::string text;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '%') {
      text += form[i];
      continue;
    }
    const bool short_form = form[i + 1] == '-';
    i += short_form ? 2 : 1;
    const int number = *part_of(moment, form[i]);
    text += short_form ? fmt::format("{}", number) : fmt::format("{:0{}}", number, form[i] == 'Y' ? 4 : 2);
  }
  return text;
}

std::vector<std::string> date_forms(const std::string& order) {
  struct Days {
    const char *form, *order;
  };
  static constexpr Days days[] = {{"%Y-%m-%d", "ymd"},   {"%Y/%m/%d", "ymd"},   {"%Y.%m.%d", "ymd"},
                                  {"%d.%m.%Y", "dmy"},   {"%d/%m/%Y", "dmy"},   {"%m/%d/%Y", "mdy"},
                                  {"%d-%m-%Y", "dmy"},   {"%m-%d-%Y", "mdy"},   {"%-d.%-m.%Y", "dmy"},
                                  {"%-d/%-m/%Y", "dmy"}, {"%-m/%-d/%Y", "mdy"}, {"%Y%m%d", "ymd"}};
  std::vector<std::string> forms;
  for (const Days& each : days) {
    if (!order.empty() && order != each.order) continue;
    for (const char* time : {"", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ"})
      forms.push_back(std::string(each.form) + time);
  }
  return forms;
}

bool swaps_day_and_month(const std::string& a, const std::string& b) {
  std::string swapped = a;
  for (std::size_t i = 1; i < swapped.size(); ++i) {
    if (swapped[i - 1] != '%' && swapped[i - 1] != '-') continue;
    if (swapped[i] == 'd')
      swapped[i] = 'm';
    else if (swapped[i] == 'm')
      swapped[i] = 'd';
  }
  return a != b && swapped == b;
}

}  // namespace deepgen
