// .npy and .npz: known bytes, every type and order, and files that lie.
#include "deepgen/data/files/npy.h"

#include <gtest/gtest.h>

#include <limits>

#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/npz_set.h"
#include "deepgen/data/files/open.h"
#include "file_fixtures.h"

namespace deepgen::npy_test {
namespace {

using namespace fixtures;

std::string dictionary(const std::string& descr, const std::string& shape,
                       const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

template <class T>
void expect_read(const std::string& descr, const Bytes& data, DType type, T value) {
  expect_equal(parse_npy("a", npy(dictionary(descr, "(1,)"), data)), array<T>(type, {1}, {value}));
}

TEST(Npy, EveryTypeInBothOrders) {
  expect_read<std::uint8_t>("|b1", {1}, DType::u8, 1);
  expect_read<std::uint8_t>("|u1", {255}, DType::u8, 255);
  expect_read<std::int8_t>("|i1", {255}, DType::i8, -1);
  expect_read<std::uint16_t>("<u2", {1, 2}, DType::u16, 0x0201);
  expect_read<std::uint16_t>(">u2", {1, 2}, DType::u16, 0x0102);
  expect_read<std::int16_t>("<i2", {0xfe, 0xff}, DType::i16, -2);
  expect_read<std::int32_t>(">i4", {1, 2, 3, 4}, DType::i32, 0x01020304);
  expect_read<std::int64_t>("<i8", little(0x8000000000000001, 8), DType::i64,
                            static_cast<std::int64_t>(0x8000000000000001));
  expect_read<float>("<f4", little(0x3fc00000, 4), DType::f32, 1.5F);
  expect_read<double>(">f8", big(0xc004000000000000, 8), DType::f64, -2.5);
  expect_read<std::int64_t>("<u4", little(0xffffffff, 4), DType::i64, 0xffffffff);
  expect_read<std::int64_t>(">u8", big(0x7fffffffffffffff, 8), DType::i64,
                            std::numeric_limits<std::int64_t>::max());
  expect_error("a", "got 9223372036854775808 at item 0",
               [] { parse_npy("a", npy(dictionary("<u8", "(1,)"), little(1ULL << 63, 8))); });
}

TEST(Npy, VersionsShapesAndOrders) {
  for (const int major : {1, 2, 3})
    EXPECT_EQ(parse_npy("a", npy(dictionary("|u1", "(2, 1)"), {1, 2}, major)).shape,
              (std::vector<std::int64_t>{2, 1}));
  EXPECT_TRUE(parse_npy("a", npy(dictionary("|u1", "()"), {1})).shape.empty());
  EXPECT_EQ(parse_npy("a", npy(dictionary("<f8", "(0, 5)"), {})).columns(), 5);
  EXPECT_EQ(parse_npy("a", npy("{\"shape\":(2L,),\"descr\":\"|u1\",\"fortran_order\":False}", {1, 2})).rows(),
            2);
  const Array fortran =
      parse_npy("a", npy(dictionary("|u1", "(2, 3, 2)", "True"), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(fortran.bytes, (Bytes{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}));  // item (i, j, k) is i + 2 j + 6 k
  const Array wide = parse_npy("a", npy(dictionary("<i2", "(2, 2)", "True"), {1, 0, 2, 0, 3, 0, 4, 0}));
  EXPECT_EQ(values<std::int16_t>(wide), (std::vector<std::int16_t>{1, 3, 2, 4}));
}

TEST(Npy, RoundTrips) {
  const Folder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Array& a :
       {array<float>(DType::f32, {2, 2}, {1, -0.0F, nan, 1e-45F}), array<double>(DType::f64, {}, {3}),
        array<std::uint16_t>(DType::u16, {3}, {1, 2, 65535}), make_array(DType::i64, {0, 4, 2}),
        array<std::int8_t>(DType::i8, {1, 1, 2}, {-128, 127})}) {
    write_npy(folder.path("a.npy"), a);
    expect_equal(read_npy(folder.path("a.npy")), a);
    expect_equal(read_any(folder.path("a.npy")).at("data"), a);
    EXPECT_EQ((read_raw_file(folder.path("a.npy")).size() - a.bytes.size()) % 64, 0U);
    expect_truncation_refused(read_raw_file(folder.path("a.npy")),
                              [](const Bytes& cut) { parse_npy("cut", cut); });
  }
}

TEST(Npy, OtherTypesAreRefusedByName) {
  for (const auto& [descr, name] : std::vector<std::pair<std::string, std::string>>{{"|O", "pickle"},
                                                                                    {"<U3", "text strings"},
                                                                                    {"|S3", "byte strings"},
                                                                                    {"<c8", "complex"},
                                                                                    {"<f2", "width"},
                                                                                    {"<M8[ns]", "dates"},
                                                                                    {"|V4", "records"},
                                                                                    {"|i4", "'|i4'"},
                                                                                    {"", "''"},
                                                                                    {"<", "'<'"},
                                                                                    {"q", "'q'"}})
    expect_error("f.npy", name, [&] { parse_npy("f.npy", npy(dictionary(descr, "(1,)"), repeated(16, 0))); });
  expect_error("f.npy", "structured", [] {
    parse_npy("f.npy",
              npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", repeated(4, 0)));
  });
}

TEST(Npy, LyingHeadersAreNamed) {
  const auto expect = [](const std::string& dict, const std::string& part) {
    SCOPED_TRACE(dict);
    expect_error("f.npy", part, [&] { parse_npy("f.npy", npy(dict, {1})); });
  };
  expect(dictionary("|u1", "(2,)"), "expected 2 bytes");
  expect(dictionary("|u1", "(0,)"), "expected 0 bytes");
  expect(dictionary("|u1", "(1)"), "single size");
  expect(dictionary("|u1", "(-1,)"), "not negative");
  expect(dictionary("|u1", "(99999999999999999999,)"), "63 bits");
  expect(dictionary("|u1", "(1,"), "not negative");
  expect(dictionary("|u1", "(1 1)"), "','");
  expect(dictionary("|u1", "(1,)", "Maybe"), "True or False");
  expect("{'descr': '|u1', 'descr': '|u1', 'shape': (1,)}", "once");
  expect("{'descr': '|u1', 'shape': (1,)}", "'fortran_order'");
  expect("{'descr': '|u1', 'extra': 1}", "one of the keys");
  expect("{'descr': '|u1", "end of the string");
  expect(dictionary("|u1", "(1,)") + " import os", "only blanks");
  expect("[" + dictionary("|u1", "(1,)") + "]", "'{'");
  expect("", "'{'");
  std::string many = "(";
  for (int i = 0; i < 1000; ++i) many += "1,";
  expect(dictionary("|u1", many + ")"), "64 dimensions");
  expect_error("f.npy", "version", [] { parse_npy("f.npy", npy(dictionary("|u1", "(1,)"), {1}, 4)); });
  expect_error("f.npy", "NUMPY", [] { parse_npy("f.npy", text("no numpy file at all")); });
}

TEST(Npy, DeclaredSizesTakeNoMemory) {
  expect_little_memory([] {
    for (const char* shape :
         {"(1099511627776, 2)", "(4611686018427387904, 4)", "(4294967296, 4294967296, 0, 9)"})
      expect_error("f", "expected", [&] { parse_npy("f", npy(dictionary("<f8", shape), repeated(100, 0))); });
    Bytes header = npy(dictionary("<f8", "(1,)"), repeated(8, 0), 2);
    header[11] = 0x7f;  // a header of 2 GB
    expect_error("f", "header of at most", [&] { parse_npy("f", header); });
  });
}

TEST(Npz, RoundTripsAndChoosesNames) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  const NamedArrays arrays = {{"train", array<float>(DType::f32, {2, 2}, {1, 2, 3, 4})},
                              {"empty", make_array(DType::i32, {0, 3})},
                              {"labels", array<std::int64_t>(DType::i64, {2}, {7, -7})}};
  write_npz(path, arrays);
  const auto all = read_any(path);
  ASSERT_EQ(all.size(), 3U);
  for (const auto& [name, value] : arrays) expect_equal(all.at(name), value);
  const auto one = read_npz(path, {"labels"});
  ASSERT_EQ(one.size(), 1U);
  expect_equal(one.at("labels"), arrays.at("labels"));
  EXPECT_EQ(list_npz(path).at("train").shape, (std::vector<std::int64_t>{2, 2}));
  expect_error(path, "did you mean 'labels'", [&] { read_npz(path, {"lables"}); });
  EXPECT_EQ(encode_npz(arrays), encode_npz(arrays));
  expect_truncation_refused(encode_npz(arrays), [](const Bytes& cut) { parse_npz("cut", cut); });
}

TEST(Npz, KnownBytes) {
  const Bytes a = npy(dictionary("|u1", "(2,)"), {1, 2});
  const Bytes archive = zip({stored("a.npy", a), compressed("b.npy", a), stored("README", text("hello"))});
  const NamedArrays arrays = parse_npz("a", archive);
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays.at("a").bytes, (Bytes{1, 2}));
  EXPECT_EQ(arrays.at("b").bytes, (Bytes{1, 2}));
  expect_truncation_refused(archive, [](const Bytes& cut) { parse_npz("cut", cut); });
}

TEST(Npz, LyingArchivesAreNamed) {
  const Bytes a = npy(dictionary("|u1", "(2,)"), {1, 2});
  const auto expect = [](const std::vector<ZipMember>& members, const std::string& part) {
    expect_error("f.npz", part, [&] { parse_npz("f.npz", zip(members)); });
  };
  expect({}, ".npy");
  expect({stored("README", a)}, ".npy");
  expect({stored("a.npy", a), stored("a.npy", a)}, "second 'a'");
  expect({stored("a.npy", text("no array in this file"))}, "NUMPY");
  ZipMember member = stored("a.npy", a);
  member.checksum ^= 1;
  expect({member}, "CRC");
  member = compressed("a.npy", a);
  member.method = 12;
  expect({member}, "method 12");
  member = compressed("a.npy", a);
  member.size += 1;
  expect({member}, "got a member of");
  member = stored("a.npy", npy(dictionary("|u1", "(3,)"), {1, 2}));
  expect({member}, "expected");
  expect_error("f.npz", "zip archive", [] { parse_npz("f.npz", text("no archive")); });
}

TEST(Npz, BombsTakeNoMemory) {
  const Bytes head = npy(dictionary("|u1", "(10,)"), {});
  const Bytes packed = deflated(head, -15, 100'000'000);
  const ZipMember true_size = {"a.npy", packed, head.size() + 100'000'000, 0, 8};
  const ZipMember false_size = {"a.npy", packed, head.size() + 10, 0, 8};
  const Bytes large = npy(dictionary("|u1", "(4000000000,)"), {});
  const ZipMember impossible = {"a.npy", deflated(large, -15), large.size() + 4'000'000'000, 0, 8};
  const ZipMember huge = compressed("a.npy", npy(dictionary("<f8", "(1099511627776,)"), {}));
  expect_little_memory([&] {
    for (const ZipMember& member : {true_size, false_size, impossible, huge})
      expect_error("f", "expected", [&] { parse_npz("f", zip({member})); });
  });
}

// Many entries that share one member would read far more than the file holds.
TEST(Npz, SharedMembersAreRefused) {
  const Bytes head = npy(dictionary("|u1", "(1000000,)"), {});
  const ZipMember member = {"a.npy", deflated(head, -15, 1'000'000), head.size() + 1'000'000, 0, 8};
  std::vector<ZipMember> members(200, member);
  for (std::size_t i = 0; i < members.size(); ++i) members[i].name = std::to_string(100 + i) + ".npy";
  expect_error("f", "compressed bytes can hold", [&] { list_npz("f", zip(members, true)); });
  members.resize(1);
  EXPECT_EQ(list_npz("f", zip(members, true)).size(), 1U);
}

TEST(Npz, BinarizedMnist) {
  const std::string path = real_file("binarized_mnist/binarized_mnist.npz");
  if (path.empty()) GTEST_SKIP() << "no binarized MNIST below $DEEPGEN_DATA";
  const auto headers = list_npz(path);
  EXPECT_EQ(headers.at("train").shape, (std::vector<std::int64_t>{50000, 784}));
  EXPECT_EQ(headers.at("valid").shape, (std::vector<std::int64_t>{10000, 784}));
  EXPECT_EQ(headers.at("test_labels").shape, (std::vector<std::int64_t>{10000}));
  const Array test = read_npz(path, {"test"}).at("test");
  EXPECT_EQ(test.shape, (std::vector<std::int64_t>{10000, 784}));
  EXPECT_EQ(*std::max_element(test.bytes.begin(), test.bytes.end()), 1);
}

// ---------------------------------------------------------------- which arrays are the data

Array two_by_two(double first) { return array<double>(DType::f64, {2, 2}, {first, 2, 3, 4}); }

TEST(NpzSets, OneMatrixUnderAnyName) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  for (const char* name : {"X", "arr_0", "data", "train"}) {
    write_npz(path, {{name, two_by_two(1)}});
    const NamedArrays set = read_npz_set(path);
    ASSERT_EQ(set.size(), 1U) << name;
    expect_equal(set.at("train"), two_by_two(1));
  }
  write_npz(path, {{"only", array<float>(DType::f32, {3}, {1, 2, 3})}});
  EXPECT_EQ(read_npz_set(path).at("train").rows(), 3);
}

TEST(NpzSets, TakeLabelsBesideTheMatrix) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  const Array labels = array<std::int64_t>(DType::i64, {2}, {1, 0});
  write_npz(path, {{"X", two_by_two(1)}, {"y", labels}, {"shift", array<float>(DType::f32, {3}, {0, 0, 0})}});
  const NamedArrays set = read_npz_set(path);
  ASSERT_EQ(set.size(), 2U);
  expect_equal(set.at("train_labels"), labels);
  // Fractions are no labels, and neither is one number for all rows.
  write_npz(path, {{"X", two_by_two(1)},
                   {"y", array<float>(DType::f32, {2}, {0.5F, 1})},
                   {"label", array<std::int64_t>(DType::i64, {1}, {1})}});
  EXPECT_EQ(read_npz_set(path).size(), 1U);
}

TEST(NpzSets, KeepTheNamesOfTheHouse) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  const Array labels = array<std::int64_t>(DType::i64, {2}, {1, 0});
  write_npz(path,
            {{"train", two_by_two(1)}, {"train_labels", labels}, {"test", two_by_two(5)}, {"X", labels}});
  const NamedArrays set = read_npz_set(path);
  ASSERT_EQ(set.size(), 3U);
  expect_equal(set.at("test"), two_by_two(5));
  write_npz(path, {{"data", two_by_two(1)}, {"data_labels", labels}, {"other", two_by_two(5)}});
  EXPECT_EQ(read_npz_set(path).size(), 2U);
  expect_equal(read_npz_set(path).at("train_labels"), labels);
  expect_equal(read_npz_set(path, "other").at("train"), two_by_two(5));
}

TEST(NpzSets, SayWhatWasFound) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  write_npz(path, {{"X", two_by_two(1)}, {"Z", make_array(DType::i32, {4, 3})}});
  for (const char* part : {"'X' [2, 2] float64", "'Z' [4, 3] int32", "matrix=NAME"})
    expect_error(path, part, [&] { read_npz_set(path); });
  expect_equal(read_npz_set(path, "X").at("train"), two_by_two(1));
  expect_error(path, "expected an array 'Y', found 'X'", [&] { read_npz_set(path, "Y"); });
  write_npz(path, {{"a", make_array(DType::f32, {3})}, {"b", make_array(DType::f32, {3})}});
  expect_error(path, "[rows, columns]", [&] { read_npz_set(path); });
}

// Texts and objects stop a reader only where it needs them.
TEST(NpzSets, PassOverTextsThatAreNotNeeded) {
  const Folder folder;
  const Bytes matrix = npy(dictionary("<f4", "(2, 1)"), repeated(8, 0));
  const Bytes names = npy(dictionary("<U2", "(2,)"), repeated(16, 0)),
              object = npy(dictionary("|O", "(2,)"), {1});
  const std::string path = folder.write(
      "a.npz", zip({stored("X.npy", matrix), stored("names.npy", names), stored("o.npy", object)}));
  EXPECT_EQ(read_npz_set(path).size(), 1U);
  EXPECT_EQ(list_npz(path).at("names").unread, "dtype '<U2' (text strings)");
  folder.write("a.npz", zip({stored("X.npy", matrix), stored("y.npy", names)}));
  for (const char* part : {"y.npy", "'<U2'", "text strings", "labels as whole numbers", ".csv"})
    expect_error(path, part, [&] { read_npz_set(path); });
  folder.write("a.npz", zip({stored("X.npy", npy(dictionary("|O", "(2, 2)"), {1}))}));
  expect_error(path, "Python objects", [&] { read_npz_set(path, "X"); });
  expect_error(path, "'X' [2, 2] dtype '|O'", [&] { read_npz_set(path); });
}

}  // namespace
}  // namespace deepgen::npy_test
