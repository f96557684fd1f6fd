// .npy, one array as numpy stores it: the header of npy_header.h, then the items.
//
// Read: versions 1.0 to 3.0, C and Fortran order, both byte orders; bool becomes uint8 and unsigned items of
// 4 or 8 bytes become int64 (refused when one does not fit). Written: version 1.0, C order, little-endian.
#pragma once

#include <string>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"
#include "deepgen/data/files/npy_header.h"

namespace deepgen {

// The file must hold exactly what its header says. All throw a data error naming `path`.
Array read_npy(const std::string& path);
Array parse_npy(const std::string& path, Bytes bytes);
void write_npy(const std::string& path, const Array& array);

// The parts, for archives: the array of a header and its data (header.data_size bytes); the bytes before the
// data; and the data as the file has them (a copy only where the host is big-endian: `storage` holds it).
Array npy_array(const std::string& path, const NpyHeader& header, Bytes data);
Bytes encode_npy_header(const Array& array);
ByteView little_endian_data(const Array& array, Bytes& storage);

}  // namespace deepgen
