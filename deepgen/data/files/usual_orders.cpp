#include "deepgen/data/files/usual_orders.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

namespace deepgen {
namespace {

using Scale = std::vector<std::string_view>;

const std::vector<Scale>& usual_scales() {  // in lower case, least first
  static const std::vector<Scale> scales = {
      {"very low", "low", "medium", "high", "very high"},
      {"very low", "low", "moderate", "high", "very high"},
      {"low", "mid", "high"},
      {"tiny", "small", "medium", "large", "huge"},
      {"extra small", "small", "medium", "large", "extra large"},
      {"xxs", "xs", "s", "m", "l", "xl", "xxl"},
      {"none", "mild", "moderate", "severe"},
      {"never", "rarely", "sometimes", "often", "always"},
      {"never", "seldom", "sometimes", "usually", "always"},
      {"strongly disagree", "disagree", "neutral", "agree", "strongly agree"},
      {"very poor", "poor", "fair", "good", "very good", "excellent"},
      {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
      {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
      {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
      {"january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
       "november", "december"}};
  return scales;
}

std::string in_lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

std::vector<std::string> usual_order(const std::vector<std::string>& values) {
  for (const Scale& scale : usual_scales()) {
    if (values.size() < 3 || values.size() > scale.size()) continue;
    std::vector<std::string> ordered(scale.size());
    const bool all = std::all_of(values.begin(), values.end(), [&](const std::string& value) {
      const auto place = std::find(scale.begin(), scale.end(), in_lower_case(value));
      if (place == scale.end()) return false;
      std::string& there = ordered[static_cast<std::size_t>(place - scale.begin())];
      if (!there.empty()) return false;  // Low and low: two values at one place
      there = value;
      return true;
    });
    if (!all) continue;
    std::erase(ordered, "");
    return ordered;
  }
  return {};
}

std::string order_text(const std::vector<std::string>& values, std::size_t most) {
  std::vector<std::string> ordered = usual_order(values);
  if (ordered.empty()) {
    ordered.assign(values.begin(),
                   values.begin() + static_cast<std::ptrdiff_t>(std::min(most, values.size())));
    if (values.size() > most) ordered.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(ordered, "<"));
}

}  // namespace deepgen
