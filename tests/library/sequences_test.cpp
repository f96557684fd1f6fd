// Sequences: cases that are runs of rows, from the file to the rows a model is given.
#include <set>

#include "deepgen/data/dataset.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/evaluate/frame_prediction.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"
#include "tests/library/toy_models.h"

namespace deepgen::sequences_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;
using fixtures::text;

Array lengths(const std::vector<std::int32_t>& values) {
  return fixtures::array<std::int32_t>(DType::i32, {static_cast<std::int64_t>(values.size())}, values);
}

// Rows 0 .. 9 in sequences of 2, 1, 4 and 3 rows.
Dataset four_sequences(const std::map<std::string, std::string>& settings = {}) {
  return set_of({{"train", numbered(10, 2)}, {"train_lengths", lengths({2, 1, 4, 3})}}, settings);
}

// The number of each row: numbered() has 100 r in column 0.
std::vector<std::int64_t> row_numbers(const Tensor& x) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t r = 0; r < x.size(0); ++r)
    numbers.push_back(static_cast<std::int64_t>(x[r][0].item<double>()) / 100);
  return numbers;
}

using Numbers = std::vector<std::int64_t>;

TEST(Sequences, AreCasesOfManyRows) {
  const Dataset set = four_sequences();
  EXPECT_EQ(set.train.cases(), 4);
  EXPECT_EQ(set.train.rows(), 10);
  expect_near(doubles(set.train.starts), {0, 2, 3, 7}, 0, "starts");
  EXPECT_EQ(set.shape, (Numbers{2})) << "of a row";
  EXPECT_EQ(set.data_shape().columns, 2);
  EXPECT_EQ(set.describe()["train_cases"], 4);
  EXPECT_EQ(set.describe()["train_rows"], 10);
  EXPECT_FALSE(set_of({{"train", numbered(3, 2)}}).describe().contains("train_cases"));
}

TEST(Sequences, RowsAreThoseOfTheCasesInTheirOrder) {
  const Dataset set = four_sequences();
  const Rows rows = Dataset::rows(set.train, {2, 0, 2}, Rng(1));
  EXPECT_EQ(row_numbers(rows.x), (Numbers{3, 4, 5, 6, 0, 1, 3, 4, 5, 6}));
  expect_near(doubles(rows.starts), {0, 4, 6}, 0, "starts");
  EXPECT_EQ(rows.cases(), 3);
  const Rows neighbours = Dataset::rows(set.train, 1, 2, Rng(1));
  EXPECT_EQ(row_numbers(neighbours.x), (Numbers{2, 3, 4, 5, 6}));
  expect_near(doubles(neighbours.starts), {0, 1}, 0, "starts");
  EXPECT_EQ(Dataset::rows(set.train, Numbers{}, Rng(1)).cases(), 0);
  const Dataset plain = set_of({{"train", numbered(3, 2)}});
  EXPECT_FALSE(Dataset::rows(plain.train, {0, 1}, Rng(1)).starts.defined());
}

TEST(Sequences, StayWholeWhenSomeAreHeldOut) {
  std::vector<std::int32_t> sizes;
  std::int64_t rows = 0;
  for (std::int32_t s = 0; s < 20; ++s) sizes.push_back(1 + s % 5), rows += sizes.back();
  const Dataset set = set_of({{"train", numbered(rows, 2)}, {"train_lengths", lengths(sizes)}},
                             {{"valid", "0.25"}, {"test", "3"}});
  EXPECT_EQ(set.train.cases(), 12);
  EXPECT_EQ(set.valid.cases(), 5) << "a quarter of the sequences";
  EXPECT_EQ(set.test.cases(), 3);
  std::set<std::int64_t> all;
  for (const Split* part : {&set.train, &set.valid, &set.test}) {
    for (std::int64_t c = 0; c < part->cases(); ++c) {
      const Numbers numbers = row_numbers(Dataset::rows(*part, c, 1, Rng(1)).x);
      // A sequence of the file: its first row begins one, and the others follow.
      std::int64_t first = 0;
      std::size_t number = 0;
      while (first < numbers[0]) first += sizes[number++];
      EXPECT_EQ(first, numbers[0]) << part->name;
      ASSERT_EQ(numbers.size(), static_cast<std::size_t>(sizes[number])) << part->name;
      for (std::size_t i = 0; i < numbers.size(); ++i)
        EXPECT_EQ(numbers[i], first + static_cast<std::int64_t>(i));
      all.insert(numbers.begin(), numbers.end());
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(all.size()), rows) << "every row once";
}

TEST(Sequences, PartsHaveTheirOwn) {
  const Folder folder;
  const std::string path = folder.path("set.npz");
  write_npz(path, {{"train", numbered(6, 2)},
                   {"train_lengths", lengths({4, 2})},
                   {"test", numbered(3, 2)},
                   {"test_lengths", whole_numbers({1, 1, 1})}});
  const Dataset set = load_dataset(path);
  EXPECT_EQ(set.train.cases(), 2);
  EXPECT_EQ(set.test.cases(), 3);
  EXPECT_TRUE(set.test.starts.defined()) << "sequences of one row";
  EXPECT_FALSE(load_dataset(path + ":sequence=none").train.starts.defined());
  EXPECT_EQ(load_dataset(path + ":sequence=lengths").train.cases(), 2);
  write_npz(path, {{"data", numbered(6, 2)}, {"data_lengths", lengths({5, 1})}});
  EXPECT_EQ(load_dataset(path).train.cases(), 2);
}

TEST(Sequences, ThatDoNotFitTheirRowsAreRefused) {
  const auto refused = [](const Array& wrong, const std::vector<std::string>& parts) {
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           set_of({{"train", numbered(6, 2)}, {"train_lengths", wrong}});
                         }),
                parts);
  };
  refused(lengths({4, 3}), {"train_lengths", "6"});
  refused(lengths({4, 1}), {"train_lengths", "6", "5"});
  refused(lengths({4, 0, 2}), {"train_lengths", "1 or more", "place 1"});
  refused(lengths({7, -1}), {"train_lengths", "6"});
  refused(lengths({}), {"train_lengths", "6"});
  refused(floats({2}, {4, 2}), {"train_lengths", "whole numbers"});
  refused(whole_numbers({std::numeric_limits<std::int64_t>::max(), 8}), {"train_lengths", "6"});
  expect_says(
      error_of(
          ErrorKind::data,
          [] {
            set_of({{"train", numbered(6, 2)}, {"train_lengths", lengths({6})}, {"valid", numbered(2, 2)}});
          }),
      {"valid_lengths"});
  expect_says(
      error_of(
          ErrorKind::data,
          [] {
            set_of({{"train", numbered(6, 2)}, {"valid", numbered(2, 2)}, {"valid_lengths", lengths({2})}});
          }),
      {"train_lengths"});
  error_of(ErrorKind::data, [] { set_of({{"train", numbered(6, 2)}, {"test_lengths", lengths({2})}}); });
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(6, 2)}}, {{"sequence", "lengths"}});
                       }),
              {"train_lengths"});
}

TEST(Sequences, OfPicturesAreRefused) {
  expect_says(
      error_of(ErrorKind::data,
               [] {
                 set_of({{"train", make_array(DType::u8, {4, 3, 3})}, {"train_lengths", lengths({4})}});
               }),
      {"pictures", "[4, 3, 3]"});
}

TEST(Sequences, AreNamedByAColumnOfNumbers) {
  const Folder folder;
  const std::string path =
      folder.write("s.csv", text("a,id,b,class\n1.5,7,0,1\n2.5,7,1,0\n3.5,3,0,1\n4.5,9,0,0\n5.5,9,1,1\n"));
  const Dataset set = load_dataset(path + ":sequence=id,labels=class");
  EXPECT_FALSE(set.table.empty());
  EXPECT_EQ(set.train.cases(), 3);
  EXPECT_EQ(set.column_names, (std::vector<std::string>{"a", "b"})) << "neither name nor class is modelled";
  const double z = std::sqrt(0.5);
  expect_near(doubles(rows_of(set.train)), {-2 * z, 0, -z, 1, 0, 0, z, 0, 2 * z, 1}, 1e-6,
              "cells, a standardised");
  expect_near(doubles(Dataset::rows(set.train, {2}, Rng(1)).y), {0, 1}, 0, "labels of rows");
  error_of(ErrorKind::usage, [&] { load_dataset(path + ":sequence=id,labels=1"); });
  error_of(ErrorKind::usage, [&] { load_dataset(path + ":sequence=di"); });
}

TEST(Sequences, AreNamedByAColumnOfATable) {
  const Folder folder;
  const std::string rows = "song,job,n\nx,a,3\nx,b,0\ny,a,5\nz,b,1\nz,b,2\nz,a,0\n";
  const std::string path = folder.write("t.csv", text(rows));
  const Dataset set = load_dataset(path + ":sequence=song");
  EXPECT_EQ(set.train.cases(), 3);
  EXPECT_EQ(set.columns(), 2);
  const Dataset parts = load_dataset(path + ":sequence=song,valid=1");
  EXPECT_EQ(parts.train.cases(), 2);
  EXPECT_EQ(parts.valid.cases(), 1);
  std::set<std::int64_t> all(parts.train.table_rows.begin(), parts.train.table_rows.end());
  all.insert(parts.valid.table_rows.begin(), parts.valid.table_rows.end());
  EXPECT_EQ(all.size(), 6U);
  for (const Split* part : {&parts.train, &parts.valid})
    for (std::int64_t c = 0; c < part->cases(); ++c) {
      const std::int64_t first = part->starts[c].item<std::int64_t>();
      const std::int64_t end =
          c + 1 < part->cases() ? part->starts[c + 1].item<std::int64_t>() : part->rows();
      std::set<std::string> names;
      for (std::int64_t r = first; r < end; ++r)
        names.insert(std::string(set.file.cells->cell(part->table_rows[static_cast<std::size_t>(r)], 0)));
      EXPECT_EQ(names.size(), 1U) << "one sequence";
    }
  EXPECT_EQ(learnt_of(set).table.columns[0].kind, TableColumnKind::sequence);
  error_of(ErrorKind::usage, [&] { load_dataset(path + ":sequence=song,weight=n"); });
  error_of(ErrorKind::data, [&] { load_dataset(path + ":sequence=lengths"); });
}

TEST(Sequences, RowsOfOneNameAreNeighbours) {
  const Folder folder;
  const std::string numbers = folder.write("n.csv", text("1,5\n1,6\n2,7\n1,8\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(numbers + ":sequence=0"); }),
              {"n.csv", "line 4", "'v0'", "'1'"});
  const std::string table = folder.write("t.csv", text("id,job\np,a\nq,b\np,a\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(table + ":sequence=id"); }),
              {"t.csv", "line 4", "id", "'p'"});
  const std::string gap = folder.write("g.csv", text("id,job\np,a\n,b\nq,a\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(gap + ":sequence=id"); }), {"line 3", "missing"});
  const std::string hole = folder.write("h.csv", text("1,5\n,6\n2,7\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(hole + ":sequence=0"); }), {"line 2", "missing"});
}

// Names that are equal as float32 are different sequences all the same.
TEST(Sequences, LargeNumbersAreDifferentNames) {
  const Folder folder;
  const std::string path = folder.write("n.csv", text("16777216,5\n16777217,6\n16777217,7\n"));
  EXPECT_EQ(load_dataset(path + ":sequence=0").train.cases(), 2);
}

// ---------------------------------------------------------------- later files of a run

TEST(SequencesOfARun, LaterFilesMustHaveThem) {
  const Learnt learnt = learnt_of(four_sequences());
  EXPECT_TRUE(learnt.sequences);
  const Dataset later = set_of({{"train", numbered(3, 2)}, {"train_lengths", lengths({1, 2})}}, {}, &learnt);
  EXPECT_EQ(later.train.cases(), 2);
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of({{"train", numbered(3, 2)}}, {}, &learnt);
                       }),
              {"sequences", "train_lengths"});
  const Folder folder;
  const Dataset table =
      load_dataset(folder.write("t.csv", text("song,job,n\nx,a,3\nx,b,0\ny,a,5\n")) + ":sequence=song");
  const Learnt of_table = learnt_of(table);
  const std::string named = folder.write("u.csv", text("song,job,n\nq,a,3\nr,b,0\nr,b,0\n"));
  EXPECT_EQ(load_dataset(named, &of_table).train.cases(), 2);
  const std::string bare = folder.write("v.csv", text("job,n\na,3\nb,0\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(bare, &of_table); }), {"sequence"});
}

// A run that was trained row by row goes on so, whatever else the file says.
TEST(SequencesOfARun, OfRowsAreNone) {
  const Learnt learnt = learnt_of(set_of({{"train", numbered(5, 2)}}));
  EXPECT_FALSE(learnt.sequences);
  const Dataset later = set_of({{"train", numbered(3, 2)}, {"train_lengths", lengths({1, 2})}}, {}, &learnt);
  EXPECT_FALSE(later.train.starts.defined());
  EXPECT_EQ(later.train.cases(), 3);
  error_of(ErrorKind::usage, [&] {
    set_of({{"train", numbered(3, 2)}, {"train_lengths", lengths({1, 2})}}, {{"sequence", "lengths"}},
           &learnt);
  });
}

// ---------------------------------------------------------------- rows of sequences

TEST(RowsOfSequences, AreMappedCaseByCase) {
  const Dataset set = four_sequences();
  const Tensor mapped = map_rows(set.train, {3, 1}, Rng(1), [](const Rows& rows) {
    EXPECT_EQ(rows.cases(), 2);
    return rows.x.select(1, 0);
  });
  expect_near(doubles(mapped), {700, 800, 900, 200}, 0, "rows of the chosen cases");
  EXPECT_EQ(map_rows(set.train, Rng(1), [](const Rows& rows) { return rows.x.sum(1); }).size(0), 10);
}

TEST(RowsOfSequences, AreSummedByCase) {
  const Tensor starts = at::tensor(Numbers{0, 2, 3}, at::kLong);
  const Tensor values = at::tensor({1.0F, 2.0F, 4.0F, 8.0F, 16.0F});
  expect_near(doubles(case_lengths(starts, 5)), {2, 1, 2}, 0, "lengths");
  expect_near(doubles(case_sums(values, starts)), {3, 4, 24}, 0, "sums");
  expect_near(doubles(case_sums(values, {})), {1, 2, 4, 8, 16}, 0, "every row a case");
}

TEST(RowsOfSequences, AreBinarisedAndTransformedLikeOthers) {
  const NamedArrays grey = {{"train", random_bytes(30, 4, 255, 5)}};
  NamedArrays sequences = grey;
  sequences["train_lengths"] = lengths({10, 1, 19});
  for (const std::map<std::string, std::string>& how :
       std::vector<std::map<std::string, std::string>>{{{"binarize", "static"}},
                                                       {{"binarize", "dynamic"}},
                                                       {{"standardise", "true"}},
                                                       {{"dequantise", "true"}}}) {
    SCOPED_TRACE(how.begin()->first);
    const Dataset plain = set_of(grey, how), runs = set_of(sequences, how);
    EXPECT_EQ(runs.train.cases(), 3);
    expect_bit_equal(rows_of(runs.train), rows_of(plain.train), "the same rows");
  }
}

TEST(RowsOfSequences, AreChosenWithAllThatIsKnownOfThem) {
  const Dataset set = set_of({{"train", numbered(10, 2)},
                              {"train_lengths", lengths({2, 1, 4, 3})},
                              {"train_labels", whole_numbers({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})}});
  const Split some = select_cases(set.train, {3, 0});
  EXPECT_EQ(some.cases(), 2);
  EXPECT_EQ(row_numbers(rows_of(some)), (Numbers{7, 8, 9, 0, 1}));
  expect_near(doubles(some.y), {7, 8, 9, 0, 1}, 0, "labels");
  expect_near(doubles(some.starts), {0, 3}, 0, "starts");
}

// A frame is the one two before it, and 150 more.
class TwoBefore : public toys::ToyModel, public CanContinue {
 public:
  std::int64_t needed_rows() const override { return 2; }
  Tensor continue_sequences(const Rows& begun, std::int64_t steps, Rng&) const override {
    EXPECT_EQ(steps, 1);
    EXPECT_EQ(case_lengths(begun.starts, begun.size()).max().item<std::int64_t>(), 2);
    return (begun.x.index_select(0, begun.starts) + 150).unsqueeze(1);
  }
};

TEST(FramePrediction, IsOfFramesWithEnoughBeforeThemInTheirCase) {
  const Dataset set =
      four_sequences();  // rows are 100 apart; of 4 and 3 rows two and one have two before them
  Observer silent;
  const std::vector<Score> scores = frame_prediction_scores(TwoBefore(), set.train, Rng(1), silent);
  ASSERT_EQ(scores.size(), 2U);
  EXPECT_EQ(scores[0].metric, "frame_prediction_error");
  EXPECT_NEAR(scores[0].value, 50 * 50, 1e-2);
  EXPECT_NEAR(scores[1].value, 100 * 100, 1e-2);
  for (const Score& score : scores) {
    EXPECT_EQ(score.rows, 3);
    EXPECT_EQ(score.kind, ScoreKind::proxy);
    EXPECT_FALSE(score.standard_error);
  }
  const Dataset plain = set_of({{"train", numbered(5, 2)}});
  EXPECT_TRUE(frame_prediction_scores(TwoBefore(), plain.train, Rng(1), silent).empty()) << "no sequences";
}

}  // namespace
}  // namespace deepgen::sequences_test
