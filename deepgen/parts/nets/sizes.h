// Sizes of layers as an option: "500,500". Torch-free.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "deepgen/core/error.h"

namespace deepgen {

// "200,200" -> {200, 200}, "" -> {}; anything but whole numbers from 1 to 1e6 is a usage error that names
// `option`.
inline std::vector<std::int64_t> parse_sizes(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> sizes;
  std::string_view left = text;
  while (!left.empty()) {
    const auto comma = std::min(left.find(','), left.size());
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(left.data(), left.data() + comma, value);
    if (code != std::errc() || end != left.data() + comma || value < 1 || value > 1000000 ||
        comma + 1 == left.size())
      fail_usage(option,
                 "expected whole numbers from 1 to 1000000 with commas between them, got '" + text + "'");
    sizes.push_back(value);
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  return sizes;
}

}  // namespace deepgen
