// Tables as people have them: how numbers and dates are spelled, what is set aside, and that known cells come
// back byte for byte.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "deepgen/data/files/cell_dates.h"
#include "deepgen/data/files/data_spec.h"
#include "deepgen/data/files/table.h"
#include "file_fixtures.h"

namespace deepgen::table_reading_test {
namespace {

using namespace fixtures;
using Names = std::vector<std::string>;
using Options = std::map<std::string, std::string>;

std::vector<std::int64_t> all_rows(const CsvCells& file) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(file.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

struct Table {
  CsvCells file;
  TableSchema schema;
};

Table read(const std::string& text, const Options& options = {}) {
  DataOptions all;
  for (const auto& [name, value] : options) set_option(all, "t.csv", name, value);
  const Header header = all.header == "true" ? Header::yes : Header::automatic;
  Table table{parse_csv_cells("t.csv", text, header, {}, cell_hints(all, "t.csv")), {}};
  add_column_hints(table.file.hints, all, "t.csv", table.file.names);
  table.schema =
      infer_table("t.csv", table.file, all_rows(table.file), stated_kinds(all, "t.csv", table.file.names));
  return table;
}

// A file with this column, named x, beside one of bits.
std::string column(const Names& cells, const std::string& separator = ",") {
  std::string text = "x" + separator + "bit\n";
  for (std::size_t i = 0; i < cells.size(); ++i) text += cells[i] + separator + std::to_string(i % 2) + "\n";
  return text;
}

TableColumn first(const std::string& text, const Options& options = {}) {
  return read(text, options).schema.columns[0];
}

void expect_number(const TableColumn& about, double low, double high, const std::string& format = "") {
  EXPECT_EQ(kind_text(about), "number") << about.reason;
  EXPECT_DOUBLE_EQ(about.low, low);
  EXPECT_DOUBLE_EQ(about.high, high);
  EXPECT_EQ(about.format.description(), format);
}

TEST(CellDates, AreDaysAndSecondsAndPossible) {
  EXPECT_EQ(parse_date("%Y-%m-%d", "1970-01-01"), 0);
  EXPECT_EQ(parse_date("%Y-%m-%d", "2024-02-29"), 19782);
  EXPECT_EQ(parse_date("%Y-%m-%d", "2023-02-29"), std::nullopt);
  EXPECT_EQ(parse_date("%Y-%m-%d %H:%M", "1970-01-02 00:01"), 86460);
  EXPECT_EQ(parse_date("%Y-%m-%d %H:%M", "1970-01-02 24:01"), std::nullopt);
  EXPECT_EQ(parse_date("%-d/%-m/%Y", "3/11/1970"), parse_date("%Y%m%d", "19701103"));
  EXPECT_EQ(write_date("%d.%m.%Y", 19782), "29.02.2024");
  EXPECT_EQ(write_date("%Y%m%d", 19782.4), "20240229");
  EXPECT_EQ(write_date("%Y-%m-%dT%H:%M:%SZ", -1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(write_date("%Y-%m-%d", 1e12), "9999-12-31");
}

TEST(TableReading, NumbersInTheSpellingsOfPeople) {
  expect_number(first("size;ok\n0,05;1\n8,35;0\n1,2;1\n"), 0.05, 8.35, "decimal comma");
  expect_number(first(column({"\"12,000\"", "\"1,500\"", "900"})), 900, 12000, "thousands between ','");
  expect_number(first(column({"1.234,5", "2,5", "12.000"}, ";")), 2.5, 12000,
                "decimal comma, thousands between '.'");
  expect_number(first(column({"12%", "7%", "-3%"})), -3, 12, "'%' behind");
  expect_number(first(column({"$5.10", "-$2.25", "$0.99"})), -2.25, 5.1, "'$' before");
  expect_number(first(column({"5,10 \u20ac", "7,20 \u20ac", "1 \u20ac"}, ";")), 1, 7.2,
                "decimal comma, ' \u20ac' behind");
  expect_number(first(column({"1.234", "2.5", "3"}), {{"decimal", "point"}}), 1.234, 3);
  expect_number(first(column({"1.234", "2.500", "3"}), {{"decimal", "comma"}}), 3, 2500,
                "decimal comma, thousands between '.'");
}

TEST(TableReading, WordsForNothingAmongNumbers) {
  const TableColumn ages = first(column({"34", "NULL", "51", "-", "None", "#N/A", "28", "n/a"}));
  expect_number(ages, 28, 51);
  EXPECT_DOUBLE_EQ(ages.missing, 5.0 / 8);
  EXPECT_EQ(first(column({"None", "none", "yes", "no", "no", "yes"})).values,
            (Names{"None", "no", "none", "yes"}));
  expect_number(first(column({"34", "x1", "51", "999", "40"}), {{"missing", "x1+999"}}), 34, 51);
}

TEST(TableReading, AQuotedNaIsACategoryWhereOthersStandWithoutQuotes) {
  const Table table = read("c,bit\nDE,1\n\"NA\",0\nNA,1\nFR,0\nDE,1\n");
  EXPECT_EQ(table.schema.columns[0].values, (Names{"DE", "FR", "NA"}));
  EXPECT_DOUBLE_EQ(table.schema.columns[0].missing, 0.2);
  EXPECT_EQ(table_cell(table.schema.columns[0], 2), "\"NA\"");
  const TableColumn all_quoted = first("c,bit\n\"DE\",1\n\"NA\",0\n\"FR\",1\n\"DE\",0\n");
  EXPECT_EQ(all_quoted.values, (Names{"DE", "FR"}));
}

TEST(TableReading, Dates) {
  const TableColumn compact = first(column({"20240131", "20240201", "20231224", "20240131"}));
  EXPECT_EQ(kind_text(compact), "date");
  EXPECT_EQ(table_cell(compact, compact.low + 38), "20240131");
  const TableColumn times = first(column({"2024-01-31 12:30", "2024-02-01 08:00", "2023-12-24 23:59"}));
  EXPECT_EQ(times.format.date, "%Y-%m-%d %H:%M");
  EXPECT_EQ(table_cell(times, times.high), "2024-02-01 08:00");
  EXPECT_EQ(first(column({"31.01.2024", "01.02.2024", "24.12.2023"})).format.date, "%d.%m.%Y");
  EXPECT_EQ(first(column({"01/31/2024", "02/01/2024", "12/24/2023"})).format.date, "%m/%d/%Y");
  const std::string both = column({"01/02/2024", "02/03/2024", "03/04/2024"});
  expect_error("t.csv", "state date=x(dmy) or date=x(mdy)", [&] { read(both); });
  EXPECT_EQ(first(both, {{"date", "x(mdy)"}}).format.date, "%m/%d/%Y");
  expect_error("t.csv", "expected a date (date is stated)", [&] {
    read(column({"3", "5", "8"}), {{"date", "x"}});
  });
}

// Numbers that differ in held-out rows alone would be a category of one value.
TEST(TableReading, BinsNeedTwoValuesInTheTrainingRows) {
  std::string text = "v,w\n";
  for (int i = 0; i < 30; ++i) text += fmt::format("{},{}\n", i < 28 ? 5 : i, i * i % 17);
  const CsvCells file = parse_csv_cells("t.csv", text);
  std::vector<std::int64_t> training(28);
  std::iota(training.begin(), training.end(), 0);
  TableSchema schema = infer_table("t.csv", file, training, StatedKinds(2));
  ASSERT_EQ(schema.columns[0].kind, TableColumnKind::real);
  learn_table_bins(schema, file, training);
  EXPECT_EQ(schema.columns[0].kind, TableColumnKind::constant);
  EXPECT_EQ(schema.columns[0].values, std::vector<std::string>{"5"});
  EXPECT_GE(schema.columns[1].bins.count(), 2);
}

TEST(TableReading, WhatIsSetAside) {
  Names counted, years, prose, words;
  for (int i = 0; i < 30; ++i) {
    counted.push_back(fmt::format("{}", i + 1));
    years.push_back(fmt::format("{}", 2001 + i));
    words.push_back(fmt::format("name{}", i));
    prose.push_back(fmt::format("a long remark that nobody else has made with the number {}", i));
  }
  EXPECT_EQ(first(column(counted)).kind, TableColumnKind::identifier);
  EXPECT_EQ(first(column(years)).kind, TableColumnKind::real) << "years rise by one too";
  EXPECT_EQ(first(column(words)).kind, TableColumnKind::identifier);
  EXPECT_EQ(first(column(prose)).kind, TableColumnKind::text);
  EXPECT_EQ(first(column(counted), {{"real", "x"}}).kind, TableColumnKind::real);
  EXPECT_EQ(first(column(words), {{"categorical", "x"}}).values.size(), 30U);
  EXPECT_EQ(table_notes(read(column(words)).schema).size(), 1U);
  EXPECT_EQ(read("id,v\n7,1.5\n3,2.5\n9,1\n").schema.columns[0].kind, TableColumnKind::identifier);
  EXPECT_EQ(read("id\n7\n3\n9\n").schema.columns[0].kind, TableColumnKind::real) << "all there is";
  Names some = words;
  some.resize(12);
  for (int i = 0; i < 48; ++i) some.push_back(i % 2 ? "red" : "blue");
  EXPECT_EQ(first(column(some)).values.size(), 14U);
}

TEST(TableReading, OrdinalsHaveAnOrder) {
  const Names sizes = {"mid", "low", "high", "low"};
  const TableColumn stated = first(column(sizes), {{"ordinal", "x(low<mid<high)"}});
  EXPECT_EQ(stated.values, (Names{"low", "mid", "high"}));
  EXPECT_EQ(kind_text(stated), "ordinal");
  EXPECT_EQ(first(column({"10", "9", "100"}), {{"ordinal", "x"}}).values, (Names{"9", "10", "100"}));
  expect_error("t.csv", "line 4, column 'x': expected one of the values of ordinal=x (low < mid)", [&] {
    read(column(sizes), {{"ordinal", "x(low<mid)"}});
  });
}

TEST(TableReading, AllBadColumnsAtOnce) {
  std::string text = "a,b,c\n";
  for (int i = 0; i < 30; ++i)
    text += i == 7 ? std::string("x1,y2,1\n") : fmt::format("{}.5,{}.25,{}\n", i * i, i * i * i, i % 2);
  expect_error("t.csv", "2 columns cannot be read:", [&] { read(text); });
  expect_error("t.csv", "line 9 has 'x1'; missing=x1", [&] { read(text); });
  expect_error("t.csv", "line 9 has 'y2'; missing=y2", [&] { read(text); });
}

TEST(TableReading, ShapesOfTheFile) {
  const Table spreadsheet = read("\xef\xbb\xbfsep=;\r\na;b\r\n1;x\r\n2;y\r\n4;x\r\n");
  EXPECT_EQ(spreadsheet.file.names, (Names{"a", "b"}));
  EXPECT_EQ(spreadsheet.file.line(0), 3);
  EXPECT_EQ(read("a|b\n1|x\n2|y\n4|x\n", {{"delimiter", "pipe"}}).file.columns, 2);
  std::string years = "2019,2020,kind\n";
  for (int i = 0; i < 8; ++i) years += fmt::format("{}.5,{},{}\n", i, 3 * i + 1, i % 2 ? "new" : "old");
  EXPECT_EQ(read(years).file.names, (Names{"2019", "2020", "kind"}));
}

TEST(TableReading, StepsAreTheGreatestThatAllValuesShare) {
  Names fives, cents;
  for (int i = 0; i < 20; ++i) {
    fives.push_back(fmt::format("{}", 3 + 5 * (i * i % 11)));
    cents.push_back(fmt::format("{:.2f}", 0.25 * (i * i % 13)));
  }
  EXPECT_EQ(first(column({"1.5", "3.5", "5.5"})).step, 0.1) << "three values tell nothing";
  EXPECT_EQ(first(column(cents)).decimals, 2);
  const TableColumn about = first(column(fives));
  EXPECT_EQ(about.kind, TableColumnKind::real);
  EXPECT_EQ(about.step, 1) << "six values are too few";
}

TEST(TableWriting, KnownCellsComeBackByteForByte) {
  for (const std::string text :
       {"a;b;c\r\n 1,50 ;\" x\";\"q\"\"q\"\r\n2,25;\"y\";\r\n;\" x\";z\r\n3,00;y;z\r\n",
        "\xef\xbb\xbfsep=;\na;b\n1;x\n;y\n4;x\n", "a\tb\n1\tx\n\ty\n4\tx\n", "1.0,x\n,y\n4.50,x\n"}) {
    SCOPED_TRACE(text);
    const Table table = read(text);
    const std::vector<std::int64_t> columns = match_columns(table.schema, "t.csv", table.file);
    Array values = table_values(
        table.schema, encode_table(table.schema, "t.csv", table.file, columns, all_rows(table.file)));
    for (std::int64_t i = 0; i < values.items(); ++i) values.as<double>()[i] = std::nan("");
    EXPECT_EQ(complete_table_csv(table.schema, table.file, columns, all_rows(table.file), values), text);
  }
}

TEST(TableWriting, FilledCellsHaveTheSpellingOfTheirColumn) {
  const Table table = read("p;c\n\"1.234,50\";\"a\"\n;\"b\"\n\"2,25\";\n\"12,00\";\"a\"\n");
  const std::vector<std::int64_t> columns = match_columns(table.schema, "t.csv", table.file);
  const double nan = std::nan("");
  const Array values = array<double>(DType::f64, {4, 2}, {nan, nan, 1000, nan, nan, 1, nan, nan});
  EXPECT_EQ(complete_table_csv(table.schema, table.file, columns, all_rows(table.file), values),
            "p;c\n\"1.234,50\";\"a\"\n\"1.000,00\";\"b\"\n\"2,25\";\"b\"\n\"12,00\";\"a\"\n");
}

TEST(TableWriting, NumbersStayWithinTheRangeAndOnTheGrid) {
  const Table table = read("year,bit\n2001,0\n2004,1\n2009,1\n2002,0\n");
  const TableColumn& year = table.schema.columns[0];
  const auto z = [&](double value) { return static_cast<float>((value - year.mean) / year.deviation); };
  const Array encoded = array<float>(DType::f32, {3, 2}, {z(1990), 0, z(2003.4), 1, z(2040), 1});
  EXPECT_EQ(values<double>(table_values(table.schema, encoded)),
            (std::vector<double>{2001, 0, 2003, 1, 2009, 1}));
  EXPECT_NEAR(values<double>(table_values(table.schema, encoded, nullptr, true))[0], 1990, 1e-3);
}

TEST(TableReading, WhatARunDoesNotKnowIsCountedAndMissing) {
  const TableSchema schema = read("job,year,bit\na,2001,0\nb,2004,1\na,2009,1\nc,2002,0\n").schema;
  const CsvCells later = parse_csv_cells("t.csv", "job,year,bit\nd,2024,0\na,x,2\na,2003,1\n");
  const std::vector<std::int64_t> columns = match_columns(schema, "t.csv", later);
  UnreadCells unread;
  const Array encoded = encode_table(schema, "t.csv", later, columns, all_rows(later), false, &unread);
  EXPECT_TRUE(std::isnan(encoded.as<float>()[0]));
  EXPECT_EQ(unread.columns[0].count, 1);
  EXPECT_EQ(unread.columns[0].first, "d");
  EXPECT_EQ(unread.columns[1].count, 1) << "x";
  EXPECT_EQ(unread.columns[1].beyond, 1) << "2024 has a density";
  EXPECT_EQ(unread.columns[2].count, 1);
  EXPECT_EQ(unread.notes(schema, later, "this file").size(), 4U);
  expect_error("t.csv", "line 2, column 'job'",
               [&] { encode_table(schema, "t.csv", later, columns, all_rows(later)); });
  // What it could not read is not overwritten.
  Array values = table_values(schema, encoded);
  for (std::int64_t i = 0; i < values.items(); ++i) values.as<double>()[i] = 0;
  const std::string completed = complete_table_csv(schema, later, columns, {0}, values);
  EXPECT_NE(completed.find("\nd,"), std::string::npos) << completed;
}

TEST(TableSchemas, SpellingsSurviveTheirJson) {
  const TableSchema schema =
      read(
          "p;d;o;q\n1.234,5;2024-01-31;3;\"a\"\n2,25;2023-12-24;1;\"b\"\nx1;2024-02-29;2;\"c\"\n7;;3;\"a\"\n",
          {{"missing", "x1"}, {"ordinal", "o"}})
          .schema;
  const TableSchema again =
      TableSchema::from_json(nlohmann::ordered_json::parse(schema.to_json().dump()), "run");
  EXPECT_EQ(again.to_json(), schema.to_json());
  EXPECT_EQ(again.separator, ';');
  EXPECT_EQ(again.columns[0].format, schema.columns[0].format);
  EXPECT_EQ(again.columns[1].format.date, "%Y-%m-%d");
  EXPECT_TRUE(again.columns[2].ordered && again.columns[3].quoted);
  EXPECT_EQ(again.columns[0].missing_as, (Names{"x1"}));
}

}  // namespace
}  // namespace deepgen::table_reading_test
