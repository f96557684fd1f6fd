// The different cells of a column: cells have one number exactly where they are spelled the same.
#include "deepgen/data/files/distinct_cells.h"

#include <gtest/gtest.h>

#include <string>

#include "deepgen/data/files/csv_cells.h"

namespace deepgen::distinct_cells_test {
namespace {

using Texts = std::vector<std::string>;

DistinctCells distinct(const Texts& column) {
  return find_distinct_cells(static_cast<std::int64_t>(column.size()), 1,
                             [&](std::int64_t row, std::int64_t) -> std::string_view {
                               return column[static_cast<std::size_t>(row)];
                             })[0];
}

// Every cell is spelled as the first of its number, and first rows are the first of their spelling.
void expect_told_apart(const Texts& column, const DistinctCells& cells) {
  std::int64_t before = -1;
  for (std::int64_t number = 0; number < cells.count(); ++number) {
    EXPECT_GT(cells.first_row(number), before);
    before = cells.first_row(number);
    EXPECT_EQ(cells.number(before), number);
  }
  for (std::size_t row = 0; row < column.size(); ++row) {
    const std::int64_t first = cells.first_row(cells.number(static_cast<std::int64_t>(row)));
    EXPECT_EQ(column[static_cast<std::size_t>(first)], column[row]);
  }
}

TEST(DistinctCells, OfEveryLengthAreToldApart) {
  Texts column;
  for (std::size_t length = 0; length < 40; ++length)
    for (std::size_t place = 0; place <= length; ++place) {  // 'b' at each place, and none
      column.emplace_back(length, 'a');
      if (place < length) column.back()[place] = 'b';
    }
  const std::size_t count = column.size();
  for (std::size_t i = 0; i < 2 * count; ++i) column.push_back(column[i]);
  const DistinctCells cells = distinct(column);
  EXPECT_TRUE(cells.are_shared());
  EXPECT_EQ(cells.count(), static_cast<std::int64_t>(count));
  expect_told_apart(column, cells);
}

TEST(DistinctCells, AreOnePerRowWhereTooManyDiffer) {
  Texts column;
  for (int i = 0; i < 3000; ++i) column.push_back(std::to_string(i));
  const DistinctCells all = distinct(column);
  EXPECT_FALSE(all.are_shared());
  EXPECT_EQ(all.count(), 3000);
  expect_told_apart(column, all);
  column.resize(500);
  EXPECT_TRUE(distinct(column).are_shared()) << "of few rows";
  // More than 16 bits can tell, though each is there twice and more.
  Texts many;
  for (int i = 0; i < 70000; ++i)
    many.push_back(std::to_string(i / 3 * 3)), many.push_back(many[many.size() / 2]);
  expect_told_apart(many, distinct(many));
  Texts most;
  for (int i = 0; i < 70000; ++i) most.insert(most.end(), 3, std::to_string(i));
  EXPECT_FALSE(distinct(most).are_shared());
  most.resize(3 * 65536);
  EXPECT_EQ(distinct(most).count(), 65536);
}

TEST(DistinctCells, OfAFileAreThoseBelowItsHeader) {
  const CsvCells file = parse_csv_cells("t.csv", "a,b\na,1\n\"a\",2\na ,1\na,1\n", Header::yes);
  EXPECT_EQ(file.distinct_of(0).count(), 3) << "as they stand in the file";
  EXPECT_EQ(file.distinct_of(0).number(3), 0);
  EXPECT_EQ(file.distinct_of(1).count(), 2);
  EXPECT_EQ(file.distinct_of(1).first_row(1), 1);
}

}  // namespace
}  // namespace deepgen::distinct_cells_test
