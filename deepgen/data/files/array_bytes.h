// What the readers of arrays share: checked sizes, byte order, and text for messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

// The bytes of such an array; nothing when a size is negative or the product of the sizes that are not zero
// overflows (so that the product of any of the sizes is safe to form).
std::optional<std::int64_t> byte_size(DType type, const std::vector<std::int64_t>& shape);

// Unsigned integers of 1 to 8 bytes; the caller has checked that they are there.
std::uint64_t little_endian(const std::uint8_t* from, int bytes);
std::uint64_t big_endian(const std::uint8_t* from, int bytes);

bool host_is_little_endian();

// Reverses the bytes of each item of `size` bytes.
void reverse_items(Bytes& bytes, std::int64_t size);

// "[3, 28, 28]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// Foreign text for a message: printable, quoted and of bounded length.
std::string shown(std::string_view text);

}  // namespace deepgen
