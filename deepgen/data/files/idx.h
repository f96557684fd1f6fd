// IDX, the format of MNIST: 00 00 type dims, then `dims` big-endian 32-bit sizes, then the items, big-endian
// and row-major. Types: 08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64. Often inside gzip.
#pragma once

#include <string>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

// Plain or gzip, told apart by content; 1 to 8 dimensions; the file must hold exactly what its header says.
// Throws a data error naming `path`.
Array read_idx(const std::string& path);
Array parse_idx(const std::string& path, Bytes bytes);

}  // namespace deepgen
