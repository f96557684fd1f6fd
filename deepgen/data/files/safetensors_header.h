// The JSON header of a safetensors file (see safetensors.h), read without building a tree of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"

namespace deepgen {

inline constexpr std::uint64_t safetensors_longest_header = 100'000'000;  // the limit of the format

// One tensor as the header describes it; nothing but the form is checked.
struct TensorEntry {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

// Fields of a tensor that are not known are passed over, as the format allows; repeated keys, deep nesting
// and wrong types are data errors naming `path` and the place.
std::vector<TensorEntry> parse_safetensors_header(const std::string& path, ByteView json,
                                                  std::map<std::string, std::string>& metadata);

}  // namespace deepgen
