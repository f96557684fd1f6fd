// Matrices of float64 and of long whole numbers: rounded when they are near 0, or refused; and archives by the name
// of their matrix.
#include <cmath>
#include <numeric>

#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/evaluate/likelihood.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::wide_numbers_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;

Array far_from_zero(DType type) {
  if (type == DType::f64) {
    std::vector<double> values(20);
    std::iota(values.begin(), values.end(), 1e9);
    return fixtures::array<double>(type, {20, 1}, values);
  }
  std::vector<std::int64_t> values(20);
  std::iota(values.begin(), values.end(), std::int64_t{1000000000});
  return fixtures::array<std::int64_t>(type, {20, 1}, values);
}

TEST(WideNumbers, AreStandardisedBeforeTheyAreRounded) {
  for (const DType type : {DType::f64, DType::i64}) {
    const Dataset set = set_of({{"train", far_from_zero(type)}}, {{"standardise", "true"}});
    const double variance = (20.0 * 20 - 1) / 12;
    EXPECT_NEAR(set.transform.mean[0], 1000000009.5, 1e-6);
    EXPECT_NEAR(set.transform.deviation[0], std::sqrt(variance), 1e-9);
    const Tensor x = rows_of(set.train);
    for (std::int64_t i = 0; i < 20; ++i)
      EXPECT_NEAR(x[i][0].item<double>(), (static_cast<double>(i) - 9.5) / std::sqrt(variance), 1e-6);
    const Tensor back = set.transform.invert(x);
    EXPECT_NEAR(back[7][0].item<double>(), 1000000007.0, 1e-4) << "float32 would say 1e9";
    // By a run, row by row as in training.
    const Learnt learnt = learnt_of(set);
    expect_bit_equal(rows_of(set_of({{"train", far_from_zero(type)}}, {}, &learnt).train), x, "by a run");
  }
}

TEST(WideNumbers, HaveTheDensityOfTheirUnits) {
  const Dataset set = set_of({{"train", far_from_zero(DType::f64)}}, {{"standardise", "true"}});
  const Assignments assignments = {"model.components=1", "training.pseudo_count=0"};
  const auto model = make_model(settings_of(assignments, "gaussian_mixture"), set);
  Trainer trainer(model, set, settings_of(assignments, "gaussian_mixture"), 1);
  StopAfter never;
  trainer.run(never);
  Observer silent;
  bool found = false;
  for (const Score& score : evaluate_model(*model, set, "train", {"quick", 5, 5}, Rng(1), silent)) {
    if (score.metric != "log_prob") continue;
    EXPECT_NEAR(score.value, -3.171, 5e-4);  // -(log(2 pi 33.25) + 1) / 2
    found = true;
  }
  EXPECT_TRUE(found);
}

TEST(WideNumbers, AreRefusedAsTheyAre) {
  for (const DType type : {DType::f64, DType::i64})
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           set_of({{"train", far_from_zero(type)}});
                         }),
                {"column 0", "float32", "standardise=true"});
  // Nothing is lost of these, and float64 itself cannot tell the last ones apart.
  const auto doubles_of = [](const std::vector<double>& values) {
    return fixtures::array<double>(DType::f64, {static_cast<std::int64_t>(values.size()), 1}, values);
  };
  EXPECT_NO_THROW(set_of({{"train", doubles_of({2001, 2002, 2020})}}));
  EXPECT_NO_THROW(set_of({{"train", doubles_of({1.1, 2.2, 1000.3})}}));
  EXPECT_NO_THROW(set_of({{"train", doubles_of({1e12, 1e12})}}));
  EXPECT_NO_THROW(set_of({{"train", doubles_of({0.1, std::nextafter(0.1, 1), 0.1})}}));
}

TEST(WideNumbers, StayFloat64UntilABatchIsMade) {
  const Folder folder;
  const std::vector<double> values = {0.1, 7, -2.5, 0.3, 1e-30, 5};
  const Array array = fixtures::array<double>(DType::f64, {3, 2}, values);
  write_npy(folder.path("a.npy"), array);
  const Dataset mapped = load_dataset(folder.path("a.npy")), held = set_of({{"train", array}});
  for (const Dataset* set : {&mapped, &held}) {
    EXPECT_EQ(set->train.x.scalar_type(), at::kDouble);
    EXPECT_EQ(set->values, ValueKind::real);
    const Tensor x = rows_of(set->train);
    ASSERT_EQ(x.scalar_type(), at::kFloat);
    for (std::int64_t i = 0; i < 6; ++i)
      EXPECT_EQ(x[i / 2][i % 2].item<float>(), static_cast<float>(values[static_cast<std::size_t>(i)]));
  }
  EXPECT_NE(mapped.train.mapped, nullptr);
  write_npz(folder.path("a.npz"), {{"X", array}});
  for (const char* spec : {":standardise=true", ":whiten=true", ":valid=1"}) {
    const Tensor x = rows_of(load_dataset(folder.path("a.npy") + spec).train);
    EXPECT_EQ(x.scalar_type(), at::kFloat) << spec;
    expect_bit_equal(x, rows_of(load_dataset(folder.path("a.npz") + spec).train), spec);
  }
}

TEST(WideNumbers, GreyOnesBecomeBits) {
  const Array grey = fixtures::array<double>(DType::f64, {2, 2}, {0.1, 0.5, 0.9, 0.499999999});
  const Dataset set = set_of({{"train", grey}}, {{"binarize", "threshold"}});
  EXPECT_EQ(set.train.x.scalar_type(), at::kByte);
  EXPECT_EQ(doubles(rows_of(set.train)), (Doubles{0, 1, 1, 0}));
  const Tensor drawn = rows_of(set_of({{"train", grey}}, {{"binarize", "dynamic"}}).train);
  EXPECT_TRUE((drawn * (1 - drawn)).eq(0).all().item<bool>());
}

TEST(WideNumbers, WithConstantColumnsAreOnlyShifted) {
  const Array constant = fixtures::array<double>(DType::f64, {3, 1}, {0.1, 0.1, 0.1});
  const Dataset set = set_of({{"train", constant}}, {{"standardise", "true"}});
  EXPECT_EQ(set.transform.deviation[0], 1);
  EXPECT_EQ(rows_of(set.train).abs().max().item<double>(), 0);
}

TEST(Refusals, NameCellsThatFloat32CannotHold) {
  const Array large = fixtures::array<double>(DType::f64, {2, 2}, {1, 2, 3, 1e300});
  for (const std::map<std::string, std::string>& how :
       {std::map<std::string, std::string>{}, std::map<std::string, std::string>{{"standardise", "true"}}})
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           set_of({{"train", large}}, how);
                         }),
                {"float32", "1e+300", "row 1", "column 1", "train"});
}

TEST(Files, NameTheMatrixOfAnArchive) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  write_npz(path, {{"X", floats({2, 1}, {0.5F, 2})}, {"Z", floats({3, 1}, {1, 2, 3})}});
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(path); }), {"'X'", "'Z'", "matrix="});
  EXPECT_EQ(load_dataset(path + ":matrix=Z").train.rows(), 3);
  write_npy(folder.path("a.npy"), floats({2, 1}, {0.5F, 2}));
  expect_says(error_of(ErrorKind::usage, [&] { load_dataset(folder.path("a.npy") + ":matrix=Z"); }), {"npz"});
}

}  // namespace
}  // namespace deepgen::wide_numbers_test
