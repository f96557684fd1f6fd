// Data sets: what a SPEC says, splits, binarisations and refusals.
#include "deepgen/data/dataset.h"

#include "deepgen/evaluate/likelihood.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::dataset_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;
using fixtures::text;

// ---------------------------------------------------------------- specs

TEST(DataSpec, SplitsNameAndOptions) {
  auto spec = parse_data_spec("mnist:binarize=dynamic,valid=0.1");
  EXPECT_EQ(spec.name, "mnist");
  EXPECT_EQ(spec.options, (std::map<std::string, std::string>{{"binarize", "dynamic"}, {"valid", "0.1"}}));
  EXPECT_EQ(parse_data_spec("mnist").name, "mnist");
  EXPECT_TRUE(parse_data_spec("mnist").options.empty());
  spec = parse_data_spec("/a:b/c.npz:valid=5");
  EXPECT_EQ(spec.name, "/a:b/c.npz");
  EXPECT_EQ(spec.options.at("valid"), "5");
  EXPECT_EQ(parse_data_spec("/a:b/c.npz").name, "/a:b/c.npz");
  EXPECT_EQ(parse_data_spec("C:\\data\\c.csv:labels=0").name, "C:\\data\\c.csv");
  EXPECT_EQ(parse_data_spec("x:a=1:2").options.at("a"), "1:2") << "a value may hold a colon";
}

TEST(DataSpec, RefusesMalformedOptions) {
  for (const char* wrong : {"", ":valid=1", "mnist:valid=1,", "mnist:valid=1,test", "mnist:=3"}) {
    SCOPED_TRACE(wrong);
    error_of(ErrorKind::usage, [&] { parse_data_spec(wrong); });
  }
  expect_says(error_of(ErrorKind::usage, [] { load_dataset("glyhps"); }), {"glyphs"});
  expect_says(error_of(ErrorKind::usage, [] { load_dataset("glyphs:vlaid=3"); }), {"valid"});
  error_of(ErrorKind::usage, [] { load_dataset("glyphs:binarize=often"); });
  error_of(ErrorKind::data, [] { load_dataset("/no/such/file.npz"); });
}

TEST(DataSpec, ReadsPathsWithColonsAndEqualsSigns) {
  const Folder folder;
  for (const char* name : {"plain.csv", "a:b.csv", "a:b/c:d.csv", "x=1.csv"}) {
    SCOPED_TRACE(name);
    const std::string path = folder.write(name, text("1,0\n0,1\n1,1\n0,0\n"));
    EXPECT_EQ(load_dataset(path).train.rows(), 4);
    EXPECT_EQ(load_dataset(path + ":valid=1").valid.rows(), 1);
  }
}

// ---------------------------------------------------------------- splits

TEST(Splits, ByCountComeFromTheEnd) {
  const Dataset set = set_of({{"train", numbered(10, 3)}}, {{"valid", "2"}, {"test", "3"}});
  EXPECT_EQ(set.train.rows(), 5);
  EXPECT_EQ(set.valid.rows(), 2);
  EXPECT_EQ(set.test.rows(), 3);
  EXPECT_FALSE(set.one_matrix);
  std::vector<double> first;
  for (const Split* part : {&set.train, &set.valid, &set.test})
    for (std::int64_t r = 0; r < part->rows(); ++r) first.push_back(rows_of(*part)[r][0].item<double>());
  std::sort(first.begin(), first.end());
  for (std::size_t r = 0; r < 10; ++r) EXPECT_EQ(first[r], 100.0 * static_cast<double>(r)) << "each row once";
}

TEST(Splits, ByShareAreThatShare) {
  for (const auto& [share, rows, wanted] :
       std::vector<std::tuple<std::string, std::int64_t, std::int64_t>>{{"0.1", 100, 10},
                                                                        {"0.25", 8, 2},
                                                                        {"0.3", 10, 3},
                                                                        {"0.7", 10, 7},
                                                                        {"0.29", 100, 29},
                                                                        {"0.57", 100, 57}}) {
    const Dataset set = set_of({{"train", numbered(rows, 2)}}, {{"valid", share}});
    EXPECT_EQ(set.valid.rows(), wanted) << share << " of " << rows;
    EXPECT_EQ(set.train.rows(), rows - wanted);
  }
}

TEST(Splits, RefuseToTakeEverythingOrWhatIsThere) {
  error_of(ErrorKind::data, [] { set_of({{"train", numbered(4, 2)}}, {{"valid", "4"}}); });
  error_of(ErrorKind::data, [] { set_of({{"train", numbered(4, 2)}}, {{"valid", "2"}, {"test", "2"}}); });
  error_of(ErrorKind::data, [] {
    set_of({{"train", numbered(4, 2)}, {"valid", numbered(1, 2)}}, {{"valid", "1"}});
  });
  const Dataset set = set_of({{"train", numbered(4, 2)}, {"test", numbered(2, 2)}}, {});
  EXPECT_EQ(set.split("test").rows(), 2);
  error_of(ErrorKind::data, [&] { set.split("valid"); });
  error_of(ErrorKind::usage, [&] { set.split("tset"); });
}

// A part that is asked for and would be empty would leave training without validation, and without a word.
TEST(Splits, RefuseSharesThatHoldOutNothing) {
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(4, 2)}}, {{"valid", "0.1"}});
                       }),
              {"memory", "at least one", "0.1"});
  EXPECT_EQ(set_of({{"train", numbered(4, 2)}}, {{"valid", "0.25"}}).valid.rows(), 1);
}

TEST(Splits, WithoutRowsAreRefusedByName) {
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(4, 2)}, {"valid", make_array(DType::f32, {0, 2})}}, {});
                       }),
              {"valid", "row"});
}

TEST(Splits, OneMatrixIsAllRowsUnderEveryName) {
  const Dataset set = set_of({{"train", numbered(4, 2)}}, {});
  EXPECT_TRUE(set.one_matrix);
  for (const char* name : {"train", "valid", "test"}) EXPECT_EQ(set.split(name).rows(), 4) << name;
}

TEST(Splits, KeepLabelsBesideTheirRows) {
  Array labels = make_array(DType::u8, {6});
  for (std::size_t r = 0; r < 6; ++r) labels.bytes[r] = static_cast<std::uint8_t>(r % 3);
  const Dataset set = set_of({{"train", numbered(6, 2)}, {"train_labels", labels}}, {{"test", "2"}});
  EXPECT_EQ(set.classes, 3);
  // Row r holds 100 r, 100 r + 1 and has the label r mod 3, wherever the split at random has put it.
  std::set<std::int64_t> seen;
  for (const Split* part : {&set.train, &set.test})
    for (std::int64_t at = part->rows() - 1; at >= 0; --at) {
      const double first = Dataset::rows(*part, {at}, Rng(1)).x[0][0].item<double>();
      const std::int64_t row = static_cast<std::int64_t>(first) / 100;
      EXPECT_EQ(Dataset::rows(*part, {at}, Rng(1)).y[0].item<std::int64_t>(), row % 3);
      seen.insert(row);
    }
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_EQ(set.test.rows(), 2);
  Array short_labels = make_array(DType::u8, {5});
  error_of(ErrorKind::data, [&] { set_of({{"train", numbered(6, 2)}, {"train_labels", short_labels}}, {}); });
}

TEST(Splits, WithOtherColumnsAreRefused) {
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", numbered(4, 3)}, {"test", numbered(2, 2)}}, {});
                       }),
              {"test", "3", "2"});
}

TEST(Tables, TakeTheirLabelsFromAColumn) {
  const Folder folder;
  const std::string path = folder.write("t.csv", text("a,class,b\n0.5,1,2\n1.5,0,3\n2.5,2,4\n"));
  const Dataset set = load_dataset(path + ":labels=1");
  EXPECT_EQ(set.columns(), 2);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(set.classes, 3);
  expect_near(doubles(set.train.y), {1, 0, 2}, 0, "labels");
  const double z = std::sqrt(1.5);
  expect_near(doubles(rows_of(set.train)), {-z, -z, 0, 0, z, z}, 1e-6, "columns left, standardised");
  EXPECT_EQ(set.column_names, (std::vector<std::string>{"a", "b"})) << "names of the columns that are left";
  error_of(ErrorKind::usage, [&] { load_dataset(path + ":labels=3"); });
}

TEST(Tables, RefuseLabelsThatAreNoWholeNumbers) {
  const Folder folder;
  for (const char* wrong : {"0.5", "-2", "-0.5", "inf", "1e6"}) {
    SCOPED_TRACE(wrong);
    const std::string path = folder.write("t.csv", text(std::string("1,1\n2,") + wrong + "\n3,0\n"));
    expect_says(error_of(ErrorKind::data, [&] { load_dataset(path + ":labels=1"); }),
                {"t.csv", "line 2", "'v1'", "a label 0, 1, 2"});
  }
}

// ---------------------------------------------------------------- binarisations

NamedArrays grey() {
  return {{"train", random_bytes(40, 11, 255, 1)},
          {"valid", random_bytes(20, 11, 255, 2)},
          {"test", random_bytes(20, 11, 255, 3)}};
}

TEST(Binarising, StaticIsOneDrawFixedByItsSeed) {
  const Dataset a = set_of(grey(), {{"binarize", "static"}}), b = set_of(grey(), {{"binarize", "static"}}),
                c = set_of(grey(), {{"binarize", "static"}, {"seed", "1"}});
  for (const char* part : {"train", "valid", "test"}) {
    const Tensor x = rows_of(a.split(part));
    EXPECT_TRUE(at::logical_or(x == 0, x == 1).all().item<bool>());
    expect_bit_equal(x, rows_of(a.split(part), 2), "another presentation");
    expect_bit_equal(x, rows_of(b.split(part)), "another loading");
    EXPECT_FALSE(at::equal(x, rows_of(c.split(part)))) << "another seed";
  }
  EXPECT_EQ(a.values, ValueKind::binary);
  EXPECT_EQ(a.describe()["binarize"], "static");
}

TEST(Binarising, DynamicIsFreshForTrainAndFixedForTheRest) {
  const Dataset a = set_of(grey(), {{"binarize", "dynamic"}}), b = set_of(grey(), {{"binarize", "dynamic"}});
  EXPECT_FALSE(at::equal(rows_of(a.train, 1), rows_of(a.train, 2)));
  expect_bit_equal(rows_of(a.train, 1), rows_of(b.train, 1), "equal generator");
  for (const char* part : {"valid", "test"}) {
    expect_bit_equal(rows_of(a.split(part), 1), rows_of(a.split(part), 2), part);
    expect_bit_equal(rows_of(a.split(part), 1), rows_of(b.split(part), 1), part);
  }
  const Tensor x = rows_of(a.train);
  EXPECT_TRUE(at::logical_or(x == 0, x == 1).all().item<bool>());
  EXPECT_EQ(a.describe()["binarize"], "dynamic");
}

// 4000 draws of each of 30 cells; each check fails by chance once in 30 million fresh seeds.
TEST(Binarising, DrawsWithTheGreyValueAsProbability) {
  const Array bytes = random_bytes(3, 10, 255, 9);
  std::vector<float> values;
  for (const auto byte : bytes.bytes) values.push_back(static_cast<float>(byte) / 255);
  for (const Array& array : {bytes, floats({3, 10}, values)}) {
    const Dataset set = set_of({{"train", array}}, {{"binarize", "dynamic"}});
    Tensor sum = at::zeros({3, 10}, at::kDouble);
    for (std::uint64_t seed = 0; seed < 4000; ++seed) sum += rows_of(set.train, seed);
    const Doubles mean = doubles(sum / 4000);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const double p = values[i];
      EXPECT_NEAR(mean[i], p, 5.5 * std::sqrt(p * (1 - p) / 4000) + 1e-9) << i;
    }
  }
}

TEST(Binarising, ThresholdIsOneFromHalfOn) {
  Array bytes = make_array(DType::u8, {1, 6});
  bytes.bytes = {0, 1, 127, 128, 254, 255};
  expect_near(doubles(rows_of(set_of({{"train", bytes}}, {{"binarize", "threshold"}}).train)),
              {0, 0, 0, 1, 1, 1}, 0, "bytes");
  const Array reals = floats({1, 5}, {0, 0.49999F, 0.5F, 0.50001F, 1});
  expect_near(doubles(rows_of(set_of({{"train", reals}}, {{"binarize", "threshold"}}).train)),
              {0, 0, 1, 1, 1}, 0, "reals");
}

TEST(Binarising, NoneKeepsGreyAndBinaryStays) {
  for (const std::map<std::string, std::string>& how :
       {std::map<std::string, std::string>{}, {{"binarize", "none"}}}) {
    const Dataset set = set_of(grey(), how);
    EXPECT_EQ(set.values, ValueKind::grey);
    EXPECT_EQ(set.binarize, "none");
    const Tensor x = rows_of(set.train);
    EXPECT_LT((x * 255 - set.train.x.to(at::kFloat)).abs().max().item<double>(), 1e-4);
  }
  const Dataset bits = set_of({{"train", random_bytes(20, 5, 1, 1)}}, {});
  EXPECT_EQ(bits.values, ValueKind::binary);
  expect_bit_equal(rows_of(bits.train), bits.train.x.to(at::kFloat), "bits");
  error_of(ErrorKind::data, [] { set_of({{"train", numbered(4, 3)}}, {{"binarize", "static"}}); });
}

// ---------------------------------------------------------------- refusals

TEST(Refusals, NameRowAndColumnOfInfiniteCells) {
  const float nan = std::nanf(""), inf = INFINITY;
  NamedArrays arrays = {{"train", floats({3, 2}, {1, 2, 3, 4, 5, -inf})}};
  expect_says(error_of(ErrorKind::data, [&] { set_of(arrays, {}); }), {"row 2", "column 1", "train"});
  arrays = {{"train", floats({1, 2}, {1, 2})}, {"test", floats({2, 2}, {1, 2, inf, 3})}};
  expect_says(error_of(ErrorKind::data, [&] { set_of(arrays, {}); }), {"row 1", "column 0", "test"});
  const Dataset set = set_of({{"train", floats({2, 2}, {1, nan, 0, 1})}}, {});
  EXPECT_TRUE(rows_of(set.train).isnan().any().item<bool>()) << "missing cells are the model's affair";
  EXPECT_EQ(set.values, ValueKind::binary);
}

TEST(MissingCells, StayMissingUnderEveryBinarisationAndTransform) {
  const float nan = std::nanf("");
  const NamedArrays grey_gaps = {{"train", floats({3, 2}, {0.2F, nan, 0.7F, 0.9F, nan, 0.1F})}},
                    whole_gaps = {{"train", floats({3, 2}, {0, nan, 1, 3, nan, 2})}};
  const Tensor gaps = at::tensor({0, 1, 0, 0, 1, 0}).to(at::kBool).view({3, 2});
  for (const char* how : {"none", "static", "dynamic", "threshold"})
    EXPECT_TRUE(at::equal(rows_of(set_of(grey_gaps, {{"binarize", how}}).train).isnan(), gaps)) << how;
  const Dataset set = set_of(grey_gaps, {{"standardise", "true"}});
  EXPECT_TRUE(at::equal(rows_of(set.train).isnan(), gaps));
  EXPECT_LT(at::nansum(rows_of(set.train), at::IntArrayRef{0}).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(set.transform.mean[0], 0.45, 1e-7);
  const Tensor onehot = rows_of(set_of(whole_gaps, {{"onehot", "true"}}).train);
  EXPECT_EQ(onehot.size(1), 2 + 2);
  EXPECT_TRUE(at::equal(onehot.isnan(), gaps.repeat_interleave(2, 1)));
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of(grey_gaps, {{"whiten", "true"}});
                       }),
              {"row 0", "column 1"});
}

TEST(Refusals, OfSetsWithoutRowsOrColumns) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{0, 3}, {3, 0}, {0, 0}}) {
    error_of(ErrorKind::data, [&] { set_of({{"train", make_array(DType::f32, shape)}}, {}); });
    error_of(ErrorKind::data, [&] { set_of({{"train", make_array(DType::u8, shape)}}, {}); });
  }
}

// A column that is taken out changes the shape of a case.
TEST(Tables, LabelsAloneAreRefused) {
  const Folder folder;
  const std::string path = folder.write("t.csv", text("1\n0\n2\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(path + ":labels=0"); }), {"t.csv", "column"});
  EXPECT_EQ(set_of({{"train", floats({2, 2, 2}, {0, 1, 2, 1, 1, 0, 3, 4})}}, {{"labels", "0"}}).shape,
            (std::vector<std::int64_t>{3}));
}

// A binary model on grey rows must say where, whichever part they are in.
TEST(Refusals, GreyRowsForABinaryModelAreShown) {
  const Dataset set = set_of(grey(), {});
  const std::string message = error_of(ErrorKind::data, [&] {
    trainer_for({"model.hidden=3", "model.visible_units=binary"}, set, 1);
  });
  expect_says(message, {"train", "row", "column", "binarize"});
  NamedArrays arrays = {{"train", random_bytes(10, 4, 1, 1)}, {"valid", random_bytes(10, 4, 1, 2)}};
  arrays["valid"].bytes[4 * 7 + 2] = 9;
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         trainer_for({"model.hidden=3", "model.visible_units=binary"}, set_of(arrays, {}), 1);
                       }),
              {"valid", "row 7", "column 2"});
}

TEST(Refusals, GreyRowsAnywhereInAPartAreNotScored) {
  NamedArrays arrays = {{"train", random_bytes(10, 4, 1, 1)}, {"test", random_bytes(300, 4, 1, 2)}};
  arrays["test"].bytes[4 * 200 + 1] = 7;
  const Dataset set = set_of(arrays, {});
  const auto rbm = make_rbm(4, 3, 0.1, 1);
  Rng rng(1);
  Observer silent;
  const std::string message = error_of(ErrorKind::data, [&] {
    evaluate_model(*rbm, set, "test", {"quick", 5, 5}, rng, silent);
  });
  expect_says(message, {"row 200", "column 1"});
}

}  // namespace
}  // namespace deepgen::dataset_test
