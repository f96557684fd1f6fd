// PNG pictures (ISO 15948) as data: grey [height, width] or colour [height, width, 3], uint8, or uint16 where a
// sample has more than 8 bits in it.
//
// Samples of 1, 2 or 4 bits are scaled to the full range of 8, palettes become colour.
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
  // [pictures, height, width] or [pictures, height, width, 3]; u8, or f32 in [0, 1] where a sample of any picture
  // has more than 8 bits in it
  Array images;
  Array labels;                      // i64 [pictures]; no items without classes
  std::vector<std::string> classes;  // names of the sub-folders, sorted: label 0, 1, ...
};

// All *.png of a folder, sorted by name; or, when its sub-folders hold them, those of each sub-folder in
// turn, the sub-folder being the class. Hidden names are passed over. All pictures must have one size: the
// first that differs is named.
PngFolder read_png_folder(const std::string& folder);

}  // namespace deepgen
