// What stands beside rows in files: labels, of which some may be unknown, and sequences; and what is told of
// them without loading a set.
#include "deepgen/data/files/part_facts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "file_fixtures.h"

namespace deepgen::part_facts_test {
namespace {

using namespace fixtures;
using Numbers = std::vector<std::int64_t>;

const double nan = std::nan("");

// ---------------------------------------------------------------- labels

TEST(LabelNumbers, AreWholeFromMinusOneOn) {
  for (const double good : {-1.0, 0.0, 1.0, 999999.0}) EXPECT_TRUE(is_label(good)) << good;
  for (const double wrong : {-2.0, -0.5, 0.5, 1e6, 1e300, double{INFINITY}, double{-INFINITY}, nan})
    EXPECT_FALSE(is_label(wrong)) << wrong;
  EXPECT_EQ(values<std::int64_t>(read_labels({3, nan, -1, 0}, "f", "here")), (Numbers{3, -1, -1, 0}));
  expect_error("f", "in here, got 0.5 at row 1", [] { read_labels({3, 0.5}, "f", "here"); });
}

TEST(LabelNumbers, AreCounted) {
  const LabelCounts counts = count_labels(read_labels({3, nan, -1, 0}, "f", "here"));
  EXPECT_EQ(counts.known, 2);
  EXPECT_EQ(counts.unknown, 2);
  EXPECT_EQ(counts.classes, 4);
  EXPECT_EQ(count_labels(read_labels({nan}, "f", "here")).classes, 0);
}

TEST(ArrayColumns, AreReadFromEveryType) {
  EXPECT_EQ(column_values(array<std::uint8_t>(DType::u8, {2, 2}, {1, 255, 3, 4}), 1),
            (std::vector<double>{255, 4}));
  EXPECT_EQ(column_values(array<std::int8_t>(DType::i8, {2}, {-1, 4}), 0), (std::vector<double>{-1, 4}));
  EXPECT_EQ(column_values(array<std::uint16_t>(DType::u16, {1}, {65535}), 0), (std::vector<double>{65535}));
  EXPECT_EQ(column_values(array<std::int16_t>(DType::i16, {1}, {-5}), 0), (std::vector<double>{-5}));
  EXPECT_EQ(column_values(array<std::int32_t>(DType::i32, {1, 1}, {-70000}), 0),
            (std::vector<double>{-70000}));
  EXPECT_EQ(column_values(array<std::int64_t>(DType::i64, {1, 1, 2}, {7, 8}), 1), (std::vector<double>{8}));
  EXPECT_EQ(column_values(array<float>(DType::f32, {2, 1}, {0.5F, 1.5F}), 0),
            (std::vector<double>{0.5, 1.5}));
  EXPECT_EQ(column_values(array<double>(DType::f64, {1, 3}, {1, 2, 0.1}), 2), (std::vector<double>{0.1}));
}

// ---------------------------------------------------------------- sequences

TEST(SequenceStarts, ComeFromLengths) {
  EXPECT_EQ(starts_of_lengths(array<std::uint8_t>(DType::u8, {3}, {2, 1, 4}), 7, "f", "l"),
            (Starts{0, 2, 3}));
  EXPECT_EQ(starts_of_lengths(array<std::int64_t>(DType::i64, {1}, {5}), 5, "f", "l"), (Starts{0}));
  const auto refused = [](const Array& lengths, const std::string& part) {
    expect_error("f", part, [&] { starts_of_lengths(lengths, 5, "f", "l"); });
  };
  refused(array<std::int32_t>(DType::i32, {2}, {2, 2}), "add up to its 5 rows, got 4");
  refused(array<std::int32_t>(DType::i32, {2}, {2, 4}), "add up to its 5 rows, got more");
  refused(array<std::int32_t>(DType::i32, {2}, {0, 5}), "1 or more in l, got 0 at place 0");
  refused(array<std::int64_t>(DType::i64, {2}, {INT64_MAX, INT64_MAX}), "got more");
  refused(array<std::int64_t>(DType::i64, {1}, {INT64_MIN}), "1 or more");
  refused(array<double>(DType::f64, {2}, {2, 3}), "list of whole numbers, got [2] float64");
  refused(array<std::int32_t>(DType::i32, {1, 2}, {2, 3}), "list of whole numbers, got [1, 2]");
  refused(make_array(DType::i32, {0}), "add up to its 5 rows, got 0");
}

TEST(SequenceStarts, ComeFromNames) {
  EXPECT_EQ(starts_of_numbers({4, 4, 1, 9, 9}, "f", "column 0"), (Starts{0, 2, 3}));
  expect_error("f", "got 4 again in column 0 at row 2", [] {
    starts_of_numbers({4, 1, 4}, "f", "column 0");
  });
  expect_error("f", "a missing cell at row 1", [] { starts_of_numbers({4, nan}, "f", "column 0"); });
  expect_error("f", "an infinite number", [] { starts_of_numbers({INFINITY}, "f", "column 0"); });
  const CsvCells file = parse_csv_cells("f", "id,a\n p,1\np ,2\nq,3\n", Header::yes);
  EXPECT_EQ(starts_of_cells(file, 0, "f"), (Starts{0, 2})) << "blanks do not count";
}

TEST(SequenceStarts, SayWhichRowsACaseHas) {
  const Starts starts = {0, 2, 3};
  const CaseRows some = rows_of_cases(starts, 7, Numbers{2, 0, 0});
  EXPECT_EQ(some.rows, (Numbers{3, 4, 5, 6, 0, 1, 0, 1}));
  EXPECT_EQ(some.starts, (Starts{0, 4, 6}));
}

TEST(SequenceStarts, SplitsTakeWholeSequences) {
  Starts starts;
  for (std::int64_t r = 0; r < 100; r += 5) starts.push_back(r);
  DataOptions options;
  options.valid = 0.25, options.test = 3;
  const RowParts parts = split_rows(100, options, "f", starts);
  EXPECT_EQ(parts.train_starts.size(), 12U);
  EXPECT_EQ(parts.valid_starts.size(), 5U);
  EXPECT_EQ(parts.test.size(), 15U);
  for (const auto* part : {&parts.train, &parts.valid, &parts.test})
    for (std::size_t i = 0; i < part->size(); ++i)
      EXPECT_EQ((*part)[i] % 5, static_cast<std::int64_t>(i % 5)) << "rows of a sequence follow each other";
  const RowParts rows = split_rows(20, options, "f");
  EXPECT_TRUE(rows.train_starts.empty());
  EXPECT_EQ(rows.train.size(), 12U);
  options.valid = 0.01;
  expect_error("f", "at least one of 20 cases", [&] { split_rows(100, options, "f", starts); });
}

// ---------------------------------------------------------------- what is told of a set

RawSet arrays_of(NamedArrays arrays) {
  return {.name = "f", .description = "", .arrays = std::move(arrays), .case_shape = {}, .column_names = {}};
}

TEST(PartFacts, CountRowsCasesAndLabels) {
  const RawSet set = arrays_of({{"train", make_array(DType::u8, {5, 2})},
                                {"train_labels", array<std::int8_t>(DType::i8, {5}, {1, -1, 0, -1, 2})},
                                {"train_lengths", array<std::int32_t>(DType::i32, {2}, {3, 2})},
                                {"test", make_array(DType::u8, {4, 2})},
                                {"test_lengths", array<std::int32_t>(DType::i32, {1}, {4})}});
  const auto facts = facts_of_parts(set, {});
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].name, "train");
  EXPECT_EQ(facts[0].rows, 5);
  EXPECT_EQ(facts[0].cases, 2);
  EXPECT_TRUE(facts[0].sequences);
  ASSERT_TRUE(facts[0].labels);
  EXPECT_EQ(facts[0].labels->known, 3);
  EXPECT_EQ(facts[0].labels->unknown, 2);
  EXPECT_EQ(facts[0].labels->classes, 3);
  EXPECT_EQ(facts[1].cases, 1);
  EXPECT_FALSE(facts[1].labels);
  DataOptions rows;
  rows.sequence = "none";
  EXPECT_EQ(facts_of_parts(set, rows)[0].cases, 5);
  EXPECT_FALSE(facts_of_parts(set, rows)[0].sequences);
}

TEST(PartFacts, ColumnsOfAFile) {
  const Folder folder;
  const auto facts = [&](const std::string& content, const std::string& options) {
    const DataSpec spec = parse_data_spec(folder.write("a.csv", text(content)) + options);
    return facts_of_parts(read_set(spec), check_spec(spec)).at(0);
  };
  const PartFacts numbers = facts("1,0.5,7\n1,2,-1\n2,3,\n", ":sequence=0,labels=2");
  EXPECT_EQ(numbers.cases, 2);
  EXPECT_EQ(numbers.labels->known, 1);
  EXPECT_EQ(numbers.labels->unknown, 2);
  const PartFacts table = facts("id,x,class\na,1,cat\na,2,\nb,3,dog\nb,4,cat\n", ":sequence=id,labels=class");
  EXPECT_EQ(table.rows, 4);
  EXPECT_EQ(table.cases, 2);
  EXPECT_EQ(table.labels->unknown, 1);
  EXPECT_EQ(table.labels->classes, 2);
  EXPECT_FALSE(facts("id,x\na,1\nb,2\n", "").labels);
}

TEST(PartFacts, RefuseWhatLoadingWouldRefuse) {
  const Array rows = make_array(DType::u8, {3, 2});
  expect_error("f", "3 labels of train", [&] {
    facts_of_parts(arrays_of({{"train", rows}, {"train_labels", make_array(DType::u8, {2})}}), {});
  });
  expect_error("f", "train_lengths", [&] {
    facts_of_parts(arrays_of({{"train", rows}, {"train_lengths", make_array(DType::u8, {3})}}), {});
  });
  DataOptions options;
  options.labels = "1";
  expect_error("f", "2 columns in test", [&] {
    facts_of_parts(arrays_of({{"train", rows}, {"test", make_array(DType::u8, {3, 1})}}), options);
  });
}

}  // namespace
}  // namespace deepgen::part_facts_test
