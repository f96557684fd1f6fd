// The generated table of people, and how files of numbers become tables or do not.
#include <gtest/gtest.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/generated/generated.h"
#include "file_fixtures.h"

namespace deepgen::people_test {
namespace {

using namespace fixtures;

CsvCells people(const std::map<std::string, std::string>& options) {
  return parse_csv_cells("people", generate("people", options).table, Header::yes);
}

TEST(People, HaveColumnsOfEveryKind) {
  const RawSet set = read_set(parse_data_spec("people:rows=1000,missing=0.1"));
  ASSERT_TRUE(set.table);
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < 1000; ++r) rows.push_back(r);
  const TableSchema schema = infer_table("people", *set.table, rows, StatedKinds(7));
  std::vector<std::string> kinds;
  for (const TableColumn& column : schema.columns) kinds.push_back(name_of(column.kind));
  EXPECT_EQ(kinds, (std::vector<std::string>{"real", "real", "real", "binary", "categorical", "categorical",
                                             "real"}));
  EXPECT_EQ(schema.columns[4].values.size(), 6U);
  EXPECT_EQ(schema.columns[5].values.size(), 5U);
}

// Each share of missing cells leaves the band with a probability of 1e-6 under a fresh seed.
TEST(People, MissingCellsAreLeftOutOfTheSameTruth) {
  const CsvCells truth = people({{"rows", "2000"}}), gaps = people({{"rows", "2000"}, {"missing", "0.2"}});
  for (std::int64_t column = 0; column < 7; ++column) {
    int missing = 0;
    for (std::int64_t row = 0; row < 2000; ++row) {
      EXPECT_FALSE(is_missing_cell(truth.cell(row, column)));
      if (is_missing_cell(gaps.cell(row, column)))
        ++missing;
      else
        ASSERT_EQ(gaps.cell(row, column), truth.cell(row, column));
    }
    EXPECT_NEAR(missing, 400, 4.9 * std::sqrt(2000 * 0.2 * 0.8)) << column;
  }
  const CsvCells fewer = people({{"rows", "50"}}), other = people({{"rows", "50"}, {"seed", "1"}});
  EXPECT_EQ(fewer.text, truth.text.substr(0, fewer.text.size())) << "a case depends on seed and place alone";
  EXPECT_NE(fewer.text, other.text);
}

// The columns depend on each other by far more than chance: each difference is above twenty standard errors.
TEST(People, ColumnsDependOnEachOther) {
  const CsvCells file = people({{"rows", "5000"}});
  double income[2] = {}, rich[2] = {}, count[2] = {}, retired_hours = 0, retired = 0;
  for (std::int64_t row = 0; row < file.rows(); ++row) {
    const int owner = file.cell(row, 3) == "yes" ? 1 : 0;
    const double log_income = std::log(*cell_number(file.cell(row, 1)));
    income[owner] += log_income, count[owner] += 1;
    rich[owner] += file.cell(row, 4) == "engineer" ? 1 : 0;
    if (*cell_number(file.cell(row, 0)) > 68) retired += 1, retired_hours += *cell_number(file.cell(row, 6));
  }
  EXPECT_GT(income[1] / count[1] - income[0] / count[0], 0.3);
  EXPECT_GT(rich[1] / count[1] - rich[0] / count[0], 0.1);
  EXPECT_LT(retired_hours / retired, 5);
}

// ---------------------------------------------------------------- numbers or a table

bool is_table(const std::string& content, const std::string& options = "") {
  const Folder folder;
  return read_set(parse_data_spec(folder.write("a.csv", text(content)) + options)).table != nullptr;
}

TEST(CsvRoutes, NumbersAreATableUnlessTheyAreBitsOrSomethingAsksForAMatrix) {
  EXPECT_TRUE(is_table("a,b\n1,2.5\n3,4\n"));
  EXPECT_FALSE(is_table("a,b\n1,2.5\n3,4\n", ":standardise=true"));
  EXPECT_FALSE(is_table("a,b\n1,2.5\n3,4\n", ":binarize=threshold"));
  EXPECT_FALSE(is_table("1,0\n0,1\n"));
  EXPECT_FALSE(is_table("1,\n0,1\n")) << "bits with gaps";
  EXPECT_FALSE(is_table("a,class\n1,7\n,3\n", ":labels=class")) << "bits with gaps beside the class";
  EXPECT_FALSE(is_table("a,id\n1,7\n,3\n", ":sequence=id")) << "and beside the sequence";
  EXPECT_TRUE(is_table("a,b\n1,2.5\n3,\n")) << "numbers with gaps";
  EXPECT_TRUE(is_table("a,b\n1,x\n3,y\n"));
  EXPECT_TRUE(is_table("1,0\n0,1\n", ":count=0"));
  EXPECT_TRUE(is_table("1,0\n0,1\n", ":header=false"));
}

TEST(CsvRoutes, ATrainedModelDecides) {
  const Folder folder;
  const std::string numbers = folder.write("a.csv", text("a,b\n1,2\n3,\n")),
                    texts = folder.write("b.csv", text("a,b\n1,x\n3,y\n"));
  const TableSchema none;
  EXPECT_FALSE(read_set(parse_data_spec(numbers), &none).table);
  expect_error(texts, "line 2, column 2 ('b'): expected a number, got 'x'",
               [&] { read_set(parse_data_spec(texts), &none); });
  TableSchema table;
  table.columns.push_back({.name = "a", .kind = TableColumnKind::count, .values = {}});
  EXPECT_TRUE(read_set(parse_data_spec(numbers), &table).table);
}

TEST(CsvRoutes, OptionsOfTablesNeedATable) {
  for (const char* spec : {"glyphs:real=a", "glyphs:weight=w", "people:labels=jop", "glyphs:labels=name",
                           "glyphs:sequence=name", "people:sequence=jop"}) {
    try {
      const DataOptions options = check_spec(parse_data_spec(spec));
      const RawSet set = read_set(parse_data_spec(spec));
      stated_kinds(options, set.name, set.table->names);
      ADD_FAILURE() << spec;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    }
  }
}

}  // namespace
}  // namespace deepgen::people_test
