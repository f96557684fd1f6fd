// .npz, named arrays: a zip archive whose members NAME.npy are .npy files, stored or deflated.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"
#include "deepgen/data/files/npy_header.h"

namespace deepgen {

// The arrays of the archive, or only the wanted ones (each must be there; the others are not inflated).
// Members that are no .npy files are passed over. Sizes in the archive are checked against each other and
// against what deflate can do before memory is taken. All throw a data error naming `path` and the member.
NamedArrays read_npz(const std::string& path, const std::vector<std::string>& wanted = {});
NamedArrays parse_npz(const std::string& path, ByteView bytes, const std::vector<std::string>& wanted = {});

// Types and shapes without inflating the data; arrays of texts and the like are there, as `unread`.
std::map<std::string, NpyHeader> list_npz(const std::string& path);
std::map<std::string, NpyHeader> list_npz(const std::string& path, ByteView bytes);

// Deflated, with a fixed date, so that equal arrays give equal files.
Bytes encode_npz(const NamedArrays& arrays);
void write_npz(const std::string& path, const NamedArrays& arrays);

}  // namespace deepgen
