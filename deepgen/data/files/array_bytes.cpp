#include "deepgen/data/files/array_bytes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

namespace deepgen {

std::optional<std::int64_t> byte_size(DType type, const std::vector<std::int64_t>& shape) {
  std::int64_t product = item_size(type);
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, size, &product)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : product;
}

std::uint64_t little_endian(const std::uint8_t* from, int bytes) {
  std::uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | from[i];
  return value;
}

std::uint64_t big_endian(const std::uint8_t* from, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}

bool host_is_little_endian() { return std::endian::native == std::endian::little; }

void reverse_items(Bytes& bytes, std::int64_t size) {
  if (size == 1) return;
  const auto step = static_cast<std::size_t>(size);
  for (std::size_t at = 0; at + step <= bytes.size(); at += step)
    std::reverse(bytes.data() + at, bytes.data() + at + step);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 60;  // a line of a terminal, with the rest of the message
  std::string out = "'";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (text.size() > longest ? "...'" : "'");
}

}  // namespace deepgen
