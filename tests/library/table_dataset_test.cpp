// Tables of mixed columns as data sets: parts, the schema of a trained run, weights, and what a density is
// per.
#include "deepgen/data/dataset.h"
#include "deepgen/model/registry.h"
#include "deepgen/tasks/draw_sums.h"
#include "deepgen/tasks/tasks.h"
#include "deepgen/train/checkpoint.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::table_dataset_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;
using fixtures::text;

const char* const small =
    "own,job,n,r,w,class\n"
    "no,a,3,1.5,1,cat\n"
    "yes,b,0,2.5,0,dog\n"
    "no,c,5,,2.5,cat\n"
    ",a,,4,1,dog\n";

TEST(TableSets, HaveGroupsWeightsAndClasses) {
  const Folder folder;
  const std::string path = folder.write("a.csv", text(small));
  const Dataset set = load_dataset(path + ":weight=w,labels=class,count=n");
  EXPECT_EQ(set.values, ValueKind::mixed);
  EXPECT_EQ(set.columns(), 6);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{6}));
  EXPECT_EQ(set.groups, (std::vector<ColumnGroup>{{ColumnKind::binary, 0, 1},
                                                  {ColumnKind::softmax, 1, 3},
                                                  {ColumnKind::count, 4, 1},
                                                  {ColumnKind::gaussian, 5, 1}}));
  EXPECT_EQ(set.classes, 2);
  expect_near(doubles(set.train.weights), {1, 0, 2.5, 1}, 0, "weights");
  expect_near(doubles(set.train.y), {0, 1, 0, 1}, 0, "labels");
  EXPECT_TRUE(set.one_matrix);
  expect_near(doubles(rows_of(set.train).isnan().sum(0)), {1, 0, 0, 0, 1, 1}, 0, "gaps");
}

TEST(TableSets, LearnFromTheTrainingRowsOfASplit) {
  const std::string spec = "people:rows=400,valid=0.25,test=100,missing=0.1";
  const Dataset set = load_dataset(spec), again = load_dataset(spec);
  EXPECT_EQ(set.train.rows(), 200);
  EXPECT_EQ(set.valid.rows(), 100);
  EXPECT_EQ(set.test.rows(), 100);
  expect_bit_equal(at::nan_to_num(set.test.x, -9), at::nan_to_num(again.test.x, -9), "the same each time");
  std::set<std::int64_t> all;
  for (const Split* part : {&set.train, &set.valid, &set.test})
    all.insert(part->table_rows.begin(), part->table_rows.end());
  EXPECT_EQ(all.size(), 400U);
  const Tensor age = rows_of(set.train).select(1, 0).to(at::kDouble);
  EXPECT_LT(std::abs(age.nanmean().item<double>()), 1e-6) << "standardised by the training rows";
  EXPECT_GT(std::abs(rows_of(set.test).select(1, 0).nanmean().item<double>()), 1e-4);
}

TEST(TableSets, OfARunAreReadAsTheRunLearnt) {
  const Folder folder;
  const Dataset set = load_dataset(folder.write("a.csv", text(small)) + ":weight=w,labels=class");
  const Learnt learnt = learnt_of(set);
  const std::string other = folder.write("b.csv", text("r,more,n,job,own\n2.5,x,0,b,yes\n100,y,7,c,\n"));
  const Dataset got = load_dataset(other, &learnt);
  expect_bit_equal(rows_of(got.train)[0], rows_of(set.train)[1], "the same person");
  EXPECT_EQ(got.groups, set.groups);
  EXPECT_FALSE(got.train.y.defined());
  EXPECT_FALSE(got.train.weights.defined());
  EXPECT_EQ(got.file.columns, (std::vector<std::int64_t>{4, 3, 2, 0, -1, -1}));
  const std::string numbers = folder.write("c.csv", text("r,n,job,own\n2.5,0,,\n"));
  EXPECT_EQ(load_dataset(numbers, &learnt).columns(), 6) << "numbers alone are the table all the same";
  const std::string labelled = folder.write("d.csv", text("own,job,n,r,class\nno,a,1,1,dog\nno,a,1,1,dog\n"));
  expect_near(doubles(load_dataset(labelled, &learnt).train.y), {1, 1}, 0, "the classes of the run");
  error_of(ErrorKind::usage, [&] { load_dataset(other + ":count=r", &learnt); });
  const std::string cow = folder.write("e.csv", text("own,job,n,r,class\nno,a,1,1,cow\n"));
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(cow, &learnt); }),
              {"line 2", "class", "cow", "'cat'"});
  expect_says(error_of(ErrorKind::data, [&] { load_dataset("bars_and_stripes", &learnt); }), {"table"});
  const Learnt plain;
  expect_says(error_of(ErrorKind::data, [&] { load_dataset("people:rows=10", &plain); }), {"table"});
}

TEST(TableSets, RefuseWhatIsForPictures) {
  for (const char* option : {"binarize=static", "dequantise=true", "onehot=true", "whiten=true"})
    expect_says(error_of(ErrorKind::usage, [&] { load_dataset(std::string("people:rows=50,") + option); }),
                {"people", "leave"});
  EXPECT_EQ(load_dataset("people:rows=50,standardise=true").columns(), 3 + 1 + 6 + 5 + 1);
}

TEST(TableSets, DescribeThemselvesToACheckpoint) {
  const Dataset set = load_dataset("people:rows=200");
  const auto json = set.describe();
  EXPECT_EQ(groups_from_json(json["groups"], set.columns(), "run"), set.groups);
  EXPECT_EQ(TableSchema::from_json(json["table"], "run").to_json(), set.table.to_json());
  EXPECT_FALSE(load_dataset("bars_and_stripes").describe().contains("table"));
}

TEST(TableSets, MalformedDescriptionsAreRefused) {
  const auto json =
      nlohmann::ordered_json::parse(R"({"transform":{"whiten":{"mean":[0,0],"matrix":[1,0,0]}},"table":[]})");
  error_of(ErrorKind::data, [&] { Learnt::from_json(json, "run"); });
  const auto singular =
      nlohmann::ordered_json::parse(R"({"transform":{"whiten":{"mean":[0,0],"matrix":[1,1,1,1]}}})");
  error_of(ErrorKind::data, [&] { Learnt::from_json(singular, "run"); });
  error_of(ErrorKind::data, [] { Learnt::from_json({{"transform", {{"whiten", 3}}}}, "run"); });
  error_of(ErrorKind::data, [] { Learnt::from_json({{"table", 3}}, "run"); });
}

// A file that says its groups wrongly describes no model.
TEST(TableSets, GroupsOfACheckpointMustFit) {
  const Dataset set = random_bits(20, 5);
  Checkpoint checkpoint = straight({"model.hidden=3", "training.epochs=1"}, set);
  checkpoint.data["groups"] = {{"binary", 0, 5}};
  load_model(checkpoint, "run");
  checkpoint.data["groups"] = {{"binary", 0, 4}};
  expect_says(error_of(ErrorKind::data, [&] { load_model(checkpoint, "run"); }), {"run", "groups"});
}

// ---------------------------------------------------------------- densities in the units of the file

TEST(Densities, OfTablesArePerUnitOfTheKnownReals) {
  const Folder folder;
  const Dataset set = load_dataset(folder.write("a.csv", text(small)) + ":ignore=w+class,count=n");
  const double deviation = set.table.columns[3].deviation;
  expect_near(doubles(set.log_jacobian(rows_of(set.train))),
              {-std::log(deviation), -std::log(deviation), 0, -std::log(deviation)}, 1e-12, "per unit of r");
  const Dataset bits = random_bits(5, 3);
  expect_near(doubles(bits.log_jacobian(rows_of(bits.train))), {0, 0, 0, 0, 0}, 0, "bits");
}

// Transforms are affine (dequantise for a fixed u), so differences over any step are the derivatives.
double log_determinant_by_differences(const Transform& transform, const Tensor& x, double step) {
  const std::int64_t d = x.size(1);
  const Tensor ends = x + at::eye(d) * step;
  const Tensor low = transform.apply(x, "x", Rng(1)).to(at::kDouble);
  std::vector<Tensor> slopes;
  for (std::int64_t j = 0; j < d; ++j)
    slopes.push_back((transform.apply(ends.narrow(0, j, 1), "x", Rng(1)).to(at::kDouble) - low) / step);
  return std::get<1>(at::linalg_slogdet(at::cat(slopes))).item<double>();
}

Dataset correlated(const std::map<std::string, std::string>& settings, bool grey = false) {
  Rng rng(3);
  Tensor x = at::empty({400, 4});
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  x = at::mm(x, at::tensor({5.0F, 1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 2.0F, 0.0F, 0.0F, 0.0F, 0.3F, 0.1F, 3.0F,
                            0.0F, 0.0F, 0.2F})
                    .view({4, 4})) +
      7;
  if (grey) x = ((x - x.min()) / (x.max() - x.min()) * 255).round() / 255;
  RawSet raw;
  raw.name = "memory";
  raw.arrays["train"] = make_array(DType::f32, {400, 4});
  std::memcpy(raw.arrays["train"].bytes.data(), x.contiguous().data_ptr(), raw.arrays["train"].bytes.size());
  DataOptions options;
  for (const auto& [key, value] : settings) set_option(options, "data", key, value);
  return make_dataset(std::move(raw), options);
}

TEST(Densities, ChangeByTheDeterminantOfTheTransform) {
  for (const std::map<std::string, std::string>& how : std::vector<std::map<std::string, std::string>>{
           {{"standardise", "true"}},
           {{"whiten", "true"}},
           {{"standardise", "true"}, {"whiten", "true"}},
           {{"dequantise", "true"}},
           {{"dequantise", "true"}, {"standardise", "true"}, {"whiten", "true"}}}) {
    const Dataset set = correlated(how, how.contains("dequantise"));
    const Tensor z = rows_of(set.train).narrow(0, 0, 1);
    const double expected = log_determinant_by_differences(set.transform, at::full({1, 4}, 0.4), 1);
    EXPECT_NEAR(set.log_jacobian(z).item<double>(), expected, 1e-4) << how.size();
  }
}

TEST(Whitening, MakesTheCovarianceTheIdentity) {
  const Dataset set = correlated({{"whiten", "true"}});
  const Tensor z = rows_of(set.train).to(at::kDouble);
  EXPECT_LT(z.mean(0).abs().max().item<double>(), 1e-5);
  const Tensor covariance = at::mm(z.t(), z) / 400.0;
  // The ridge takes 1e-5 of the mean variance (about 14) from the smallest (about 0.005).
  EXPECT_LT((covariance - at::eye(4, at::kDouble)).abs().max().item<double>(), 0.05);
  EXPECT_LT((covariance - covariance.diag().diag()).abs().max().item<double>(), 0.05);
  const Dataset plain = correlated({});
  const Tensor back = set.transform.invert(rows_of(set.train));
  EXPECT_LT((back - rows_of(plain.train)).abs().max().item<double>(), 1e-4);
  const Transform again = learnt_of(set).transform;
  expect_bit_equal(again.invert(rows_of(set.train)), back, "by way of the checkpoint");
  expect_bit_equal(again.apply(rows_of(plain.train), "x", Rng(1)), rows_of(set.train), "and forward");
}

TEST(Whitening, DoesNotDependOnThreads) {
  const auto at_threads = [](int count) {
    const int before = at::get_num_threads();
    at::set_num_threads(count);
    const Tensor x = rows_of(correlated({{"whiten", "true"}}).train);
    at::set_num_threads(before);
    return x;
  };
  expect_bit_equal(at_threads(1), at_threads(2), "threads");
}

TEST(Whitening, RefusesTooManyColumnsAndRowsThatAreAlike) {
  const auto whitened = [](std::int64_t rows, std::int64_t columns) {
    RawSet raw;
    raw.name = "memory";
    raw.arrays["train"] = make_array(DType::f32, {rows, columns});
    DataOptions options;
    options.whiten = true;
    return make_dataset(std::move(raw), options);
  };
  expect_says(error_of(ErrorKind::data, [&] { whitened(2, 1025); }), {"1024", "1025"});
  error_of(ErrorKind::data, [&] { whitened(5, 3); });
}

// ---------------------------------------------------------------- gaps of groups

TEST(HiddenCells, AreWholeGroups) {
  Rng rng(1);
  const Tensor x = at::zeros({500, 6});
  const std::vector<std::int64_t> sizes = {1, 3, 2};
  const Tensor gaps = hide_groups(x, sizes, "0.5", rng).isnan();
  EXPECT_TRUE(at::equal(gaps.select(1, 1), gaps.select(1, 3)) &&
              at::equal(gaps.select(1, 1), gaps.select(1, 2)));
  EXPECT_TRUE(at::equal(gaps.select(1, 4), gaps.select(1, 5)));
  EXPECT_FALSE(at::equal(gaps.select(1, 0), gaps.select(1, 1)));
  // 1500 cells of which half are hidden: outside 4.9 deviations once in a million seeds.
  const double hidden = gaps.index_select(1, at::tensor({0, 1, 4})).sum().item<double>();
  EXPECT_NEAR(hidden, 750, 4.9 * std::sqrt(1500 * 0.25));
  expect_near(doubles(hide_groups(x, sizes, "right", rng).isnan()[0]), {0, 1, 1, 1, 1, 1}, 0, "later half");
}

TEST(HiddenCells, AreFilledByWhatEveryModelTakes) {
  const float nan = std::nanf("");
  const Tensor x = at::tensor({nan, nan, nan, 2.0F, 1.0F, 0.0F, 1.0F, nan}).view({2, 4});
  expect_near(doubles(fill_missing(
                  x, {{ColumnKind::binary, 0, 1}, {ColumnKind::softmax, 1, 2}, {ColumnKind::count, 3, 1}})),
              {0, 1, 0, 2, 1, 0, 1, 0}, 0, "filled");
}

// ---------------------------------------------------------------- several draws

// Draws of one row (binary, three categories, count, real with mean 10 and deviation 4), by hand.
TEST(Draws, GiveEachKindItsValueAndItsSpread) {
  TableSchema table;
  table.columns = {
      {.name = "own", .kind = TableColumnKind::binary, .values = {"no", "yes"}},
      {.name = "job", .kind = TableColumnKind::categorical, .values = {"a", "b", "c"}},
      {.name = "land", .kind = TableColumnKind::constant, .values = {"DE"}},
      {.name = "n", .kind = TableColumnKind::count, .values = {}},
      {.name = "r", .kind = TableColumnKind::real, .values = {}, .mean = 10, .deviation = 4, .decimals = 2}};
  DrawSums draws;
  const std::vector<std::vector<float>> rows = {
      {1, 1, 0, 0, 2, 0.5F}, {1, 0, 0, 1, 3, -0.5F}, {0, 0, 0, 1, 3, 1.5F}, {1, 0, 1, 0, 5, 0.5F}};
  for (const auto& row : rows) draws.add(at::tensor(row).view({1, 6}));
  Array mean = make_array(DType::f32, {1, 6});
  const Tensor encoded = draws.mean().to(at::kFloat);
  std::memcpy(mean.bytes.data(), encoded.data_ptr(), mean.bytes.size());
  EXPECT_EQ(encode_table_csv(table, table_values(table, mean)), "own,job,land,n,r\nyes,c,DE,3,12.00\n");
  const Doubles spread = doubles(table_spread(table, draws)[0]);
  EXPECT_TRUE(std::isnan(spread[2]));
  // Counts 2 3 3 5 about 3.25: squares 4.75; reals (in deviations) 2 / 3.
  expect_near({spread[0], spread[1], spread[3], spread[4]},
              {0.25, 0.5, std::sqrt(4.75 / 3), 4 * std::sqrt(2.0 / 3)}, 1e-12, "spread");
  const float nan = std::nanf("");
  const Tensor x = at::tensor(std::vector<float>{1, nan, nan, nan, 2, nan}).view({1, 6});
  expect_near(doubles(table_known(table, x)), {1, 0, 1, 1, 0}, 0, "known cells");
}

TEST(Draws, OfLargeNumbersKeepTheirDeviation) {
  DrawSums draws;
  for (const float value : {1e6F, 1e6F + 1, 1e6F + 2}) draws.add(at::full({1}, value));
  EXPECT_NEAR(draws.deviation().item<double>(), 1, 1e-9);
  DrawSums one;
  one.add(at::full({1}, 3.0F));
  EXPECT_EQ(one.mean().item<double>(), 3);
  EXPECT_EQ(one.deviation().item<double>(), 0);
}

}  // namespace
}  // namespace deepgen::table_dataset_test
