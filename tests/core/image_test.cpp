// Grids of pictures, pixel by pixel, and PNG files that read back.
#include "deepgen/core/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "deepgen/data/files/png.h"
#include "file_fixtures.h"

namespace deepgen::image_test {
namespace {

using namespace fixtures;

TEST(Image, GridPlacesCasesGapsAndScale) {
  const float values[] = {0,  1, 0.5F,
                          -3, 7, std::numeric_limits<float>::quiet_NaN()};  // three cases of 1 x 2
  const Image image = image_grid(values, 3, 1, 2, 1, {.columns = 2, .gap = 1, .scale = 1});
  EXPECT_EQ(image.height, 3);
  EXPECT_EQ(image.width, 5);
  EXPECT_EQ(image.pixels, (Bytes{0, 255, 128, 128, 0,         //
                                 128, 128, 128, 128, 128,     //
                                 255, 128, 128, 128, 128}));  // not a number and the empty place: mid grey
  const Image scaled = image_grid(values, 1, 1, 2, 1, {.columns = 0, .gap = 1, .scale = 2});
  EXPECT_EQ(scaled.pixels, (Bytes{0, 0, 255, 255, 0, 0, 255, 255}));
}

TEST(Image, GridIsAsSquareAsPossible) {
  const std::vector<float> values(10, 1.0F);
  const Image image = image_grid(values.data(), 10, 1, 1, 1, {.columns = 0, .gap = 0, .scale = 1});
  EXPECT_EQ(image.width, 4);
  EXPECT_EQ(image.height, 3);
  EXPECT_EQ(image_grid(values.data(), 2, 1, 1, 1, {.columns = 9, .gap = 0, .scale = 1}).width, 2);
}

TEST(Image, ColourStaysTogether) {
  const float values[] = {0, 0.2F, 1, 1, 0.4F, 0};
  const Image image = image_grid(values, 1, 1, 2, 3, {.columns = 0, .gap = 1, .scale = 1});
  EXPECT_EQ(image.pixels, (Bytes{0, 51, 255, 255, 102, 0}));
}

TEST(Image, FiltersAreScaledByTheirOwnMagnitude) {
  const float values[] = {0, 2, -2, 0, 0, 0, 1e-30F, -0.5e-30F, std::numeric_limits<float>::infinity()};
  const Image image = filter_grid(values, 3, 1, 3, 1, {.columns = 1, .gap = 0, .scale = 1});
  EXPECT_EQ(image.pixels, (Bytes{128, 255, 0, 128, 128, 128, 255, 64, 255}));
}

TEST(Image, PngReadsBack) {
  const Folder folder;
  for (const std::int64_t channels : {1, 3}) {
    Image image{5, 7, channels, Bytes(static_cast<std::size_t>(35 * channels))};
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37);
    write_png(folder.path("a.png"), image);
    const Array read = read_png(folder.path("a.png"));
    EXPECT_EQ(read.bytes, image.pixels);
    EXPECT_EQ(read.shape.size(), channels == 1 ? 2U : 3U);
    EXPECT_EQ(read_raw_file(folder.path("a.png")), encode_png(image));
  }
}

TEST(Image, ImpossibleSizesAreUsageErrors) {
  const float value = 0;
  const Grid grid;
  EXPECT_THROW(image_grid(&value, 0, 1, 1, 1, grid), Error);
  EXPECT_THROW(image_grid(&value, 1, 1, 1, 2, grid), Error);
  EXPECT_THROW(image_grid(&value, 1, -1, 1, 1, grid), Error);
  EXPECT_THROW(image_grid(&value, 1, std::int64_t{1} << 62, 8, 1, grid), Error);
  EXPECT_THROW(image_grid(&value, 1, 1, 1, 1, {.columns = 0, .gap = 1, .scale = 0}), Error);
  EXPECT_THROW(encode_png({2, 2, 1, Bytes(3)}), Error);
  EXPECT_THROW(encode_png({0, 0, 1, {}}), Error);
  expect_error("/no/such/a.png", "No such file", [] { write_png("/no/such/a.png", {1, 1, 1, Bytes(1)}); });
}

}  // namespace
}  // namespace deepgen::image_test
