// What a table's columns look like beside what they are taken for: orders of texts, headers of numbers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "deepgen/data/files/header_doubt.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/usual_orders.h"
#include "file_fixtures.h"

namespace deepgen::table_hints_test {
namespace {

using namespace fixtures;
using Names = std::vector<std::string>;
using Rows = std::vector<std::vector<double>>;

// The schema of all rows of a file; `options` as behind the colon of a SPEC.
TableSchema schema_of(const std::string& content, const std::string& options) {
  const Folder folder;
  const DataSpec spec = parse_data_spec(folder.write("t.csv", text(content)) + options);
  const DataOptions asked = check_spec(spec);
  const RawSet set = read_set(spec);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(set.table->rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return infer_table("t.csv", *set.table, rows, stated_kinds(asked, "t.csv", set.table->names));
}

std::string sizes(const Names& values) {
  std::string content = "size,bit\n";
  for (int i = 0; i < 12; ++i)
    content += fmt::format("{},{}\n", values[static_cast<std::size_t>(i) % values.size()], i % 2);
  return content;
}

TEST(UsualOrders, OfSizesDaysAndMonths) {
  EXPECT_EQ(usual_order({"large", "medium", "small"}), (Names{"small", "medium", "large"}));
  EXPECT_EQ(usual_order({"High", "Low", "Medium"}), (Names{"Low", "Medium", "High"}));
  EXPECT_EQ(usual_order({"Fri", "Mon", "Sun", "Wed"}), (Names{"Mon", "Wed", "Fri", "Sun"}));
  EXPECT_EQ(usual_order({"Apr", "Feb", "May"}), (Names{"Feb", "Apr", "May"}));
  EXPECT_EQ(usual_order({"always", "never", "often"}), (Names{"never", "often", "always"}));
  EXPECT_EQ(usual_order({"large", "small"}), Names{}) << "two values are a bit";
  EXPECT_EQ(usual_order({"large", "red", "small"}), Names{});
  EXPECT_EQ(usual_order({"Low", "high", "low"}), Names{}) << "one place, two values";
}

TEST(Ordinals, OfTextsNeedAnOrder) {
  expect_error("t.csv",
               "column 'size': its values are texts, whose order must be stated, least first: "
               "ordinal=size(small<medium<large)",
               [] {
                 schema_of(sizes({"large", "medium", "small"}), ":ordinal=size");
               });
  expect_error("t.csv", "ordinal=size(big<green<old)", [] {
    schema_of(sizes({"green", "old", "big"}), ":ordinal=size");
  });
  EXPECT_EQ(
      schema_of(sizes({"large", "medium", "small"}), ":ordinal=size(small<medium<large)").columns[0].values,
      (Names{"small", "medium", "large"}));
  EXPECT_EQ(schema_of(sizes({"10", "9", "100"}), ":ordinal=size").columns[0].values,
            (Names{"9", "10", "100"}))
      << "numbers have theirs";
}

TEST(Ordinals, AreHintedWhereTheTextsLookOrdered) {
  const TableColumn ordered = schema_of(sizes({"large", "medium", "small"}), "").columns[0];
  EXPECT_EQ(ordered.kind, TableColumnKind::categorical);
  EXPECT_EQ(ordered.reason, "3 different texts, which look ordered");
  EXPECT_EQ(remedies(ordered), (Names{"ordinal=size(small<medium<large)", "ignore=size"}));
  EXPECT_TRUE(table_notes({{ordered}, ','}).empty()) << "no doubt";
  const TableColumn colours = schema_of(sizes({"red", "blue", "green", "pink"}), "").columns[0];
  EXPECT_EQ(colours.reason, "4 different texts");
  EXPECT_EQ(remedies(colours)[0], "ordinal=size(blue<green<pink<...)");
}

std::string doubt(const Rows& rows) {
  return header_doubt(
      static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size()),
      [&](std::int64_t row, std::int64_t column) {
        return std::optional(rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)]);
      });
}

TEST(HeaderDoubt, OfYearsAndNumbersOfColumns) {
  EXPECT_NE(doubt({{2019, 2020}, {3.2, 4.1}, {5, 6.5}, {1.5, 2}, {2.5, 9}}).find("(2019, 2020)"),
            std::string::npos);
  EXPECT_NE(doubt({{2019}, {3.2}, {5}, {1.5}, {2.5}}), "");
  EXPECT_NE(
      doubt({{0, 1, 2, 3, 4}, {5, 3, 1, 0, 2}, {4, 3, 1, 0, 2}, {6, 2, 4, 1, 1}}).find("0, 1, 2, 3, ..."),
      std::string::npos);
  EXPECT_NE(doubt({{0, 1, 2}, {5.1, 3.5, 1.4}, {4.9, 3, 1.4}, {4.7, 3.2, 1.3}}), "");
}

TEST(HeaderDoubt, NotOfValues) {
  EXPECT_EQ(doubt({{3, 4}, {3.2, 4.1}, {5, 6.5}, {1.5, 2}}), "") << "within the others";
  EXPECT_EQ(doubt({{20.5, 21.5}, {3.2, 4.1}, {5, 6.5}, {1.5, 2}}), "") << "not whole";
  EXPECT_EQ(doubt({{9, 9}, {3, 4}, {5, 6}, {1, 2}}), "") << "one of four is always the greatest";
  EXPECT_EQ(doubt({{1, 2, 3}, {7, 1, 5}, {2, 2, 9}, {4, 8, 1}}), "") << "small whole numbers";
  EXPECT_EQ(doubt({{1, 2, 3, 4, 5}, {2, 3, 4, 5, 6}, {9, 1, 3, 5, 5}, {0, 2, 4, 1, 1}}), "")
      << "another row is like it";
  EXPECT_EQ(doubt({{std::nan(""), 2020}, {3.2, 4.1}, {5, 6.5}, {1.5, 2}}), "") << "a name is never missing";
  Rows sorted, free;
  for (int i = 0; i < 50; ++i) {
    sorted.push_back({2000.0 + i, 3.0 * i});
    free.push_back({i == 0 ? 12.0 : i * 7 % 11, i == 0 ? 40.0 : i * 5 % 37});
  }
  EXPECT_EQ(doubt(sorted), "") << "the second row stands out as well";
  EXPECT_NE(doubt(free), "") << "(2 / 50)^2 of all files";
}

TEST(HeaderDoubt, OfNumbersAboveTexts) {
  const Names cells[] = {{"0", "1"}, {"a", "2.5"}, {"b", "0.5"}, {"a", "1.5"}, {"c", "7"}};
  const auto number = [&](std::int64_t row, std::int64_t column) -> std::optional<double> {
    const std::string& cell = cells[row][static_cast<std::size_t>(column)];
    return cell < "A" ? std::optional(std::stod(cell)) : std::nullopt;
  };
  EXPECT_EQ(header_doubt(5, 2, number), "") << "1 lies among the numbers below it";
  EXPECT_NE(header_doubt(5, 1, number), "");
}

TEST(HeaderDoubt, IsANoteOfTheFileUnlessItIsStated) {
  const Folder folder;
  std::string content = "2019,2020,2021\n";
  for (int i = 0; i < 20; ++i)
    content += fmt::format("{}.5,{}.25,{}.125\n", i * 7 % 11, i * 5 % 7, i * 3 % 5);
  const std::string path = folder.write("t.csv", text(content));
  const auto notes = [&](const std::string& options) {
    return read_set(parse_data_spec(path + options)).notes;
  };
  for (const char* options : {"", ":standardise=true", ":real=0"}) {
    ASSERT_EQ(notes(options).size(), 1U) << options;
    EXPECT_NE(notes(options)[0].find("header=true"), std::string::npos);
  }
  EXPECT_TRUE(notes(":header=true").empty());
  EXPECT_TRUE(notes(":header=false").empty());
  const RawSet named = read_set(parse_data_spec(path + ":header=true"));
  EXPECT_EQ(named.table->names, (Names{"2019", "2020", "2021"}));
}

}  // namespace
}  // namespace deepgen::table_hints_test
