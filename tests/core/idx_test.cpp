// IDX: known bytes, every type, and files that lie.
#include "deepgen/data/files/idx.h"

#include <gtest/gtest.h>

#include <numeric>

#include "deepgen/data/files/open.h"
#include "file_fixtures.h"

namespace deepgen::idx_test {
namespace {

using namespace fixtures;

Bytes idx(int type, const std::vector<std::uint32_t>& shape, const Bytes& data) {
  Bytes bytes = {0, 0, static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(shape.size())};
  for (const std::uint32_t size : shape) bytes = join({bytes, big(size, 4)});
  return join({bytes, data});
}

TEST(Idx, EveryTypeInHostOrder) {
  expect_equal(parse_idx("a", idx(0x08, {2, 3}, {1, 2, 3, 4, 5, 255})),
               array<std::uint8_t>(DType::u8, {2, 3}, {1, 2, 3, 4, 5, 255}));
  expect_equal(parse_idx("a", idx(0x09, {2}, {1, 0xff})), array<std::int8_t>(DType::i8, {2}, {1, -1}));
  expect_equal(parse_idx("a", idx(0x0b, {2}, {1, 2, 0xff, 0xfe})),
               array<std::int16_t>(DType::i16, {2}, {258, -2}));
  expect_equal(parse_idx("a", idx(0x0c, {1}, {1, 2, 3, 4})),
               array<std::int32_t>(DType::i32, {1}, {0x01020304}));
  expect_equal(parse_idx("a", idx(0x0d, {1}, {0x3f, 0xc0, 0, 0})), array<float>(DType::f32, {1}, {1.5F}));
  expect_equal(parse_idx("a", idx(0x0e, {1}, big(0xc004000000000000, 8))),
               array<double>(DType::f64, {1}, {-2.5}));
  EXPECT_EQ(parse_idx("a", idx(0x08, {1, 1, 1, 1, 1, 1, 1, 1}, {9})).shape.size(), 8U);
  EXPECT_EQ(parse_idx("a", idx(0x08, {0, 28}, {})).rows(), 0);
}

TEST(Idx, GzipIsTheSame) {
  const Bytes plain = idx(0x0b, {3, 2}, repeated(12, 5));
  expect_equal(parse_idx("a", gzip(plain)), parse_idx("a", plain));
  const Folder folder;
  const auto by_any = read_any(folder.write("x.gz", gzip(plain)));
  expect_equal(by_any.at("data"), parse_idx("a", plain));
}

TEST(Idx, TruncationIsRefusedEverywhere) {
  const Bytes plain = idx(0x0b, {3, 2}, repeated(12, 5));
  expect_truncation_refused(plain, [](const Bytes& cut) { parse_idx("cut", cut); });
  expect_truncation_refused(gzip(plain), [](const Bytes& cut) { parse_idx("cut", cut); });
}

TEST(Idx, LyingHeadersAreNamed) {
  const auto parse = [](const Bytes& bytes) { return [bytes] { parse_idx("f.idx", bytes); }; };
  expect_error("f.idx", "little-endian", parse(join({{1, 8, 0, 0}, little(3, 4), {1, 2, 3}})));
  expect_error("f.idx", "little-endian", parse(join({{0, 0, 8, 1}, little(3, 4), {1, 2, 3}})));
  expect_error("f.idx", "got 0a", parse({0, 0, 0x0a, 1, 0, 0, 0, 1, 7}));
  expect_error("f.idx", "1 to 8 dimensions", parse({0, 0, 8, 0}));
  expect_error("f.idx", "1 to 8 dimensions", parse(join({{0, 0, 8, 9}, repeated(40, 0)})));
  expect_error("f.idx", "00 00", parse(text("PK\3\4 no idx")));
  expect_error("f.idx", "bytes after the data", parse(idx(0x08, {2}, {1, 2, 3})));
  expect_error("f.idx", "whose product fits", parse(idx(0x08, {0xffffffff, 0xffffffff, 0xffffffff}, {})));
}

TEST(Idx, DeclaredSizesTakeNoMemory) {
  const Bytes huge = idx(0x08, {1U << 20, 1U << 20}, repeated(100, 0));
  const Bytes bomb = gzip(idx(0x08, {10}, {}), 100'000'000);
  const Bytes short_of = gzip(idx(0x08, {1U << 20, 2000}, {}), 2'000'000);
  expect_little_memory([&] {
    expect_error("f", "truncated", [&] { parse_idx("f", huge); });
    expect_error("f", "at most", [&] { parse_idx("f", gzip(huge)); });
    expect_error("f", "at most 18 bytes", [&] { parse_idx("f", bomb); });
    expect_error("f", "truncated", [&] { parse_idx("f", short_of); });
  });
}

TEST(Idx, Mnist) {
  const std::string path = real_file("mnist/train-images-idx3-ubyte.gz");
  if (path.empty()) GTEST_SKIP() << "no MNIST below $DEEPGEN_DATA";
  const Array images = read_idx(path);
  EXPECT_EQ(images.shape, (std::vector<std::int64_t>{60000, 28, 28}));
  const double sum = std::accumulate(images.bytes.begin(), images.bytes.end(), 0.0);
  EXPECT_NEAR(sum / 255 / static_cast<double>(images.items()), 0.13066, 5e-6);
}

}  // namespace
}  // namespace deepgen::idx_test
