// One entry for every kind of data file.
#pragma once

#include <string>

#include "deepgen/data/files/array.h"

namespace deepgen {

// The arrays of .npz (by name), .npy, .csv or .tsv (also .gz), IDX (by content, also inside gzip) or a folder
// of .png. A single array has the name "data"; classes of a folder are "data_labels". Throws a data error
// that names `path`, and the known kinds when it is none of them.
NamedArrays read_any(const std::string& path);

}  // namespace deepgen
