// Pictures: 8-bit images, grids of cases or filters, line charts are drawn elsewhere (report.h, as SVG).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace deepgen {

// Rows of pixels, `channels` bytes each (1 grey, 3 colour).
struct Image {
  std::int64_t height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;  // [height, width, channels]
};

// How a grid of small images is laid out.
struct Grid {
  std::int64_t columns = 0;  // images in a row; 0: as square as possible
  int gap = 1;               // pixels between images, drawn in mid grey
  int scale = 2;             // each pixel becomes scale x scale
};

// `cases` images of height x width x channels with values in [0, 1] (clamped), row-major, one after another.
Image image_grid(const float* values, std::int64_t cases, std::int64_t height, std::int64_t width,
                 std::int64_t channels, const Grid& grid);

// Filters have signs: each is scaled by its own largest magnitude, zero is mid grey.
Image filter_grid(const float* values, std::int64_t cases, std::int64_t height, std::int64_t width,
                  std::int64_t channels, const Grid& grid);

// The PNG file of an image, as bytes and on disk. Throws a data error that names the path.
std::vector<std::uint8_t> encode_png(const Image& image);
void write_png(const std::string& path, const Image& image);

}  // namespace deepgen
