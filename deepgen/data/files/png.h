// PNG pictures (ISO 15948) as data: 8-bit grey [height, width] or colour [height, width, 3].
//
// 16-bit samples are scaled to 8, samples of 1, 2 or 4 bits to the full range, palettes become colour.
// Pictures with transparency are composited on white, as a page would show them; fully opaque ones are
// unchanged.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

// Checksums must hold and the file must end where the picture ends. Throws a data error naming `path`; also
// for more than 32768 pixels a side, or more pixels than the compressed bytes can hold.
Array read_png(const std::string& path);
Array parse_png(const std::string& path, ByteView bytes);

struct PngFolder {
  Array images;                      // u8 [pictures, height, width] or [pictures, height, width, 3]
  Array labels;                      // i64 [pictures]; no items without classes
  std::vector<std::string> classes;  // names of the sub-folders, sorted: label 0, 1, ...
};

// All *.png of a folder, sorted by name; or, when its sub-folders hold them, those of each sub-folder in
// turn, the sub-folder being the class. Hidden names are passed over. All pictures must have one size: the
// first that differs is named.
PngFolder read_png_folder(const std::string& folder);

}  // namespace deepgen
