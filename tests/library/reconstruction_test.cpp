// The error of a reconstruction: one for each kind of column, in the unit of that kind.
#include "deepgen/evaluate/reconstruction.h"

#include "tests/library/machines.h"
#include "tests/library/toy_models.h"

namespace deepgen::reconstruction_test {
namespace {

using namespace machines;

// Every case has the same decoded mean; a code of rows with missing cells is missing.
class Fixed : public toys::ToyModel, public CanEncode, public CanDecode {
 public:
  explicit Fixed(const Doubles& mean) : mean_(at::tensor(mean, at::kFloat)) {}
  Tensor encode(const Rows& rows) const override { return rows.x.sum(1, true); }
  Tensor decode(const Rows& codes) const override { return mean_.unsqueeze(0) + 0 * codes.x; }

 private:
  Tensor mean_;
};

class FixedGiven : public Fixed, public IsConditional {
 public:
  using Fixed::Fixed;
  std::int64_t condition_classes() const override { return 2; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
};

class OnlyCode : public toys::ToyModel, public CanEncode {
 public:
  Tensor encode(const Rows& rows) const override { return rows.x; }
};

Dataset rows_of(const Doubles& cells, std::int64_t columns, ValueKind values) {
  Dataset data;
  data.spec = data.name = "rows";
  data.shape = {columns};
  data.values = values;
  data.test.name = "test";
  data.test.x = at::tensor(cells, at::kFloat).view({-1, columns});
  data.train = data.test;
  data.train.name = "train";
  return data;
}

std::vector<Score> scores_of(const Model& model, const Dataset& data) {
  return reconstruction_scores(model, data, data.test, Rng(1));
}

// A bit, three categories, a count and two reals.
TEST(Reconstruction, HasOneErrorAKindOfColumn) {
  const double nan = std::nan("");
  Dataset data = rows_of({1,   0, 1, 0, 5, 1, -1,  //
                          0,   1, 0, 0, 2, 0, 0,   //
                          nan, 0, 0, 1, 2, 0, 0},
                         7, ValueKind::mixed);
  data.groups = {{ColumnKind::binary, 0, 1},
                 {ColumnKind::softmax, 1, 3},
                 {ColumnKind::count, 4, 1},
                 {ColumnKind::gaussian, 5, 2}};
  data.table.columns.resize(1);  // of a table: its reals are standardised
  const std::vector<Score> scores = scores_of(Fixed({0.8, 0.2, 0.5, 0.3, 3, 0.5, 1}), data);
  ASSERT_EQ(scores.size(), 4U);
  struct Wanted {
    std::string metric, unit;
    double first, second;
  };
  const std::vector<Wanted> wanted = {
      {"reconstruction_error_bits", "nats", -std::log(0.8), -std::log(0.2)},
      {"reconstruction_error_categories", "nats", -std::log(0.5), -std::log(0.2)},
      {"reconstruction_error_counts", "squared counts", 4, 1},
      {"reconstruction_error_real", "squared standard deviations", 0.25 + 4, 0.25 + 1}};
  for (const Wanted& each : wanted) {
    const auto found = std::find_if(scores.begin(), scores.end(),
                                    [&](const Score& score) { return score.metric == each.metric; });
    ASSERT_NE(found, scores.end()) << each.metric;
    EXPECT_EQ(found->unit, each.unit);
    EXPECT_EQ(found->kind, ScoreKind::proxy);
    EXPECT_EQ(found->split, "test");
    EXPECT_EQ(found->rows, 2) << "a row with a missing cell is left out";
    EXPECT_NEAR(found->value, (each.first + each.second) / 2, 1e-6) << each.metric;
    EXPECT_NEAR(*found->standard_error, std::abs(each.first - each.second) / 2, 1e-6) << each.metric;
  }
}

TEST(Reconstruction, KeepsItsNameWhereAllColumnsAreOfOneKind) {
  const auto only = [](const Dataset& data, const Doubles& mean) {
    const std::vector<Score> scores = scores_of(Fixed(mean), data);
    EXPECT_EQ(scores.size(), 1U);
    EXPECT_EQ(scores.front().metric, "reconstruction_error");
    return scores.front();
  };
  const Score bits = only(rows_of({1, 0}, 2, ValueKind::binary), {0.8, 0.3});
  EXPECT_EQ(bits.unit, "nats");
  EXPECT_NEAR(bits.value, -std::log(0.8) - std::log(0.7), 1e-6);
  const Score grey = only(rows_of({0.5, 0.25}, 2, ValueKind::grey), {1, 0});
  EXPECT_EQ(grey.unit, "squared units");
  EXPECT_NEAR(grey.value, 0.25 + 0.0625, 1e-6);
  Dataset real = rows_of({3, -1}, 2, ValueKind::real);
  EXPECT_EQ(only(real, {1, 0}).unit, "squared units");
  EXPECT_NEAR(only(real, {1, 0}).value, 5, 1e-6);
  real.transform.mean = {0, 0}, real.transform.deviation = {1, 1};
  EXPECT_EQ(only(real, {1, 0}).unit, "squared standard deviations");
  Dataset categories = rows_of({0, 1, 1, 0, 0}, 5, ValueKind::categorical);
  categories.groups = {{ColumnKind::softmax, 0, 2}, {ColumnKind::softmax, 2, 3}};
  // Means that are no shares are brought to the sum 1 in each group.
  EXPECT_NEAR(only(categories, {0.2, 0.2, 0.6, 0.3, 0.3}).value, std::log(2) + std::log(2), 1e-6);
}

TEST(Reconstruction, LeavesOutRowsWhoseLabelIsNeededAndUnknown) {
  Dataset data = rows_of({1, 0, 1, 1, 0, 0}, 2, ValueKind::binary);
  const FixedGiven model({0.5, 0.5});
  EXPECT_TRUE(scores_of(model, data).empty()) << "no labels at all";
  data.test.y = at::tensor(std::vector<std::int64_t>{0, -1, 1}, at::kLong);
  const std::vector<Score> scores = scores_of(model, data);
  ASSERT_EQ(scores.size(), 1U);
  EXPECT_EQ(scores.front().rows, 2);
  EXPECT_TRUE(scores_of(OnlyCode(), data).empty());
}

}  // namespace
}  // namespace deepgen::reconstruction_test
