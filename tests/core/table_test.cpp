// Tables of mixed columns: kinds from the training rows, every bad cell by its place, and the way back to
// CSV.
#include "deepgen/data/files/table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/data_spec.h"
#include "file_fixtures.h"

namespace deepgen::table_test {
namespace {

using namespace fixtures;
using Names = std::vector<std::string>;
using Rows = std::vector<std::int64_t>;

CsvCells cells_of(const std::string& file, Header header = Header::automatic, const Names& known = {}) {
  return parse_csv_cells("t.csv", file, header, known);
}

Rows all_rows(const CsvCells& file) {
  Rows rows(static_cast<std::size_t>(file.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// The schema from all rows, or from the first `training`; `options` as in a SPEC.
TableSchema learn(const CsvCells& file, const std::map<std::string, std::string>& options = {},
                  std::size_t training = 1000000) {
  DataOptions all;
  for (const auto& [name, value] : options) set_option(all, "t.csv", name, value);
  Rows rows = all_rows(file);
  rows.resize(std::min(rows.size(), training));
  return infer_table("t.csv", file, rows, stated_kinds(all, "t.csv", file.names));
}
TableSchema learn(const std::string& file, const std::map<std::string, std::string>& options = {},
                  std::size_t training = 1000000) {
  return learn(cells_of(file), options, training);
}

std::string kind_of(const std::string& column, const std::string& stated = "") {
  return name_of(learn("x,pad\n" + column, stated.empty() ? std::map<std::string, std::string>{}
                                                          : std::map<std::string, std::string>{{stated, "x"}})
                     .columns[0]
                     .kind);
}

// Rows "cell,pad" with a second column that is always binary, so that there is something to model.
std::string padded(const Names& cells) {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) text += cells[i] + "," + std::to_string(i % 2) + "\n";
  return text;
}

Array encode(const TableSchema& schema, const CsvCells& file) {
  return encode_table(schema, "t.csv", file, match_columns(schema, "t.csv", file), all_rows(file));
}
Array encode(const TableSchema& schema, const std::string& file) { return encode(schema, cells_of(file)); }

std::string round_trip(const TableSchema& schema, const CsvCells& file) {
  return encode_table_csv(schema, table_values(schema, encode(schema, file)));
}

// ---------------------------------------------------------------- which kind

TEST(TableKinds, AreGuessedFromTheCells) {
  EXPECT_EQ(kind_of(padded({"0", "1", "0", "1"})), "binary");
  EXPECT_EQ(kind_of(padded({"yes", "no", "", "no"})), "binary");
  EXPECT_EQ(kind_of(padded({"7.5", "-2", "-2.0"})), "binary") << "any two values, numbers by their value";
  EXPECT_EQ(kind_of(padded({"a", "b", "c", "a"})), "categorical");
  EXPECT_EQ(kind_of(padded({"1", "2", "x", "1"})), "categorical") << "numbers among texts are texts";
  EXPECT_EQ(kind_of(padded({"0", "3", "10000", "7"})), "real") << "counts are stated";
  EXPECT_EQ(kind_of(padded({"0", "3", "-1", "7"})), "real");
  EXPECT_EQ(kind_of(padded({"0", "3", "1.5", "7"})), "real");
  EXPECT_EQ(kind_of(padded({"DE", "DE", "", "DE"})), "constant");
  EXPECT_EQ(kind_of(padded({"", "NA", "n/a", "?", "NaN"})), "constant");
}

TEST(TableKinds, AreWhatTheUserStates) {
  EXPECT_EQ(kind_of(padded({"0", "3", "7"}), "real"), "real");
  EXPECT_EQ(kind_of(padded({"0", "3", "20000"}), "count"), "count");
  EXPECT_EQ(kind_of(padded({"1", "2", "3"}), "categorical"), "categorical");
  EXPECT_EQ(kind_of(padded({"0", "1", "1"}), "count"), "count");
  EXPECT_EQ(kind_of(padded({"0", "1", "1"}), "real"), "real");
  EXPECT_EQ(kind_of(padded({"0", "1", ""}), "binary"), "binary");
  EXPECT_EQ(kind_of(padded({"a", "b", "c"}), "ignore"), "ignore");
  EXPECT_EQ(kind_of(padded({"4", "4", "4"}), "real"), "constant") << "no variance";
  EXPECT_EQ(kind_of(padded({"4", "4", "4"}), "count"), "count");
}

TEST(TableKinds, AreOfTheWholeFileAndMeansOfTheTrainingRows) {
  const std::string file = "x,y\n1,a\n2,b\n1,a\n2.5,c\n";
  const TableSchema schema = learn(file, {}, 3);
  EXPECT_EQ(schema.columns[0].kind, TableColumnKind::real);
  EXPECT_EQ(schema.columns[0].high, 2) << "of the training rows";
  EXPECT_DOUBLE_EQ(schema.columns[0].mean, 4.0 / 3);
  EXPECT_EQ(schema.columns[1].values, (Names{"a", "b", "c"})) << "held-out rows have categories too";
}

TEST(TableKinds, ColumnsAreNamedOrNumbered) {
  const std::string file = "age,job,w\n1,2,1\n3,4,2\n5,6,3\n";
  EXPECT_EQ(learn(file, {{"real", "age+job"}, {"weight", "w"}}).groups(),
            (std::vector<ColumnGroup>{{ColumnKind::gaussian, 0, 2}}));
  EXPECT_EQ(learn(file, {{"real", "0+1"}}).columns[1].kind, TableColumnKind::real);
  EXPECT_EQ(learn("1,2\n3,4\n5,6\n", {{"categorical", "v1"}, {"real", "0"}}).encoded_names(),
            (Names{"v0", "v1=2", "v1=4", "v1=6"}));
  const auto usage = [&](const std::map<std::string, std::string>& options, const std::string& part) {
    try {
      learn(file, options);
      ADD_FAILURE() << "expected an error with " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  usage({{"real", "agee"}}, "did you mean 'age'?");
  usage({{"real", "3"}}, "from 0 to 2");
  usage({{"real", "age"}, {"count", "age"}}, "real and count");
  usage({{"weight", "1"}, {"labels", "job"}}, "weight and labels");
  usage({{"weight", "age+job"}}, "age+job");
}

// ---------------------------------------------------------------- encoding

TEST(TableEncoding, GroupsCoverTheColumnsInOrder) {
  const CsvCells file = cells_of("own,c,n,m,r\nno,x,3,0,1.5\nyes,y,,2,2.5\nno,z,5,4,\n?,x,0,6,2\n");
  const TableSchema schema = learn(file, {{"count", "n+m"}});
  EXPECT_EQ(schema.groups(), (std::vector<ColumnGroup>{{ColumnKind::binary, 0, 1},
                                                       {ColumnKind::softmax, 1, 3},
                                                       {ColumnKind::count, 4, 2},
                                                       {ColumnKind::gaussian, 6, 1}}));
  EXPECT_EQ(schema.width(), 7);
  EXPECT_EQ(schema.values(), ValueKind::mixed);
  EXPECT_EQ(schema.encoded_names(), (Names{"own", "c=x", "c=y", "c=z", "n", "m", "r"}));
  const auto got = values<float>(encode(schema, file));
  const float nan = std::nanf(""), step = 1.2247449F;  // 0.5 / sqrt(1 / 6)
  const std::vector<float> expected = {0, 1, 0, 0, 3, 0, -step, 1,   0, 1, 0, nan, 2, step,
                                       0, 0, 0, 1, 5, 4, nan,   nan, 1, 0, 0, 0,   6, 0};
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(got[i])) << i;
    else
      EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(TableEncoding, ARowWithoutAnyCellIsARow) {
  const CsvCells file = cells_of("a,b\nx,1\n,\ny,2\n");
  const auto got = values<float>(encode(learn(file), file));
  EXPECT_TRUE(std::isnan(got[2]) && std::isnan(got[3]));
}

TEST(TableEncoding, ExtremeNumbersStay) {
  const CsvCells file = cells_of("a,b\n1e200,1\n-1e200,0\n3e199,1\n1,0\n");
  for (const float z : values<float>(encode(learn(file), file))) EXPECT_LT(std::abs(z), 2);
  const TableSchema narrow = learn("a,b\n1,1\n2,0\n3,1\n", {{"count", "a"}});
  EXPECT_NEAR(values<float>(encode(narrow, "a,b\n1000000,0\n"))[0], 1e6F, 1);
}

TEST(TableEncoding, NumbersAreComparedAsNumbersAndTextsAsTexts) {
  const TableSchema numbers = learn("a,b\n1,x\n0,y\n1.0,x\n");
  EXPECT_EQ(numbers.columns[0].values, (Names{"0", "1"}));
  EXPECT_EQ(values<float>(encode(numbers, "a,b\n 1.00 , x\n")), (std::vector<float>{1, 0}));
  const TableSchema texts = learn("a,b\n007,x\n7,y\nx,x\n7,x\n");
  EXPECT_EQ(texts.columns[0].values, (Names{"007", "7", "x"}));
}

TEST(TableEncoding, LabelsAndWeights) {
  const CsvCells file = cells_of("a,class,w\n1,cat,0\n2,dog,2.5\n3,ape,1\n");
  const TableSchema schema = learn(file, {{"labels", "class"}, {"weight", "w"}});
  EXPECT_EQ(schema.width(), 1);
  EXPECT_EQ(values<std::int64_t>(table_labels(schema.columns[1], "t.csv", file, 1, all_rows(file))),
            (std::vector<std::int64_t>{1, 2, 0}));
  EXPECT_EQ(values<float>(table_weights("t.csv", file, 2, all_rows(file))), (std::vector<float>{0, 2.5F, 1}));
  const CsvCells numbered = cells_of("a,class\nx,3\ny,0\n");
  EXPECT_EQ(values<std::int64_t>(table_labels(learn(numbered, {{"labels", "class"}}).columns[1], "t.csv",
                                              numbered, 1, {0, 1})),
            (std::vector<std::int64_t>{3, 0}));
  const CsvCells partly = cells_of("a,class,text\nx,3,dog\ny,-1,\nx,,NA\ny,0,ape\n");
  const TableSchema both = learn(partly, {{"labels", "class"}, {"ignore", "text"}});
  EXPECT_EQ(values<std::int64_t>(table_labels(both.columns[1], "t.csv", partly, 1, all_rows(partly))),
            (std::vector<std::int64_t>{3, -1, -1, 0}));
  const TableColumn texts = infer_column("t.csv", partly, all_rows(partly), 2, TableColumnKind::labels);
  EXPECT_EQ(texts.values, (Names{"ape", "dog"}));
  EXPECT_EQ(values<std::int64_t>(table_labels(texts, "t.csv", partly, 2, all_rows(partly))),
            (std::vector<std::int64_t>{1, -1, -1, 0}));
  for (const char* wrong : {"-1", "", "x", "inf"}) {
    const CsvCells bad = cells_of(std::string("a,w\nx,1\ny,") + wrong + "\n", Header::yes);
    expect_error("t.csv", "line 3, column 'w': expected a weight of 0 or more", [&] {
      table_weights("t.csv", bad, 1, {0, 1});
    });
  }
}

// ---------------------------------------------------------------- what is refused

TEST(TableRefusals, NamePlaceAndCellWhileLearning) {
  const auto expect = [](const std::string& file, const std::map<std::string, std::string>& options,
                         const std::string& part) {
    SCOPED_TRACE(file);
    expect_error("t.csv", part, [&] { learn(file, options); });
  };
  expect("a,b\n1,x\ntwo,y\n3,x\n", {{"real", "a"}},
         "line 3, column 'a': expected a number (real is stated), got 'two'");
  expect("a,b\n1,x\n-2,y\n3,x\n", {{"count", "a"}},
         "line 3, column 'a': expected a whole number of 0 or more");
  expect("a,b\n1,x\n2.5,y\n3,x\n", {{"count", "a"}}, "got '2.5'");
  expect("a,b\n1,x\n2,y\n\"\n3\",x\n", {{"real", "a"}}, "line 4, column 'a'");
  expect("a,b\nyes,x\nno,y\nmaybe,x\n", {{"binary", "a"}},
         "line 4, column 'a': expected 'yes' or 'no' (binary is stated), got 'maybe'");
  expect("a,b\n1,x\ninf,y\n3,x\n", {}, "line 3, column 'a': expected a finite number (missing=inf");
  expect("a,b\n1,x\n2,y\n", {{"labels", "a"}, {"ignore", "b"}},
         "expected a column whose training cells differ");
  expect("a,a\n1,x\n2,y\n", {}, "'a' twice");
  expect("a,b\n1.5,x\n0.5,y\n", {{"labels", "a"}}, "a label 0, 1, 2");
  std::string many = "a,b\n", stray = "a,b\n";
  for (int i = 0; i < 500; ++i) {
    many += fmt::format("t{},{}\n", i % 201, i % 2);
    stray += fmt::format("{},{}\n", i == 7 ? std::string("1,5") : fmt::format("{}.5", i), i % 2);
  }
  EXPECT_EQ(learn(many).columns[0].kind, TableColumnKind::text) << "set aside";
  EXPECT_EQ(learn(many, {{"categorical", "a"}}).width(), 202);
  stray.replace(stray.find("1,5"), 3, "about 1");
  expect(stray, {}, "most of its cells are numbers, but line 9 has 'about 1'; missing=about 1 would");
}

TEST(TableRefusals, NamePlaceAndCellOfLaterFiles) {
  const TableSchema schema =
      learn("own,job,n,r,c\nno,a,1,1.5,DE\nyes,b,2,2.5,DE\nno,c,3,0,DE\nno,a,0,1,DE\n", {{"count", "n"}});
  const auto expect = [&](const std::string& row, const std::string& part) {
    SCOPED_TRACE(row);
    expect_error("t.csv", part, [&] { encode(schema, "own,job,n,r,c\nno,a,1,1,DE\n" + row + "\n"); });
  };
  expect("maybe,a,1,1,DE", "line 3, column 'own': expected 'no' or 'yes', got 'maybe'");
  expect(
      "no,z,1,1,DE",
      "line 3, column 'job': expected one of the 3 categories of the training rows ('a', 'b', 'c'), got 'z'");
  expect("no,a,-1,1,DE", "column 'n': expected a whole number of 0 or more (a count), got '-1'");
  expect("no,a,1.5,1,DE", "column 'n'");
  expect("no,a,x,1,DE", "column 'n'");
  expect("no,a,1,x,DE", "column 'r': expected a number, got 'x'");
  expect("no,a,1,-inf,DE", "column 'r': expected a finite number");
  expect("no,a,1,1e300,DE", "column 'r': expected a number that is comparable");
  expect("no,a,1,1,FR", "column 'c': expected 'DE', the only value in the training rows, got 'FR'");
  encode(schema, "own,job,n,r,c\n,,,,\n");
  encode(schema, "c,r,n,job,own,more\nDE,1,1,a,no,7\n");
  expect_error("t.csv", "missing: n, r; the file has: own, job", [&] { encode(schema, "own,job\nno,a\n"); });
  expect_error("t.csv", "expected 5 columns", [&] { encode(schema, "1,2\n3,4\n"); });
  EXPECT_EQ(encode(schema, cells_of("no,a,1,1,DE\n", Header::no)).rows(), 1) << "by place";
  const TableSchema empty = learn("a,b\n,1\nNA,0\n");
  expect_error("t.csv", "expected a missing cell, as in all training rows, got 'x'",
               [&] { encode(empty, "a,b\nx,1\n"); });
}

TEST(TableRefusals, TextThatIsNotUtf8) {
  expect_error("t.csv", "line 2: expected text in UTF-8", [] { cells_of("a,b\nM\xfcller,1\nx,2\n"); });
  EXPECT_EQ(utf8_end("ab\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), 11U);
  for (const char* wrong :
       {"a\x80", "a\xc0\xaf", "a\xed\xa0\x80", "a\xf5\x80\x80\x80", "a\xe2\x82", "a\xe0\x80\x80"})
    EXPECT_EQ(utf8_end(wrong), 1U);
}

// ---------------------------------------------------------------- headers

TEST(TableHeaders, AreToldByWhatStandsBelow) {
  const auto header = [](const std::string& file, const Names& known = {}) {
    return cells_of(file, Header::automatic, known).header;
  };
  EXPECT_EQ(header("a,b\nx,1\n"), 1);
  EXPECT_EQ(header("34,Lyon\n35,Porto\n"), 0) << "texts above texts, a number above numbers";
  EXPECT_EQ(header("2019,a\nx,1\ny,2\n"), 1) << "a text above numbers";
  EXPECT_EQ(header("no,a\nyes,b\n"), 1) << "without any number it is taken for one";
  EXPECT_EQ(header(",\n1,2\n"), 0);
  EXPECT_EQ(header("2019,2020\n1,2\n"), 0);
  EXPECT_EQ(header("2019,2020\n1,2\n", {"2019"}), 1) << "the names of the training file";
  EXPECT_EQ(cells_of("no,a\nyes,b\n", Header::no).rows(), 2);
  EXPECT_EQ(cells_of("1,2\n3,4\n", Header::yes).names, (Names{"1", "2"}));
}

// ---------------------------------------------------------------- and back

TEST(TableWriting, GivesTheFileBack) {
  const std::string file =
      "\"a, b\",\"say \"\"x\"\"\",\xc3\xbcni,n,m,r,c\n"
      "no,\"x, y\",Malm\xc3\xb6,0,-5,0.25,DE\n"
      "yes,\"\"\"q\"\"\",Gda\xc5\x84sk,12,700,1.50,DE\n"
      "no,\"two\nlines\",Lyon,3,40,-2.00,DE\n"
      "yes,\"x, y\",Lyon,3,41,-2.75,DE\n"
      ",,,,,,DE\n";
  std::string windows = "\xef\xbb\xbf";
  for (const char c : file) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(round_trip(learn(file), cells_of(file)), file);
  // A quoted line end is part of its cell, so CRLF stays CRLF there.
  std::string expected = file;
  expected.replace(expected.find("two\nlines"), 9, "two\r\nlines");
  EXPECT_EQ(round_trip(learn(windows), cells_of(windows)), expected);
}

TEST(TableWriting, RoundsAsTheFileDid) {
  const TableSchema schema =
      learn("a,b,c,d\n1.5,10000,0.12345678,1e-9\n2.25,20001,0.3,2e-9\n3,12500,0.5,5e-10\n");
  const auto cell = [&](std::size_t column, double value) {
    return table_cell(schema.columns[column], value);
  };
  EXPECT_EQ(cell(0, 1.23456), "1.23");
  EXPECT_EQ(cell(0, -0.001), "0") << "no negative zero, and no zeros behind, as in the file";
  EXPECT_EQ(cell(1, 12345.6789), "12346") << "whole numbers stay whole";
  EXPECT_EQ(cell(2, 0.123456789), "0.123457") << "six digits of what tells rows apart";
  EXPECT_EQ(cell(3, 1.234567e-9), "0.0000000012");
  EXPECT_EQ(cell(0, std::nan("")), "");
}

TEST(TableWriting, CompletesTheCellsOfAFileAndNoOthers) {
  const CsvCells file = cells_of("id,own,n,more,c\n 1,,2,\"x, y\",\n2,yes,?,,DE\n3,no,NA,z,DE\n");
  TableSchema schema = learn("own,n,c\nno,1,DE\nyes,2,DE\nno,3,DE\n");
  const auto columns = match_columns(schema, "t.csv", file);
  const double nan = std::nan("");
  const Array values = array<double>(DType::f64, {3, 3}, {1, nan, 0, nan, 7, 0, nan, nan, nan});
  EXPECT_EQ(complete_table_csv(schema, file, columns, {0, 1, 2}, values),
            "id,own,n,more,c\n 1,yes,2,\"x, y\",DE\n2,yes,7,,DE\n3,no,NA,z,DE\n");
  EXPECT_EQ(spread_table_csv(schema, file, columns,
                             array<double>(DType::f64, {2, 3}, {0.25, nan, nan, nan, 1.5, nan})),
            "id,own,n,more,c\n,0.25,,,\n,,1.5,,\n");
}

TEST(TableSchemas, SurviveTheirJson) {
  const TableSchema schema =
      learn("own,job,n,r,c,l,e\nno,a,1,1.55,DE,0,\nyes,b,2,0.1,DE,1,\nno,c,,3,DE,0,\nno,a,9,1,DE,1,\n",
            {{"labels", "l"}, {"count", "n"}});
  const TableSchema again =
      TableSchema::from_json(nlohmann::ordered_json::parse(schema.to_json().dump()), "run");
  EXPECT_EQ(again.to_json(), schema.to_json());
  EXPECT_EQ(again.columns[3].mean, schema.columns[3].mean);
  EXPECT_EQ(again.groups(), schema.groups());
  for (const char* wrong : {"{}", "[3]", R"([{"name":"a"}])", R"([{"name":"a","kind":"odd"}])",
                            R"([{"name":"a","kind":"binary","values":["x"]}])",
                            R"([{"name":"a","kind":"categorical","values":[]}])",
                            R"([{"name":"a","kind":"real","mean":0,"deviation":0}])",
                            R"([{"name":"a","kind":"binary","values":3}])"})
    expect_error("run", "malformed",
                 [&] { TableSchema::from_json(nlohmann::ordered_json::parse(wrong), "run"); });
}

TEST(TableSchemas, WithoutAColumnForAModelAreRefused) {
  for (const char* wrong : {R"([{"name":"a","kind":"ignore"}])", R"([{"name":"a","kind":"sequence"}])"})
    expect_error("run", "no column",
                 [&] { TableSchema::from_json(nlohmann::ordered_json::parse(wrong), "run"); });
}

TEST(TableSchemas, KnowTheColumnOfTheSequence) {
  const TableSchema schema = learn("id,n\nx,1\nx,2\ny,3\n", {{"sequence", "id"}});
  EXPECT_EQ(schema.columns[0].kind, TableColumnKind::sequence);
  EXPECT_EQ(schema.width(), 1);
  const TableSchema again =
      TableSchema::from_json(nlohmann::ordered_json::parse(schema.to_json().dump()), "run");
  EXPECT_EQ(again.columns[0].kind, TableColumnKind::sequence);
  EXPECT_EQ(table_value_names(schema), (Names{"n"})) << "not written with samples";
}

TEST(ColumnGroups, MustCoverTheColumns) {
  const std::vector<ColumnGroup> groups = {{ColumnKind::binary, 0, 2}, {ColumnKind::softmax, 2, 3}};
  EXPECT_EQ(groups_from_json(groups_to_json(groups), 5, "run"), groups);
  for (const char* wrong : {R"([["binary",0,2]])", R"([["binary",1,4]])", R"([["odd",0,5]])",
                            R"([["binary",0]])", R"([["binary",0,9223372036854775807]])",
                            R"([["binary",0,5],["count",5,1]])", "[7]", "7", R"({"a":["binary",0,5]})"})
    expect_error("run", "groups of columns",
                 [&] { groups_from_json(nlohmann::ordered_json::parse(wrong), 5, "run"); });
}

}  // namespace
}  // namespace deepgen::table_test
