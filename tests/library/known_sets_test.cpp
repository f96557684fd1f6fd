// The real sets, where DEEPGEN_DATA has them, against what is published of them; and files on their way in.
#include <cstdlib>

#include "deepgen/data/files/npz.h"
#include "tests/library/runs.h"

namespace deepgen::known_sets_test {
namespace {

using namespace machines;

// Mean negative log-likelihood of independent units at the training marginals, one pseudo-count of each
// value.
double base_rate(const Dataset& set) {
  const Tensor train = Dataset::rows(set.train, 0, set.train.rows(), Rng(1)).x.to(at::kDouble);
  const Tensor test = Dataset::rows(set.test, 0, set.test.rows(), Rng(1)).x.to(at::kDouble);
  const Tensor p = (train.sum(0) + 1) / (real(train.size(0)) + 2);
  return -(test.mv(p.log()) + (1 - test).mv((1 - p).log())).mean().item<double>();
}

void expect_parts(const Dataset& set, std::int64_t train, std::int64_t valid, std::int64_t test) {
  EXPECT_EQ(set.train.rows(), train);
  EXPECT_EQ(set.valid.rows(), valid);
  EXPECT_EQ(set.test.rows(), test);
}

TEST(KnownSets, BinarizedMnistHasItsShapeAndBaseRate) {
  if (fixtures::real_file("binarized_mnist/binarized_mnist.npz").empty()) GTEST_SKIP() << "not installed";
  const Dataset set = load_dataset("binarized_mnist");
  expect_parts(set, 50000, 10000, 10000);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{1, 28, 28}));
  EXPECT_EQ(set.values, ValueKind::binary);
  EXPECT_EQ(set.classes, 10);
  EXPECT_NEAR(base_rate(set), 205.793, 0.0006);
}

TEST(KnownSets, MnistHasItsSplitsAndLevels) {
  if (fixtures::real_file("mnist/train-images-idx3-ubyte.gz").empty()) GTEST_SKIP() << "not installed";
  const Dataset set = load_dataset("mnist:binarize=none");
  expect_parts(set, 50000, 10000, 10000);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{1, 28, 28}));
  EXPECT_EQ(set.values, ValueKind::grey);
  EXPECT_EQ(set.binarize, "none");
  const double train = set.train.x.sum().item<double>() + set.valid.x.sum().item<double>();
  EXPECT_NEAR(train / 255 / 784 / 60000, 0.13066, 5e-6);
  EXPECT_NEAR(set.test.x.sum().item<double>() / 255 / 784 / 10000, 0.13251, 5e-6);
  ASSERT_TRUE(set.test.y.defined());
  EXPECT_EQ(set.test.y[0].item<std::int64_t>(), 7);  // the first test picture is a 7
  EXPECT_EQ(set.train.y[0].item<std::int64_t>(), 5);
}

TEST(KnownSets, ChoralesAreFramesOrSequences) {
  if (fixtures::real_file("polyphonic/JSB_Chorales.npz").empty()) GTEST_SKIP() << "not installed";
  const Dataset frames = load_dataset("jsb_chorales"), whole = load_dataset("jsb_chorales:sequence=lengths");
  EXPECT_FALSE(frames.train.starts.defined());
  EXPECT_EQ(frames.train.cases(), frames.train.rows());
  expect_bit_equal(whole.train.x, frames.train.x, "the same frames");
  EXPECT_LT(whole.train.cases(), whole.train.rows() / 10);
  EXPECT_FALSE(frames.describe().contains("train_cases")) << "runs of frames go on as before";
}

TEST(KnownSets, MotionIsThreeSequencesOfColumnsThatVary) {
  if (fixtures::real_file("mocap/motion_mit.npz").empty()) GTEST_SKIP() << "not installed";
  const Dataset set = load_dataset("mocap");
  EXPECT_EQ(set.train.cases(), 3);
  EXPECT_EQ(set.train.rows(), 3826);
  EXPECT_EQ(set.columns(), 49);
  EXPECT_EQ(set.values, ValueKind::real);
  EXPECT_GT(set.train.x.var(0).min().item<double>(), 0);
  EXPECT_EQ(set.train.starts[1].item<std::int64_t>(), 438);
  EXPECT_EQ(load_dataset("mocap:sequence=none").train.cases(), 3826);
}

TEST(KnownSets, AMissingOneSaysWhereToGetIt) {
  const char* kept = std::getenv("DEEPGEN_DATA");
  const std::string before = kept ? kept : "";
  const fixtures::Folder empty;
  ::setenv("DEEPGEN_DATA", empty.path("nothing").c_str(), 1);
  ::setenv("XDG_DATA_HOME", empty.path("nothing").c_str(), 1);
  const std::string message = error_of(ErrorKind::data, [] { load_dataset("binarized_mnist"); });
  expect_says(message, {"binarized_mnist.npz", empty.path("nothing")});
  ::unsetenv("XDG_DATA_HOME");
  if (kept)
    ::setenv("DEEPGEN_DATA", before.c_str(), 1);
  else
    ::unsetenv("DEEPGEN_DATA");
}

TEST(Archives, HaveTheirPartsAndLabels) {
  const fixtures::Folder folder;
  const std::string path = folder.path("set.npz");
  Array labels = make_array(DType::u8, {8});
  labels.bytes = {0, 1, 2, 3, 0, 1, 2, 3};
  write_npz(path, {{"train", runs::random_bytes(8, 6, 1, 1)},
                   {"test", runs::random_bytes(3, 6, 1, 2)},
                   {"train_labels", labels}});
  const Dataset set = load_dataset(path);
  expect_parts(set, 8, 0, 3);
  EXPECT_EQ(set.classes, 4);
  write_npz(path, {{"anything", runs::random_bytes(8, 6, 1, 1)}});
  EXPECT_EQ(load_dataset(path).train.rows(), 8);
  write_npz(path, {{"one", runs::random_bytes(8, 6, 1, 1)}, {"two", runs::random_bytes(8, 6, 1, 1)}});
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(path); }), {"one", "two", "matrix="});
}

TEST(GeneratedSets, ThatAreReadInSeveralWaysWantTheirBinarisationSaid) {
  const std::string small = "glyphs:train=5,valid=2,test=2";
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(small); }),
              {"glyphs", "binarize=none", "dynamic"});
  EXPECT_EQ(load_dataset(small + ",binarize=none").values, ValueKind::grey);
  EXPECT_EQ(load_dataset(small + ",binarize=threshold").values, ValueKind::binary);
  EXPECT_EQ(load_dataset(small + ",standardise=true").values, ValueKind::real);
}

TEST(GeneratedSets, AreTheSameEachTime) {
  const Dataset a = load_dataset("bars_and_stripes:size=4"), b = load_dataset("bars_and_stripes:size=4");
  EXPECT_EQ(a.columns(), 16);
  expect_bit_equal(a.train.x, b.train.x, "train");
  EXPECT_FALSE(at::equal(a.train.x, load_dataset("bars_and_stripes:size=4,seed=9").train.x));
}

}  // namespace
}  // namespace deepgen::known_sets_test
