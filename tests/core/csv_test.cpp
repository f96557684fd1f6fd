// CSV: separators, quotes, headers, missing cells, and where an error is.
#include "deepgen/data/files/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "deepgen/data/files/open.h"
#include "file_fixtures.h"

namespace deepgen::csv_test {
namespace {

using namespace fixtures;
using Doubles = std::vector<double>;
using Names = std::vector<std::string>;
using Shape = std::vector<std::int64_t>;

const double nan = std::numeric_limits<double>::quiet_NaN();

void expect_csv(const std::string& file, const Names& names, const Shape& shape, const Doubles& expected) {
  SCOPED_TRACE(file);
  const Csv csv = parse_csv("a", file);
  EXPECT_EQ(csv.names, names);
  EXPECT_EQ(csv.values.shape, shape);
  const Doubles got = values<double>(csv.values);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(got[i])) << i;
    else
      EXPECT_EQ(got[i], expected[i]) << i;
  }
}

TEST(Csv, SeparatorsHeadersAndLineEnds) {
  expect_csv("1,2\n3,4\n", {}, {2, 2}, {1, 2, 3, 4});
  expect_csv("1;2\r\n3;4", {}, {2, 2}, {1, 2, 3, 4});
  expect_csv("a\tb\r1\t2\r", {"a", "b"}, {1, 2}, {1, 2});
  expect_csv("\xef\xbb\xbfx,y\n-1.5e3,+2\n", {"x", "y"}, {1, 2}, {-1500, 2});
  expect_csv("\"a;b\",\"say \"\"x\"\"\"\n\"1\",2\n", {"a;b", "say \"x\""}, {1, 2}, {1, 2});
  expect_csv("\"two\nlines\",b\n1,2\n", {"two\nlines", "b"}, {1, 2}, {1, 2});
  expect_csv("a,b\n", {"a", "b"}, {0, 2}, {});
  expect_csv("6\" wide,b\n1,2\n", {"6\" wide", "b"}, {1, 2}, {1, 2});  // no quote opens inside a cell
  expect_csv("\"x \"\";\"\" y\",b\n1,2\n", {"x \";\" y", "b"}, {1, 2}, {1, 2});
  expect_csv("5\n\n\n", {}, {1, 1}, {5});
  expect_csv(" 1 , 2\n", {}, {1, 2}, {1, 2});
}

TEST(Csv, MissingCells) {
  expect_csv("1,,NA\nnan,NaN,n/a\n,,\n", {}, {3, 3}, {1, nan, nan, nan, nan, nan, nan, nan, nan});
  expect_csv("a\n1\n\n3\n", {"a"}, {3, 1}, {1, nan, 3});  // one column: an empty line is a missing cell
  expect_csv("inf,-Infinity\n", {}, {1, 2}, {HUGE_VAL, -HUGE_VAL});
}

TEST(Csv, ErrorsNameLineAndColumn) {
  const auto expect = [](const std::string& file, const std::string& part) {
    SCOPED_TRACE(file);
    expect_error("f.csv", part, [&] { parse_csv("f.csv", file); });
  };
  expect("a,b\n1,2\n3,x4\n", "line 3, column 2 ('b'): expected a number, got 'x4'");
  expect("1,2\n3\n", "line 2, column 1: expected 2 cells, got 1");
  expect("1,2\n3,4,5\n", "line 2, column 3: expected 2 cells, got more");
  expect("1,2\n\n3,4\n", "line 2, column 1: expected 2 cells");
  expect("a,b\r\n1,2\r\n1,\"2", "line 3, column 2 ('b'): expected a closing quote");
  expect("\"a\nb\",c\n1,z\n", "line 3, column 2");
  expect("a\n\"1\"2\n", "after the closing quote, got '2'");
  expect("1,2\n1e999,2\n", "column 1: expected a number, got '1e999'");
  expect("1,2\n3,0x10\n", "'0x10'");
  expect("1;2\n1,5;2\n", "'1,5'");
  expect(std::string("1,2\n3,4\0\n", 9), "\\x00");
  expect("", "empty");
  expect("\n\r\n", "empty");
  expect(
      "\xff\xfe"
      "1",
      "UTF-16");
}

TEST(Csv, RoundTripsToTheBit) {
  const Folder folder;
  const std::string path = folder.path("a.csv");
  const Array a = array<double>(DType::f64, {2, 3}, {0.1, -0.0, 1e300, 5e-324, nan, HUGE_VAL});
  write_csv(path, {"a,b", "say \"x\"", " 3"}, a);
  const Csv csv = read_csv(path);
  EXPECT_EQ(csv.names, (Names{"a,b", "say \"x\"", "3"}));  // blanks around a name are not kept
  EXPECT_TRUE(std::isnan(csv.values.as<double>()[4]));
  const Csv again = parse_csv("a", encode_csv({}, csv.values));
  expect_equal(again.values, csv.values);
  EXPECT_EQ(csv.values.as<double>()[0], 0.1);
  EXPECT_TRUE(std::signbit(csv.values.as<double>()[1]));
  expect_csv(encode_csv({}, array<double>(DType::f64, {3}, {nan, 1, nan})), {}, {3, 1}, {nan, 1, nan});
  EXPECT_EQ(encode_csv({"v"}, array<float>(DType::f32, {2}, {0.1F, std::numeric_limits<float>::quiet_NaN()})),
            "v\n0.1\n\"\"\n");
  EXPECT_EQ(encode_csv({}, array<std::int8_t>(DType::i8, {1, 2}, {-128, 127})), "-128,127\n");
  EXPECT_EQ(encode_csv({}, array<std::uint8_t>(DType::u8, {1, 2}, {65, 255})), "65,255\n");
}

TEST(Csv, ByteOrderMarkInANameStaysThere) {
  const Names names = {"\xef\xbb\xbfx", "y"};
  EXPECT_EQ(parse_csv("a", encode_csv(names, array<double>(DType::f64, {1, 2}, {1, 2}))).names, names);
}

TEST(Csv, NamesThatWouldNotReadBackAreRefused) {
  const Array a = array<double>(DType::f64, {1, 2}, {1, 2});
  EXPECT_THROW(encode_csv({"a"}, a), Error);
  EXPECT_THROW(encode_csv({"1", "2"}, a), Error);
}

TEST(Csv, AnyPathGoesByContentAndEnding) {
  const Folder folder;
  EXPECT_EQ(read_any(folder.write("a.csv", text("1,2\n"))).at("data").shape, (Shape{1, 2}));
  EXPECT_EQ(read_any(folder.write("b.csv.gz", gzip(text("1,2\n")))).at("data").shape, (Shape{1, 2}));
  expect_error(folder.path("c.doc"), "expected .npz, .npy, .csv",
               [&] { read_any(folder.write("c.doc", text("hi"))); });
  expect_error(folder.path("none.csv"), "No such file", [&] { read_any(folder.path("none.csv")); });
}

// A prefix of a CSV file may be a CSV file: here it only must not do anything but read or refuse.
TEST(Csv, TruncationIsReadOrRefused) {
  const std::string file = "\"a\",b\r\n1.5,\"2\"\r\n,3\r\n";
  for (std::size_t size = 0; size < file.size(); ++size) {
    try {
      parse_csv("a", file.substr(0, size));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

}  // namespace
}  // namespace deepgen::csv_test
