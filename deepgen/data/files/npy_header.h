// The header of a .npy file: 93 "NUMPY" major minor, its length (2 bytes little-endian in version 1, 4 in 2
// and 3), then a Python dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, and blanks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

struct NpyHeader {
  DType type = DType::u8;  // of the array; i64 where the file has unsigned items of 4 or 8 bytes
  std::vector<std::int64_t> shape;
  bool fortran_order = false;                    // first index fastest
  bool swapped = false;                          // not in host byte order
  int widen = 0;                                 // 4 or 8: unsigned items of that size become int64
  std::string unread;                            // "dtype '<U3' (text strings)": a type without a DType
  std::uint64_t header_size = 0, data_size = 0;  // bytes in the file; of an unread type the latter is 0
};

// Enough of a file to learn the length of its header.
inline constexpr std::size_t npy_preamble = 12;

// The bytes up to the data, from the first npy_preamble bytes. Both throw a data error naming `path`.
std::size_t npy_header_size(const std::string& path, ByteView bytes);

// Reads the header alone; `bytes` hold at least npy_header_size.
NpyHeader parse_npy_header(const std::string& path, ByteView bytes);

// Throws a data error that names the type of an array that is not read, and what to do.
void refuse_unread(const std::string& path, const NpyHeader& header);

}  // namespace deepgen
