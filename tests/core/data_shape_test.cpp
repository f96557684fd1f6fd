// What a checkpoint says of its data: enough for a model, or a data error.
#include "deepgen/data/files/data_shape.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "file_fixtures.h"

namespace deepgen::data_shape_test {
namespace {

using namespace fixtures;
using Sizes = std::vector<std::int64_t>;

DataShape shape_of(const std::string& json) {
  return data_shape_from_json(nlohmann::ordered_json::parse(json), "run");
}

TEST(DataShapes, AreReadFromTheDescriptionOfTheData) {
  const DataShape picture = shape_of(R"({"spec":"x","shape":[3,4,5],"values":"grey","classes":7})");
  EXPECT_EQ(picture.columns, 60);
  EXPECT_EQ(picture.shape, (Sizes{3, 4, 5}));
  EXPECT_EQ(picture.values, ValueKind::grey);
  EXPECT_EQ(picture.classes, 7);
  EXPECT_TRUE(picture.groups.empty());
  const DataShape table =
      shape_of(R"({"shape":[5],"values":"mixed","classes":0,"groups":[["binary",0,2],["softmax",2,3]]})");
  EXPECT_EQ(table.groups,
            (std::vector<ColumnGroup>{{ColumnKind::binary, 0, 2}, {ColumnKind::softmax, 2, 3}}));
  EXPECT_EQ(table.column_groups(), table.groups);
}

// Checkpoints of older versions may lack what came later.
TEST(DataShapes, WithoutKindOrClassesAreBinaryAndHaveNone) {
  const DataShape plain = shape_of(R"({"shape":[9]})");
  EXPECT_EQ(plain.values, ValueKind::binary);
  EXPECT_EQ(plain.classes, 0);
  EXPECT_EQ(plain.column_groups(), (std::vector<ColumnGroup>{{ColumnKind::binary, 0, 9}}));
}

TEST(DataShapes, MalformedOnesAreRefused) {
  for (const char* wrong : {"{}", "[]", "3", "null", R"({"shape":3})", R"({"shape":[]})",
                            R"({"shape":["3"]})", R"({"shape":[2.5]})", R"({"shape":[3],"classes":"2"})",
                            R"({"shape":[3],"classes":1.5})", R"({"shape":[3],"values":3})",
                            R"({"shape":[3],"groups":3})", R"({"shape":[3],"groups":[["binary",0.5,3]]})"})
    expect_error("run", "malformed", [&] { shape_of(wrong); });
  for (const char* wrong : {R"({"shape":[0]})", R"({"shape":[4,-1]})", R"({"shape":[18446744073709551615]})",
                            R"({"shape":[4294967296,4294967296]})", R"({"shape":[3037000500,3037000500]})"})
    expect_error("run", "sizes from 1", [&] { shape_of(wrong); });
  EXPECT_EQ(shape_of(R"({"shape":[3037000499,3037000499]})").columns, 9223372030926249001);
  expect_error("run", "classes", [] { shape_of(R"({"shape":[3],"classes":-1})"); });
  expect_error("run", "did you mean 'grey'", [] { shape_of(R"({"shape":[3],"values":"gray"})"); });
  expect_error("run", "groups of columns", [] { shape_of(R"({"shape":[3],"groups":[["binary",0,2]]})"); });
}

TEST(ValueKinds, AreNamedAsTheyAreRead) {
  for (const ValueKind kind : {ValueKind::binary, ValueKind::grey, ValueKind::real, ValueKind::categorical,
                               ValueKind::count, ValueKind::mixed})
    EXPECT_EQ(value_kind(name_of(kind), "run"), kind);
  EXPECT_EQ(name_of(ValueKind::categorical), "categorical");
  EXPECT_EQ(name_of(ColumnKind::mean_field), "mean_field");
  expect_error("run", "kind of values", [] { value_kind("", "run"); });
}

TEST(ValueKinds, SayWhatColumnsAre) {
  const auto kind_of = [](ValueKind values) {
    return DataShape{.columns = 4, .values = values}.column_groups().at(0).kind;
  };
  EXPECT_EQ(kind_of(ValueKind::binary), ColumnKind::binary);
  EXPECT_EQ(kind_of(ValueKind::grey), ColumnKind::mean_field);
  EXPECT_EQ(kind_of(ValueKind::real), ColumnKind::gaussian);
  EXPECT_EQ(kind_of(ValueKind::count), ColumnKind::count);
}

}  // namespace
}  // namespace deepgen::data_shape_test
