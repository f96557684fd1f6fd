#include "deepgen/core/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace deepgen {
namespace {

const char* const replacement_sign = "\xEF\xBF\xBD";  // U+FFFD
const char* const minus_sign = "\xE2\x88\x92";        // U+2212

// A leading "-" becomes a minus sign, also in an exponent.
std::string with_minus_sign(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '-' ? minus_sign : std::string(1, c);
  return result;
}

std::string non_finite_text(double value) {
  if (std::isnan(value)) return "not a number";
  return value > 0 ? "infinite" : std::string(minus_sign) + "infinite";
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default: {
        const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
        if (control || c == 0x7F) {
          result += replacement_sign;
        } else {
          result += c;
        }
      }
    }
  }
  return result;
}

std::string base64(const std::vector<std::uint8_t>& bytes) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = std::uint32_t{bytes[i]} << 16;
    if (left > 1) word |= std::uint32_t{bytes[i + 1]} << 8;
    if (left > 2) word |= std::uint32_t{bytes[i + 2]};
    result += letters[word >> 18];
    result += letters[(word >> 12) & 63];
    result += left > 1 ? letters[(word >> 6) & 63] : '=';
    result += left > 2 ? letters[word & 63] : '=';
  }
  return result;
}

std::string number_text(double value) {
  if (!std::isfinite(value)) return non_finite_text(value);
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return with_minus_sign(whole ? fmt::format("{:.0f}", value) : fmt::format("{:.6g}", value));
}

std::string short_number(double value) {
  return value != 0 && std::abs(value) < 0.1 ? fmt::format("{:.2g}", value) : fmt::format("{:.2f}", value);
}

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return non_finite_text(value);
  if (std::abs(value) >= 1e12) return number_text(value);
  return with_minus_sign(fmt::format("{:.{}f}", value, decimals));
}

int error_decimals(double standard_error) {
  if (!(standard_error > 0) || !std::isfinite(standard_error)) return 2;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(standard_error))), 0, 8);
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return number_text(seconds) + " s";
  if (seconds < 60) return fmt::format("{:.3g} s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string bytes_text(double bytes) {
  static constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::isfinite(bytes) ? fmt::format("{:.{}f} {}", bytes, bytes < 10 && unit > 0 ? 1 : 0, units[unit])
                              : non_finite_text(bytes);
}

}  // namespace deepgen
