// The small pieces of a page: escaped text, numbers, durations, base64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace deepgen {

// Text made safe between tags and inside quoted attributes. Control characters become a replacement sign.
std::string escape_html(const std::string& text);

std::string base64(const std::vector<std::uint8_t>& bytes);

// A number for people: six significant digits, a real minus sign, "infinite" and "not a number" in words.
std::string number_text(double value);
// Two decimals, and of small numbers (a p-value) two digits.
std::string short_number(double value);

// With `decimals` digits behind the point.
std::string fixed_text(double value, int decimals);

// Digits behind the point at which a standard error shows two significant digits; in 0..8.
int error_decimals(double standard_error);

std::string duration_text(double seconds);  // "3 min 12 s"
std::string bytes_text(double bytes);       // "512 MiB"

}  // namespace deepgen
