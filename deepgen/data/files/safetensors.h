// safetensors: named tensors that are safe to load.
//
//   8 bytes   n, the length of the header, little-endian
//   n bytes   JSON: {"__metadata__": {"key": "text", ...},
//                    "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, blanks allowed
//   the rest  the data, little-endian and row-major; offsets count from its first byte, and the tensors cover
//   it
//             without holes or overlaps
//
// Types: BOOL U8 I8 U16 I16 I32 I64 F32 F64; BOOL is read as uint8. The others are refused by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Array> tensors;
};

// No length in the file is trusted. Throw a data error naming `path` and the tensor; repeated keys are
// errors. The tensors of a file are pieces of it, mapped (core/mapped_file.h).
SafeTensors read_safetensors(const std::string& path);
SafeTensors parse_safetensors(const std::string& path, ByteView bytes);

// Bit for bit what is in memory. The data begin at a multiple of 8 and the widest types come first, by name
// within one width, so every tensor is aligned to its items; equal content gives equal files.
void write_safetensors(const std::string& path, const SafeTensors& content);
Bytes encode_safetensors(const SafeTensors& content);

}  // namespace deepgen
