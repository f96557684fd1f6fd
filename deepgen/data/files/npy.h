// .npy, one array as numpy stores it: the header of npy_header.h, then the items.
//
// Read: versions 1.0 to 3.0, C and Fortran order, both byte orders; bool becomes uint8 and unsigned items of
// 4 or 8 bytes become int64 (refused when one does not fit). Written: version 1.0, C order, little-endian.
#pragma once

#include <string>

#include "deepgen/core/file_bytes.h"
#include "deepgen/core/file_writer.h"
#include "deepgen/data/files/array.h"
#include "deepgen/data/files/npy_header.h"

namespace deepgen {

// The file must hold exactly what its header says. All throw a data error naming `path`. What is in C order and in
// host byte order is not read but mapped (core/mapped_file.h).
Array read_npy(const std::string& path);
Array parse_npy(const std::string& path, Bytes bytes);
void write_npy(const std::string& path, const Array& array);

// The same file from pieces of the array, one after another in its order: bit for bit what write_npy writes.
class NpyWriter {
 public:
  NpyWriter(const std::string& path, DType type, const std::vector<std::int64_t>& shape);
  void append(const Array& piece);  // of any shape; as many items in all as the shape has
  void close();

 private:
  std::string path_;
  DType type_;
  std::uint64_t left_ = 0;  // bytes
  FileWriter file_;
};

// The parts, for archives: the array of a header and its data (header.data_size bytes); the bytes before the
// data; and the data as the file has them (a copy only where the host is big-endian: `storage` holds it).
Array npy_array(const std::string& path, const NpyHeader& header, Bytes data);
Bytes encode_npy_header(DType type, const std::vector<std::int64_t>& shape);
ByteView little_endian_data(const Array& array, Bytes& storage);

}  // namespace deepgen
