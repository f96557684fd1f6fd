// Inside of the cell formats: dates by their form.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deepgen {

// Days or, of a form with a time, seconds since 1970-01-01; nothing for another form and for days that do not
// exist.
std::optional<double> parse_date(std::string_view form, std::string_view text);

// Of the years 0 to 9999; what lies beyond becomes the nearest date.
std::string write_date(std::string_view form, double value);

// The forms that are known, those with leading zeros first. `order`: "dmy", "mdy", "ymd" or "" for all.
std::vector<std::string> date_forms(const std::string& order);

// Whether these two forms differ in the order of day and month alone.
bool swaps_day_and_month(const std::string& a, const std::string& b);

}  // namespace deepgen
