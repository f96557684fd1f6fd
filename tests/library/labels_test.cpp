// Partly labelled data: labels that are unknown are -1 from the file to the rows a model is given.
#include "deepgen/data/dataset.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/known_labels.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::labels_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;
using fixtures::text;

Tensor labels_of(const Split& split) { return Dataset::rows(split, 0, split.cases(), Rng(1)).y; }

TEST(UnknownLabels, OfArraysAreMinusOneOrNaN) {
  const Dataset whole =
      set_of({{"train", numbered(5, 2)}, {"train_labels", whole_numbers({2, -1, 0, -1, 2})}});
  expect_near(doubles(labels_of(whole.train)), {2, -1, 0, -1, 2}, 0, "whole numbers");
  EXPECT_EQ(whole.classes, 3);
  const float nan = std::nanf("");
  const Dataset reals = set_of({{"train", numbered(3, 2)}, {"train_labels", floats({3, 1}, {nan, 1, -1})}});
  expect_near(doubles(labels_of(reals.train)), {-1, 1, -1}, 0, "reals");
  EXPECT_EQ(reals.train.y.scalar_type(), at::kLong);
  EXPECT_EQ(reals.classes, 2);
  EXPECT_FALSE(all_labelled(Dataset::rows(whole.train, {0, 1}, Rng(1))));
  EXPECT_TRUE(all_labelled(Dataset::rows(whole.train, {0, 2}, Rng(1))));
}

TEST(UnknownLabels, AreSaidAndCounted) {
  const Dataset set = set_of({{"train", numbered(5, 2)}, {"train_labels", whole_numbers({2, -1, 0, -1, 2})}});
  ASSERT_EQ(set.notes.size(), 1U);
  expect_says(set.notes[0], {"2 of 5", "train", "label"});
  EXPECT_TRUE(set_of({{"train", numbered(2, 2)}, {"train_labels", whole_numbers({1, 0})}}).notes.empty());
}

TEST(UnknownLabels, OfAWholePartAreNoLabels) {
  const Dataset set = set_of({{"train", numbered(3, 2)},
                              {"train_labels", whole_numbers({-1, -1, -1})},
                              {"test", numbered(2, 2)},
                              {"test_labels", whole_numbers({1, -1})}});
  EXPECT_FALSE(set.train.y.defined());
  EXPECT_FALSE(labels_of(set.train).defined());
  expect_near(doubles(labels_of(set.test)), {1, -1}, 0, "test");
  EXPECT_EQ(set.classes, 2);
}

TEST(UnknownLabels, StayBesideTheirRowsWhenRowsAreHeldOut) {
  std::vector<std::int64_t> labels;
  for (std::int64_t r = 0; r < 40; ++r) labels.push_back(r % 4 == 0 ? -1 : r % 4);
  const Dataset set = set_of({{"train", numbered(40, 2)}, {"train_labels", whole_numbers(labels)}},
                             {{"valid", "0.25"}, {"test", "10"}});
  std::int64_t seen = 0;
  for (const Split* part : {&set.train, &set.valid, &set.test}) {
    const Rows rows = Dataset::rows(*part, 0, part->cases(), Rng(1));
    ASSERT_TRUE(rows.y.defined()) << part->name;
    for (std::int64_t at = 0; at < rows.size(); ++at, ++seen) {
      const auto row = static_cast<std::size_t>(rows.x[at][0].item<double>() / 100);
      EXPECT_EQ(rows.y[at].item<std::int64_t>(), labels[row]) << part->name << ", row " << row;
    }
  }
  EXPECT_EQ(seen, 40);
  EXPECT_EQ(set.classes, 4);
}

TEST(UnknownLabels, OfACsvFileAreEmptyCells) {
  const Folder folder;
  const std::string numbers = folder.write("n.csv", text("a,class,b\n0.5,1,2\n1.5,,3\n2.5,-1,4\n3.5,0,1\n"));
  const Dataset set = load_dataset(numbers + ":labels=class");
  EXPECT_FALSE(set.table.empty());
  expect_near(doubles(labels_of(set.train)), {1, -1, -1, 0}, 0, "numbers");
  EXPECT_EQ(set.columns(), 2);
  const std::string table =
      folder.write("t.csv", text("job,n,class\na,3,cat\nb,0,\na,5,dog\nb,1,NA\na,2,cat\n"));
  const Dataset mixed = load_dataset(table + ":labels=class");
  expect_near(doubles(labels_of(mixed.train)), {0, -1, 1, -1, 0}, 0, "texts");
  EXPECT_EQ(mixed.classes, 2);
  const std::string numbered_table = folder.write("u.csv", text("job,n,class\na,3,4\nb,0,-1\na,5,\nb,1,0\n"));
  const Dataset coded = load_dataset(numbered_table + ":labels=class");
  expect_near(doubles(labels_of(coded.train)), {4, -1, -1, 0}, 0, "numbers in a table");
  EXPECT_EQ(coded.classes, 5);
  // And in the later files of a run.
  const Learnt learnt = learnt_of(mixed);
  const Dataset later = load_dataset(folder.write("v.csv", text("job,n,class\na,3,dog\nb,0,\n")), &learnt);
  expect_near(doubles(labels_of(later.train)), {1, -1}, 0, "of a run");
}

TEST(UnknownLabels, OtherNumbersAreRefusedWithTheirRow) {
  for (const float wrong : {0.5F, -2.0F, -0.5F, 1e6F, INFINITY}) {
    SCOPED_TRACE(wrong);
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           set_of({{"train", numbered(3, 2)}, {"train_labels", floats({3}, {0, 1, wrong})}});
                         }),
                {"memory", "train_labels", "row 2"});
  }
  const Folder folder;
  for (const char* wrong : {"0.5", "-2", "1000000"}) {
    SCOPED_TRACE(wrong);
    const std::string table =
        folder.write("t.csv", text(std::string("job,class\na,1\nb,") + wrong + "\na,0\n"));
    expect_says(error_of(ErrorKind::data, [&] { load_dataset(table + ":labels=class"); }),
                {"line 3", "class", "label", wrong});
  }
}

TEST(UnknownLabels, OfAnotherNumberThanRowsAreRefused) {
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(3, 2)}, {"train_labels", whole_numbers({0, -1})}});
                       }),
              {"3 labels", "2"});
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(3, 2)}, {"valid_labels", whole_numbers({0})}});
                       }),
              {"0 labels of valid", "1"});
}

// A model without labels learns the same whatever is known of them.
TEST(UnknownLabels, DoNotTouchAModelThatNeedsNone) {
  const Array bits = random_bytes(60, 6, 1, 3);
  std::vector<std::int64_t> labels;
  for (std::int64_t r = 0; r < 60; ++r) labels.push_back(r % 3 - 1);
  const Dataset plain = set_of({{"train", bits}}, {{"valid", "12"}});
  const Dataset partly =
      set_of({{"train", bits}, {"train_labels", whole_numbers(labels)}}, {{"valid", "12"}});
  const Assignments how = {"model.hidden=4", "training.epochs=2", "training.batch=10"};
  expect_equal_runs(straight(how, plain), straight(how, partly), "labels that are not asked for");
}

TEST(UnknownLabels, SurviveFilesAndTheOrderOfCases) {
  const Folder folder;
  const std::string path = folder.path("set.npz");
  write_npz(path, {{"data", random_bytes(4, 3, 1, 1)}, {"data_labels", whole_numbers({0, -1, 1, -1})}});
  const Dataset set = load_dataset(path);
  expect_near(doubles(labels_of(set.train)), {0, -1, 1, -1}, 0, "npz");
  const Split some = select_cases(set.train, {3, 2, 2});
  expect_near(doubles(labels_of(some)), {-1, 1, 1}, 0, "chosen");
  expect_bit_equal(rows_of(some)[1], rows_of(set.train)[2], "beside their rows");
}

TEST(KeptLabels, AreDrawnEvenlyOverTheClassesAndNested) {
  std::vector<std::int64_t> labels;
  for (std::int64_t r = 0; r < 60; ++r) labels.push_back(r % 10 == 0 ? -1 : r < 50 ? r % 2 : 2);
  const auto kept = [&](std::int64_t count, std::uint64_t seed) {
    Dataset set = set_of({{"train", numbered(60, 2)}, {"train_labels", whole_numbers(labels)}});
    const std::vector<std::string> notes = set.notes;
    keep_labels(set, count, seed);
    EXPECT_EQ(set.notes.size(), notes.size() + 1);
    return set.train.y;
  };
  const Tensor twelve = kept(12, 1), six = kept(6, 1);
  for (const std::int64_t c : {0, 1, 2}) {
    EXPECT_EQ((twelve == c).sum().item<std::int64_t>(), 4) << c;
    EXPECT_EQ((six == c).sum().item<std::int64_t>(), 2) << c;
  }
  EXPECT_TRUE(at::equal(twelve.index({six >= 0}), six.index({six >= 0}))) << "the fewer are among the more";
  EXPECT_FALSE(at::equal(kept(6, 2), six));
  EXPECT_TRUE(at::equal(kept(54, 1), at::tensor(labels, at::kLong))) << "all of them";
  EXPECT_FALSE(kept(0, 1).defined());
  fixtures::expect_error("memory", "labelled=55", [&] { kept(55, 1); });
}

TEST(KeptLabels, AreAnOptionOfEverySet) {
  const Dataset set = load_dataset("glyphs:binarize=none,labelled=20,train=200,test=20,valid=20");
  EXPECT_EQ((set.train.y >= 0).sum().item<std::int64_t>(), 20);
  EXPECT_TRUE((set.test.y >= 0).all().item<bool>());
  EXPECT_TRUE(at::equal(set.train.y,
                        load_dataset("glyphs:binarize=none,labelled=20,train=200,test=20,valid=20").train.y));
}

}  // namespace
}  // namespace deepgen::labels_test
