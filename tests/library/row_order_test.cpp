// Orders of rows. By weight: in proportion, never where the weight is zero, and as without weights where all
// are equal.
#include "deepgen/train/row_order.h"

#include "deepgen/data/known_labels.h"
#include "tests/library/runs.h"

namespace deepgen::row_order_test {
namespace {

using namespace machines;
using namespace runs;

using Numbers = std::vector<std::int64_t>;

Split split_of(std::int64_t rows, const std::vector<float>& weights = {}) {
  Split split;
  split.name = "train";
  split.x = at::zeros({rows, 1}, at::kByte);
  if (!weights.empty()) split.weights = at::tensor(weights);
  return split;
}

Numbers counts_of(const Numbers& order, std::int64_t rows) {
  Numbers counts(size(rows));
  for (const std::int64_t row : order) ++counts.at(size(row));
  return counts;
}

TEST(RowOrder, OfEqualWeightsIsThatOfNone) {
  for (const std::int64_t rows : {1, 2, 7, 1000, 12345})
    for (const float weight : {1.0F, 0.1F, 3e7F, 1e-30F})
      EXPECT_EQ(row_order(split_of(rows, std::vector<float>(size(rows), weight)), Rng(5)),
                row_order(split_of(rows), Rng(5)))
          << rows << " " << weight;
  Rng rng(5);
  EXPECT_EQ(row_order(split_of(100), Rng(5)), rng.permutation(100));
}

TEST(RowOrder, CountsAreWholeSharesOrTheirNeighbours) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const std::int64_t rows = 1 + static_cast<std::int64_t>(rng.below(60));
    std::vector<float> weights(size(rows));
    double total = 0;
    for (float& w : weights) w = rng.below(3) == 0 ? 0 : static_cast<float>(std::exp(3 * rng.normal()));
    weights.back() += 0.1F;
    for (const float w : weights) total += w;
    const Numbers order = row_order(split_of(rows, weights), rng), counts = counts_of(order, rows);
    ASSERT_EQ(order.size(), size(rows));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double share = real(rows) * weights[i] / total;
      EXPECT_GT(real(counts[i]), share - 1 - 1e-9) << seed << " row " << i;
      EXPECT_LT(real(counts[i]), share + 1 + 1e-9) << seed << " row " << i;
      if (weights[i] == 0) {
        EXPECT_EQ(counts[i], 0) << seed << " row " << i;
      }
    }
  }
}

TEST(RowOrder, ADoubledWeightIsARowTwice) {
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_EQ(counts_of(row_order(split_of(6, {2, 0, 1, 1, 0.5F, 1.5F}), Rng(seed)), 6)[0], 2) << seed;
}

// The share of row 0 is 5/3: once and, in two epochs of three, twice. 3000 epochs: a deviation of more
// than 4.5 standard errors comes by chance in 7 of a million seeds; the seed is fixed.
TEST(RowOrder, SharesHoldInExpectation) {
  constexpr int epochs = 3000;
  double first = 0, place = 0;
  for (std::uint64_t e = 0; e < epochs; ++e) {
    const Numbers order = row_order(split_of(5, {2, 1, 1, 1, 1}), Rng(9).fork({e}));
    first += real(std::count(order.begin(), order.end(), 0));
    place += real(std::find(order.begin(), order.end(), 1) == order.begin());
  }
  EXPECT_NEAR(first / epochs, 5.0 / 3, 4.5 * std::sqrt(2.0 / 9 / epochs));
  EXPECT_NEAR(place / epochs, 1.0 / 6, 4.5 * std::sqrt(5.0 / 36 / epochs)) << "drawn rows are permuted";
}

TEST(RowOrder, RefusesWeightsThatSayNothing) {
  const auto refused = [](const std::vector<float>& weights) {
    return error_of(ErrorKind::data, [&] { row_order(split_of(3, weights), Rng(1)); });
  };
  expect_says(refused({0, 0, 0}), {"train", "above 0"});
  expect_says(refused({1, -2, 1}), {"-2", "row 1"});
  expect_says(refused({1, 1, std::nanf("")}), {"nan", "row 2"});
  expect_says(refused({1, 1}), {"3 rows", "2"});
}

// An epoch of sequences visits each once, in the order that as many rows would have.
TEST(RowOrder, OfSequencesCountsThem) {
  Split split = split_of(13);
  split.starts = at::tensor({0, 2, 3, 7, 11}, at::kLong);
  EXPECT_EQ(row_order(split, Rng(5)), row_order(split_of(5), Rng(5)));
  split.weights = at::ones({13});
  expect_says(error_of(ErrorKind::data, [&] { row_order(split, Rng(5)); }), {"train", "sequences"});
}

// Writes down which rows it is shown: by the trainer, at the start, and for the curve.
class Witness : public Model, public HasGradients {
 public:
  Witness() { b = register_parameter("b", at::zeros({4}), false); }
  Metrics gradients(const Rows& batch, const Turn&, Rng&) override {
    see(batch);
    b.mutable_grad().zero_();
    return {};
  }
  void initialise(const Rows& sample, Rng&) override { see(sample); }
  Metrics diagnose(const Rows& train, const Rows&, Rng&) override {
    see(train);
    return {};
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }
  void see(const Rows& rows) {
    EXPECT_FALSE(rows.weights.defined()) << "rows that were drawn by weight would count twice";
    for (const std::int64_t state : state_numbers(rows.x)) ++seen[size(state)];
  }

  Tensor b;
  Numbers seen = Numbers(16);
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

// Row s holds the bits of s.
TEST(RowWeights, HoldForBatchesStartAndProbes) {
  Array bits = make_array(DType::u8, {16, 4});
  for (std::size_t s = 0; s < 16; ++s)
    for (std::size_t i = 0; i < 4; ++i) bits.bytes[4 * s + i] = static_cast<std::uint8_t>(s >> i & 1U);
  Dataset data = dataset_of({{"train", bits}, {"valid", bits}});
  data.train.weights = at::zeros({16});
  for (const int row : {3, 5, 9, 12}) data.train.weights[row] = row == 9 ? 2.5 : 0.5;
  const auto model = std::make_shared<Witness>();
  Trainer trainer(model, data, settings_of({"training.epochs=10", "training.batch=5"}), 4);
  StopAfter never;
  trainer.run(never);
  Numbers wanted(16);
  wanted[3] = wanted[5] = wanted[12] = 2 * 21,
  wanted[9] = 10 * 21;  // 10 epochs, each with a probe, and the start
  EXPECT_EQ(model->seen, wanted);
  data.train.weights.zero_();
  error_of(ErrorKind::data, [&] { Trainer(model, data, settings_of({}), 4); });
}

TEST(RowOrder, OfLabelledRowsHasThemAlone) {
  Split split = split_of(7);
  split.y = at::tensor({-1, 2, 0, -1, -1, 1, 0}, at::kLong);
  EXPECT_EQ(labelled_rows(split), (Numbers{1, 2, 5, 6}));
  EXPECT_EQ(row_order(split, Rng(3)).size(), 7U);
  EXPECT_EQ(counts_of(row_order(split, Rng(3), true), 7), (Numbers{0, 1, 1, 0, 0, 1, 1}));
  EXPECT_NE(row_order(split, Rng(3), true), row_order(split, Rng(4), true));
  split.weights = at::tensor({5.0F, 1.0F, 0.0F, 5.0F, 5.0F, 3.0F, 0.0F});
  EXPECT_EQ(counts_of(row_order(split, Rng(3), true), 7), (Numbers{0, 1, 0, 0, 0, 3, 0}));
  EXPECT_TRUE(labelled_rows(split_of(3)).empty());
}

}  // namespace
}  // namespace deepgen::row_order_test
