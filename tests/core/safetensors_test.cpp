// safetensors: known bytes, round trips to the bit, and headers that lie.
#include "deepgen/data/files/safetensors.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "file_fixtures.h"

namespace deepgen::safetensors_test {
namespace {

using namespace fixtures;
using Shape = std::vector<std::int64_t>;

Bytes file(const std::string& header, const Bytes& data) {
  return join({little(header.size(), 8), text(header), data});
}

SafeTensors some_tensors() {
  SafeTensors content;
  content.metadata = {{"format", "1"}, {"quote \"", "\xc3\xa4\n"}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  content.tensors = {{"a", array<std::uint8_t>(DType::u8, {3}, {1, 2, 3})},
                     {"b", array<float>(DType::f32, {2, 2}, {1, -0.0F, nan, 1e-45F})},
                     {"c", array<double>(DType::f64, {}, {0.1})},
                     {"d", make_array(DType::i64, {0, 7})},
                     {"e", array<std::uint16_t>(DType::u16, {1}, {65535})}};
  return content;
}

TEST(SafeTensors, RoundTripsToTheBit) {
  const Folder folder;
  const std::string path = folder.path("a.safetensors");
  const SafeTensors content = some_tensors();
  write_safetensors(path, content);
  const SafeTensors read = read_safetensors(path);
  EXPECT_EQ(read.metadata, content.metadata);
  ASSERT_EQ(read.tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) expect_equal(read.tensors.at(name), tensor);
  EXPECT_EQ(read_raw_file(path), encode_safetensors(content));
  EXPECT_TRUE(parse_safetensors("a", encode_safetensors({})).tensors.empty());
}

TEST(SafeTensors, EveryTensorIsAligned) {
  const Bytes bytes = encode_safetensors(some_tensors());
  const std::size_t length = bytes[0] + 256U * bytes[1];
  EXPECT_EQ(length % 8, 0U);
  const auto header =
      nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length));
  for (const auto& [name, tensor] : some_tensors().tensors)
    EXPECT_EQ(header[name]["data_offsets"][0].get<std::int64_t>() % item_size(tensor.type), 0) << name;
}

TEST(SafeTensors, KnownBytes) {
  const SafeTensors read = parse_safetensors(
      "a", file(R"( {"x":{"dtype":"BOOL","shape":[2],"data_offsets":[4,6],"more":[{"y":[1.5,null,true]}]},)"
                R"("__metadata__":{"k":"v"},"w":{"shape":[1,1],"data_offsets":[0,4],"dtype":"F32"}} )"
                "\n",
                {0, 0, 0xc0, 0x3f, 1, 0}));
  expect_equal(read.tensors.at("x"), array<std::uint8_t>(DType::u8, {2}, {1, 0}));
  expect_equal(read.tensors.at("w"), array<float>(DType::f32, {1, 1}, {1.5F}));
  EXPECT_EQ(read.metadata.at("k"), "v");
  EXPECT_TRUE(parse_safetensors("a", file("{}", {})).tensors.empty());
  EXPECT_TRUE(parse_safetensors("a", file(R"({"__metadata__":null})", {})).metadata.empty());
  EXPECT_EQ(parse_safetensors("a", file(R"({"e":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                                        R"("f":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
                                        {1}))
                .tensors.at("f")
                .shape,
            Shape{});
}

TEST(SafeTensors, TruncationIsRefusedEverywhere) {
  expect_truncation_refused(encode_safetensors(some_tensors()),
                            [](const Bytes& cut) { parse_safetensors("cut", cut); });
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST(SafeTensors, LyingHeadersAreNamed) {
  const auto expect = [](const std::string& header, const std::string& part) {
    SCOPED_TRACE(header);
    expect_error("f", part, [&] { parse_safetensors("f", file(header, {1, 2, 3, 4})); });
  };
  const std::string u8 = R"("U8")";
  EXPECT_NO_THROW(parse_safetensors("f", file(tensor(u8, "[4]", "[0,4]"), {1, 2, 3, 4})));
  for (const char* name : {"F16", "BF16", "F8_E4M3", "U32", "u8", ""})
    expect(tensor("\"" + std::string(name) + "\"", "[4]", "[0,4]"), "got '" + std::string(name) + "'");
  expect(tensor(u8, "[3]", "[0,4]"), "size of U8 [3]");
  expect(tensor(u8, "[4]", "[0,5]"), "data_offsets [0, 5]");
  expect(tensor(u8, "[4]", "[4,0]"), "data_offsets [4, 0]");
  expect(tensor(u8, "[3]", "[1,4]"), "[0, at most 4]");
  expect(tensor(u8, "[3]", "[0,3]"), "expected 3 bytes of data, got 4");
  expect(tensor(u8, "[4]", "[0]"), "two data_offsets");
  expect(tensor(u8, "[4]", "[0,4,4]"), "two data_offsets");
  expect(tensor(u8, "[4]", "[0,4.0]"), "fraction");
  expect(tensor(u8, "[-4]", "[0,4]"), "negative");
  expect(tensor(u8, "[18446744073709551615]", "[0,4]"), "below 2^63");
  expect(tensor(u8, "[99999999999999999999]", "[0,4]"), "fraction");
  expect(tensor(u8, "[4611686018427387904,8]", "[0,4]"), "size of");
  expect(tensor(u8, "[[4]]", "[0,4]"), "an array");
  expect(tensor(u8, "[{}]", "[0,4]"), "an object");
  expect(tensor(u8, "4", "[0,4]"), "list of integers");
  expect(tensor("7", "[4]", "[0,4]"), "a text");
  expect(tensor("[]", "[4]", "[0,4]"), "a text");
  expect(R"({"t":{"dtype":"U8","shape":[4]}})", "'data_offsets'");
  expect(R"({"t":{"dtype":"U8","dtype":"U8"}})", "second 'dtype'");
  expect(R"({"t":5})", "an object");
  expect(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"t":{}})", "second 't'");
  expect(
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
      "[3, at most 4]");
  expect(R"({"__metadata__":{"k":1}})", "a text");
  expect(R"({"__metadata__":{"k":{}}})", "a text");
  expect(R"({"__metadata__":{"k":"1","k":"2"}})", "second 'k'");
  expect(R"({"__metadata__":[]})", "an object");
  expect("[]", "an object");
  expect("null", "an object");
  expect("{", "valid JSON");
  expect("{}x", "valid JSON");
  expect("{\"\xff\":1}", "valid JSON");
  expect("", "valid JSON");
  expect(R"({"t":{"z":)" + std::string(100'000, '['), "at most 64 levels");
}

TEST(SafeTensors, DeclaredSizesTakeNoMemory) {
  expect_little_memory([] {
    expect_error("f", "expected a length", [] { parse_safetensors("f", repeated(7, 0)); });
    for (const std::uint64_t length : {std::uint64_t{93}, std::uint64_t{1} << 40, ~std::uint64_t{0}})
      expect_error("f", "header of at most 92", [&] {
        parse_safetensors("f", join({little(length, 8), repeated(92, ' ')}));
      });
    expect_error("f", "data_offsets", [] {
      parse_safetensors("f", file(tensor(R"("U8")", "[1099511627776]", "[0,1099511627776]"), repeated(4, 0)));
    });
    expect_error("f", "size of", [] {
      parse_safetensors("f", file(tensor(R"("F64")", "[1099511627776]", "[0,4]"), repeated(4, 0)));
    });
  });
}

TEST(SafeTensors, WhatCannotBeReadIsNotWritten) {
  SafeTensors content;
  content.metadata["k"] = "\xff";
  data_error([&] { encode_safetensors(content); });
  content.metadata.clear();
  content.tensors["__metadata__"] = make_array(DType::u8, {1});
  data_error([&] { encode_safetensors(content); });
  content.tensors = {{"a", {DType::f32, {2}, Bytes(4)}}};
  data_error([&] { encode_safetensors(content); });
}

}  // namespace
}  // namespace deepgen::safetensors_test
