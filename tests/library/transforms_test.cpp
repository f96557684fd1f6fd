// Transforms of columns and back, columns without any value, and rows in chunks.
#include <set>

#include "deepgen/data/dataset.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::transforms_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;
using fixtures::Folder;
using fixtures::text;

// ---------------------------------------------------------------- transforms

TEST(Transforms, StandardiseInvertsAndUsesTrainingRows) {
  Rng rng(5);
  std::vector<float> train, test;
  for (int i = 0; i < 300; ++i) train.push_back(static_cast<float>(5 + 3 * rng.normal()));
  for (int i = 0; i < 30; ++i) test.push_back(static_cast<float>(20 + rng.normal()));
  const Dataset set = set_of({{"train", floats({100, 3}, train)}, {"test", floats({10, 3}, test)}},
                             {{"standardise", "true"}});
  const Tensor x = rows_of(set.train).to(at::kDouble);
  EXPECT_LT(x.mean(0).abs().max().item<double>(), 1e-6);
  EXPECT_LT((x.std(0, false) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_GT(rows_of(set.test).mean().item<double>(), 3);
  const Tensor back = set.transform.invert(rows_of(set.test));
  for (std::size_t i = 0; i < test.size(); ++i) EXPECT_NEAR(doubles(back)[i], test[i], 1e-5);
  const Transform again = Transform::from_json(set.describe()["transform"]);
  expect_bit_equal(again.invert(rows_of(set.test)), back, "by way of the checkpoint");
}

// Constant columns are only shifted, whatever rounding says of their deviation.
TEST(Transforms, ConstantColumnsAreOnlyShifted) {
  for (const float value : {0.0F, 1.0F, 0.1F, 0.3F, -7.7F, 1e-3F, 123456.7F}) {
    for (const std::int64_t rows : {1, 3, 10, 1000, 1001}) {
      const std::vector<float> train(size(rows), value);
      const Dataset set = set_of({{"train", floats({rows, 1}, train)}, {"test", floats({1, 1}, {value + 1})}},
                                 {{"standardise", "true"}});
      EXPECT_EQ(rows_of(set.train).abs().max().item<double>(), 0) << value << " x " << rows;
      EXPECT_NEAR(rows_of(set.test).item<double>(), 1, 0.01) << value << " x " << rows;
      EXPECT_NEAR(set.transform.invert(rows_of(set.train))[0][0].item<double>(), value,
                  std::abs(value) * 1e-6);
    }
  }
}

TEST(Transforms, OnehotInverts) {
  const std::vector<float> values = {0, 5, 2, 7, 1, 5, 2, 6};
  const Dataset set = set_of({{"train", floats({4, 2}, values)}}, {{"onehot", "true"}});
  EXPECT_EQ(set.columns(), 3 + 3);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{6}));
  EXPECT_EQ(set.values, ValueKind::binary);
  const Tensor x = rows_of(set.train);
  expect_near(doubles(x[0]), {1, 0, 0, 1, 0, 0}, 0, "row 0");
  expect_near(doubles(x[1]), {0, 0, 1, 0, 0, 1}, 0, "row 1");
  const Tensor back = set.transform.invert(x);
  expect_near(doubles(back), Doubles(values.begin(), values.end()), 0, "back");
  expect_bit_equal(Transform::from_json(set.transform.to_json()).invert(x), back, "by way of the checkpoint");
  error_of(ErrorKind::data, [] { set_of({{"train", floats({2, 1}, {0.5F, 1})}}, {{"onehot", "true"}}); });
  expect_says(error_of(ErrorKind::data,
                       [] {
                         set_of({{"train", floats({2, 1}, {0, 1})}, {"test", floats({2, 1}, {0, 4})}},
                                {{"onehot", "true"}});
                       }),
              {"column 0", "row 1"});
}

TEST(Transforms, DequantiseKeepsTheLevelAndInverts) {
  const Array bytes = random_bytes(50, 8, 255, 4);
  const Dataset set = set_of({{"train", bytes}}, {{"dequantise", "true"}});
  const Doubles x = doubles(rows_of(set.train)),
                back = doubles(set.transform.invert(rows_of(set.train)) * 255);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = x[i] * 256 - bytes.bytes[i];
    ASSERT_GE(u, -1e-4);
    ASSERT_LE(u, 1 + 1e-4);
    sum += u;
    ASSERT_NEAR(std::round(back[i]), bytes.bytes[i], 0) << "in the units of the file";
  }
  EXPECT_NEAR(sum / 400, 0.5, 4.9 / std::sqrt(12.0 * 400));  // one in a million
  EXPECT_EQ(set.values, ValueKind::real);
  error_of(ErrorKind::data, [] { set_of({{"train", numbered(3, 2)}}, {{"dequantise", "true"}}); });
}

TEST(MapRows, EveryRowOnceAndInOrder) {
  const Dataset set = dataset_of({{"train", random_bytes(4100, 3, 255, 6)}}, "none", "grey");  // three chunks
  const Tensor all = rows_of(set.train);
  std::int64_t most = 0;
  const Tensor mapped = map_rows(set.train, Rng(1), [&](const Rows& rows) {
    most = std::max(most, rows.size());
    return rows.x * 2;
  });
  expect_bit_equal(mapped, all * 2, "all rows");
  EXPECT_LT(most, 4100) << "not all at once";
  const std::vector<std::int64_t> index = {4099, 7, 7, 0};
  const Tensor sums = map_rows(set.train, index, Rng(1), [](const Rows& rows) { return rows.x.sum(1); });
  expect_bit_equal(sums, all.index_select(0, at::tensor(index, at::kLong)).sum(1), "chosen rows");
}

// Differences that a float cannot hold would be infinite to a model.
TEST(Transforms, RefuseResultsThatAreInfinite) {
  const float large = std::numeric_limits<float>::max();
  const auto standardised = [](const std::vector<float>& train, float test) {
    return set_of({{"train", floats({2, 1}, train)}, {"test", floats({1, 1}, {test})}},
                  {{"standardise", "true"}});
  };
  EXPECT_NO_THROW(standardised({0, 3}, large));
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         standardised({-large, -large}, large);
                       }),
              {"infinite", "row 0", "column 0", "test"});
}

TEST(Transforms, OfDeviationsTooSmallForAFloatOnlyShift) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const Dataset set = set_of({{"train", floats({4, 1}, {0, tiny, 0, 0})}}, {{"standardise", "true"}});
  EXPECT_TRUE(rows_of(set.train).isfinite().all().item<bool>());
}

// A dynamic set that is transformed as well: every part must come out in the same units, or be refused.
TEST(Transforms, DoNotMixWithFreshDraws) {
  NamedArrays arrays = {{"train", random_bytes(60, 5, 255, 1)}, {"valid", random_bytes(60, 5, 255, 1)}};
  try {
    const Dataset set = set_of(arrays, {{"binarize", "dynamic"}, {"standardise", "true"}});
    EXPECT_LT(rows_of(set.train).mean(0).abs().max().item<double>(), 0.3);
    EXPECT_LT(rows_of(set.valid).mean(0).abs().max().item<double>(), 1.0);
    EXPECT_LT(rows_of(set.train).min().item<double>(), 0) << "standardised bits are no bits";
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::bug);
  }
}

// ---------------------------------------------------------------- columns without any value

const float gap = std::nanf("");

// Columns 1 and 3 of 5 have no value.
NamedArrays with_empty_columns() {
  return {{"train", floats({4, 5}, {0.5F, gap, 2, gap, 1, 1.5F, gap, 4, gap, gap,  //
                                    2.5F, gap, 6, gap, 3, 3.5F, gap, 8, gap, 4})}};
}

TEST(EmptyColumns, NothingButMissingCellsIsRefused) {
  const std::vector<float> cells(300, gap);
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of({{"train", floats({50, 6}, cells)}});
                       }),
              {"memory", "known cells", "train"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of({{"train", numbered(3, 6)}, {"valid", floats({50, 6}, cells)}});
                       }),
              {"known cells", "valid"});
  const Folder folder;
  const std::string table = folder.write("a.csv", text("a,b,c\nx,1,2\ny,2,3\n,,\n"));
  EXPECT_NO_THROW(load_dataset(table)) << "one row may miss all its cells";
  const std::string none = folder.write("b.csv", text("a,b\n,\n,NA\n"));
  error_of(ErrorKind::data, [&] { load_dataset(none); });
}

TEST(EmptyColumns, AreSetAsideAndSaid) {
  const Dataset set = set_of(with_empty_columns());
  EXPECT_EQ(set.columns(), 3);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(set.transform.set_aside, (std::vector<std::int64_t>{1, 3}));
  expect_near(doubles(rows_of(set.train)[0]), {0.5, 2, 1}, 0, "columns with values");
  ASSERT_EQ(set.notes.size(), 1U);
  expect_says(set.notes[0], {"columns 1, 3", "without any value"});
  EXPECT_TRUE(set_of({{"train", numbered(3, 4)}}).notes.empty());
  EXPECT_FALSE(set_of({{"train", numbered(3, 4)}}).describe()["transform"].contains("set_aside"));
}

TEST(EmptyColumns, ComeBackAsMissingCellsInWhatIsWritten) {
  for (const std::map<std::string, std::string>& how :
       std::vector<std::map<std::string, std::string>>{{}, {{"standardise", "true"}}}) {
    SCOPED_TRACE(how.size());
    const Dataset set = set_of(with_empty_columns(), how);
    const Tensor back = learnt_of(set).transform.invert(rows_of(set.train));
    const Tensor before = at::tensor({0.5F, gap, 2.0F, gap, 1.0F, 1.5F, gap, 4.0F, gap, gap,  //
                                      2.5F, gap, 6.0F, gap, 3.0F, 3.5F, gap, 8.0F, gap, 4.0F})
                              .view({4, 5});
    EXPECT_TRUE(at::equal(back.isnan(), before.isnan()));
    EXPECT_LT((back - before).nan_to_num(0).abs().max().item<double>(), 1e-6);
  }
  const Dataset set = set_of(with_empty_columns());
  const Tensor known = set.transform.put_back(rows_of(set.train).isnan().logical_not(), 0);
  EXPECT_EQ(known.scalar_type(), at::kBool);
  expect_near(doubles(known[1]), {1, 0, 1, 0, 0}, 0, "flags");
  const Dataset whole = set_of({{"train", numbered(3, 2)}});
  expect_bit_equal(whole.transform.put_back(rows_of(whole.train)), rows_of(whole.train), "nothing aside");
}

TEST(EmptyColumns, OfARunAreTheSameInLaterFiles) {
  for (const std::map<std::string, std::string>& how :
       std::vector<std::map<std::string, std::string>>{{}, {{"standardise", "true"}}}) {
    SCOPED_TRACE(how.size());
    const Dataset set = set_of(with_empty_columns(), how);
    const Learnt learnt = learnt_of(set);
    // Column 2 has no value in this file, and stays a column of the model.
    const Dataset later =
        set_of({{"train", floats({2, 5}, {9, gap, gap, gap, 1, 8, gap, gap, gap, 2})}}, {}, &learnt);
    EXPECT_EQ(later.columns(), 3);
    EXPECT_EQ(later.shape, set.shape);
    EXPECT_TRUE(rows_of(later.train).select(1, 1).isnan().all().item<bool>());
    EXPECT_TRUE(later.notes.empty());
    expect_says(
        error_of(ErrorKind::data,
                 [&] {
                   set_of({{"train", floats({2, 5}, {9, gap, 1, gap, 1, 8, gap, 1, 7, 2})}}, {}, &learnt);
                 }),
        {"memory", "column 3", "row 1", "7"});
    error_of(ErrorKind::data, [&] { set_of({{"train", floats({1, 3}, {9, 1, 1})}}, {}, &learnt); });
    EXPECT_EQ(set_of({{"train", floats({1, 5}, std::vector<float>(5, gap))}}, {}, &learnt).columns(), 3)
        << "a row to be filled in";
  }
}

TEST(EmptyColumns, OfBitsStayBits) {
  const Dataset set = set_of({{"train", floats({3, 3}, {0, gap, 1, 1, gap, 0, 1, gap, 1})}});
  EXPECT_EQ(set.values, ValueKind::binary);
  EXPECT_TRUE(set.transform.identity());
  const Learnt learnt = learnt_of(set);
  EXPECT_EQ(set_of({{"train", floats({1, 3}, {1, gap, 0})}}, {}, &learnt).values, ValueKind::binary);
}

TEST(EmptyColumns, AreJudgedByTheTrainingRowsAlone) {
  expect_says(
      error_of(ErrorKind::data,
               [] {
                 set_of({{"train", floats({2, 2}, {1, gap, 2, gap})}, {"test", floats({1, 2}, {1, 5})}});
               }),
      {"test", "column 1", "5"});
}

TEST(EmptyColumns, NamesAreSaidWhereTheFileHasThem) {
  const Folder folder;
  const Dataset set = load_dataset(folder.write("a.csv", text("a,b,c\n1,,0\n0,,1\n")));  // bits: no table
  ASSERT_EQ(set.notes.size(), 1U);
  expect_says(set.notes[0], {"column 'b'"});
  EXPECT_EQ(set.column_names.size(), 3U) << "names of what is written";
  const Dataset table = load_dataset(folder.write("t.csv", text("a,b,c\nx,,0.5\ny,,1\nx,,7\n")));
  ASSERT_EQ(table.notes.size(), 1U);
  expect_says(table.notes[0], {"column 'b'"});
}

TEST(EmptyColumns, OfPicturesAreRefusedWithTheirPlace) {
  std::vector<float> cells(2 * 3 * 4, 0.5F);
  cells[6] = cells[12 + 6] = gap;
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of({{"train", floats({2, 3, 4}, cells)}});
                       }),
              {"pixel", "row 1", "column 2"});
}

TEST(EmptyColumns, MalformedOnesOfACheckpointAreRefused) {
  for (const char* wrong : {R"({"set_aside":[3,1]})", R"({"set_aside":[-1]})", R"({"set_aside":[1,1]})",
                            R"({"set_aside":"b"})"}) {
    SCOPED_TRACE(wrong);
    error_of(ErrorKind::data, [&] {
      Learnt::from_json({{"transform", nlohmann::ordered_json::parse(wrong)}}, "run");
    });
  }
  Transform far;
  far.set_aside = {1000000000000};
  error_of(ErrorKind::data, [&] { far.invert(at::zeros({2, 3})); });
}

}  // namespace
}  // namespace deepgen::transforms_test
