// PNG as data: every kind of sample as 8-bit grey or colour, folders as classes, and files that lie.
#include "deepgen/data/files/png.h"

#include <gtest/gtest.h>

#include "deepgen/core/image.h"
#include "deepgen/data/files/open.h"
#include "file_fixtures.h"

namespace deepgen::png_test {
namespace {

using namespace fixtures;
using Shape = std::vector<std::int64_t>;

constexpr int grey = 0, colour = 2, palette = 3, grey_alpha = 4, colour_alpha = 6;

void expect_png(const Bytes& file, const Shape& shape, const Bytes& pixels) {
  const Array array = parse_png("a", file);
  EXPECT_EQ(array.type, DType::u8);
  EXPECT_EQ(array.shape, shape);
  EXPECT_EQ(array.bytes, pixels);
}

TEST(Png, EveryKindOfSample) {
  expect_png(png(2, 2, 8, grey, {0, 1, 2, 0, 3, 4}), {2, 2}, {1, 2, 3, 4});
  expect_png(png(1, 1, 8, colour, {0, 1, 2, 3}), {1, 1, 3}, {1, 2, 3});
  expect_png(png(8, 1, 1, grey, {0, 0b10100000}), {1, 8}, {255, 0, 255, 0, 0, 0, 0, 0});
  expect_png(png(2, 1, 4, grey, {0, 0x1f}), {1, 2}, {17, 255});
  expect_png(png(2, 1, 16, grey, {0, 0xff, 0xff, 0x80, 0x80}), {1, 2}, {255, 128});
  const Bytes colours = png_chunk("PLTE", {9, 8, 7, 1, 2, 3});
  expect_png(png(2, 1, 8, palette, {0, 1, 0}, colours), {1, 2, 3}, {1, 2, 3, 9, 8, 7});
}

TEST(Png, TransparencyIsShownOnWhite) {
  expect_png(png(3, 1, 8, grey_alpha, {0, 10, 255, 10, 0, 0, 128}), {1, 3}, {10, 255, 127});
  expect_png(png(2, 1, 8, colour_alpha, {0, 1, 2, 3, 255, 1, 2, 3, 0}), {1, 2, 3}, {1, 2, 3, 255, 255, 255});
  const Bytes colours = join({png_chunk("PLTE", {9, 8, 7, 1, 2, 3}), png_chunk("tRNS", {0})});
  expect_png(png(2, 1, 8, palette, {0, 1, 0}, colours), {1, 2, 3}, {1, 2, 3, 255, 255, 255});
}

TEST(Png, TruncationIsRefusedEverywhere) {
  for (const Bytes& file : {png(3, 2, 8, grey, {0, 1, 2, 3, 0, 4, 5, 6}),
                            png(1, 1, 8, palette, {0, 0}, png_chunk("PLTE", {9, 8, 7}))})
    expect_truncation_refused(file, [](const Bytes& cut) { parse_png("cut", cut); });
}

TEST(Png, DamageIsRefused) {
  const Bytes valid = png(3, 2, 8, grey, {0, 1, 2, 3, 0, 4, 5, 6}, png_chunk("tEXt", text("key\0value")));
  EXPECT_NO_THROW(parse_png("a", valid));
  for (std::size_t at = 0; at < valid.size(); ++at) {  // every byte is under a checksum or a fixed value
    SCOPED_TRACE(at);
    Bytes damaged = valid;
    damaged[at] ^= 0x20;
    data_error([&] { parse_png("a", damaged); });
  }
  expect_error("f.png", "3 more bytes", [&] { parse_png("f.png", join({valid, text("end")})); });
  expect_error("f.png", "PNG", [] { parse_png("f.png", text("GIF89a, not a png at all")); });
}

TEST(Png, DeclaredSizesTakeNoMemory) {
  Bytes long_chunk = png(2, 1, 8, grey, {0, 1, 2}, png_chunk("tEXt", text("key value")));
  std::fill_n(long_chunk.begin() + 33, 4, std::uint8_t{0x7f});  // the length after the header
  const Bytes packed_text = join({text("key"), {0, 0}, deflated({}, 15, 7'000'000)});
  std::vector<Bytes> texts(100, png_chunk("zTXt", packed_text));
  const Bytes bombs = png(2, 1, 8, grey, {0, 1, 2}, join(texts));
  expect_little_memory([&] {
    expect_error("f", "too short", [] { parse_png("f", png(30000, 30000, 8, grey, {0, 1})); });
    expect_error("f", "PNG", [] { parse_png("f", png(1U << 30, 1U << 30, 8, colour, {0, 1})); });
    expect_error("f", "PNG", [] { parse_png("f", png(0, 5, 8, grey, {0, 1})); });
    expect_error("f", "PNG", [&] { parse_png("f", long_chunk); });
    expect_png(bombs, {1, 2}, {1, 2});
  });
}

Bytes dot(std::uint8_t level) { return png(1, 1, 8, grey, {0, level}); }

TEST(Png, FolderSortedByName) {
  const Folder folder;
  folder.write("b.png", dot(2));
  folder.write("a.PNG", dot(1));
  folder.write("notes.txt", text("x"));
  folder.write(".hidden.png", text("x"));
  const PngFolder read = read_png_folder(folder.path(""));
  EXPECT_EQ(read.images.shape, (Shape{2, 1, 1}));
  EXPECT_EQ(read.images.bytes, (Bytes{1, 2}));
  EXPECT_TRUE(read.classes.empty());
  EXPECT_EQ(read_any(folder.path("")).size(), 1U);
}

TEST(Png, SubFoldersAreClasses) {
  const Folder folder;
  folder.write("zebra/1.png", dot(9));
  folder.write("ant/2.png", dot(2));
  folder.write("ant/1.png", dot(1));
  const PngFolder read = read_png_folder(folder.path(""));
  EXPECT_EQ(read.classes, (std::vector<std::string>{"ant", "zebra"}));
  EXPECT_EQ(read.images.bytes, (Bytes{1, 2, 9}));
  EXPECT_EQ(values<std::int64_t>(read.labels), (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(read_any(folder.path("")).at("data_labels").rows(), 3);
  folder.write("top.png", dot(3));
  expect_error(folder.path(""), "both", [&] { read_png_folder(folder.path("")); });
}

TEST(Png, FolderErrorsNameTheFile) {
  const Folder folder;
  expect_error(folder.path(""), "none", [&] { read_png_folder(folder.path("")); });
  expect_error(folder.path("no"), "No such file", [&] { read_png_folder(folder.path("no")); });
  folder.write("a.png", dot(1));
  folder.write("b.png", png(2, 1, 8, grey, {0, 1, 2}));
  expect_error(folder.path("b.png"), "expected a picture of [1, 1]",
               [&] { read_png_folder(folder.path("")); });
  folder.write("b.png", text("x"));
  expect_error(folder.path("b.png"), "PNG", [&] { read_png_folder(folder.path("")); });
  expect_error(folder.path("a.png"), "name its folder", [&] { read_any(folder.path("a.png")); });
}

TEST(Png, SixteenBitsAreKept) {
  const Bytes rows = {0, 0, 40, 11, 184, 1, 1};  // 40, 3000, 257
  const Array picture = parse_png("a", png(3, 1, 16, grey, rows));
  EXPECT_EQ(picture.type, DType::u16);
  EXPECT_EQ(picture.shape, (Shape{1, 3}));
  EXPECT_EQ(values<std::uint16_t>(picture), (std::vector<std::uint16_t>{40, 3000, 257}));
  // 1000 as it is, half seen before white, and not seen.
  const Array veiled =
      parse_png("a", png(3, 1, 16, grey_alpha, {0, 3, 232, 255, 255, 3, 232, 128, 0, 3, 232, 0, 0}));
  EXPECT_EQ(values<std::uint16_t>(veiled), (std::vector<std::uint16_t>{1000, 33267, 65535}));
  EXPECT_EQ(parse_png("a", png(1, 1, 16, colour, {0, 0, 1, 0, 2, 255, 255})).shape, (Shape{1, 1, 3}));
}

TEST(Png, FolderOfSixteenBitsHasLevels) {
  const Folder folder;
  folder.write("a.png", png(2, 1, 8, grey, {0, 0, 51}));
  folder.write("b.png", png(2, 1, 16, grey, {0, 0, 40, 11, 184}));
  folder.write("c.png", png(2, 1, 8, grey, {0, 255, 1}));
  const Array images = read_png_folder(folder.path("")).images;
  EXPECT_EQ(images.type, DType::f32);
  EXPECT_EQ(images.shape, (Shape{3, 1, 2}));
  EXPECT_EQ(values<float>(images),
            (std::vector<float>{0, 0.2F, 40 / 65535.0F, 3000 / 65535.0F, 1, 1 / 255.0F}));
}

}  // namespace
}  // namespace deepgen::png_test
