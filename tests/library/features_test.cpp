// What encode is worth: the four scores on data whose answer is known, and what is refused.
#include "deepgen/evaluate/features.h"

#include "tests/library/runs.h"

namespace deepgen::features_test {
namespace {

using namespace machines;

// A model that can do nothing but encode by a given function.
class Encoder : public Model, public CanEncode {
 public:
  explicit Encoder(std::function<Tensor(const Tensor&)> code) : code_(std::move(code)) {}
  Tensor encode(const Rows& rows) const override {
    EXPECT_FALSE(rows.y.defined()) << "the label was told";
    return code_(rows.x);
  }
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 private:
  std::function<Tensor(const Tensor&)> code_;
  RbmOptions options_;
  RbmLearning learning_;
};

class NoEncoder : public Model {
 public:
  Options& options() override { return options_; }
  Options& learning() override { return options_; }

 private:
  RbmOptions options_;
};

// Its code is made given the label.
class GivenEncoder : public Encoder, public IsConditional {
 public:
  using Encoder::Encoder;
  std::int64_t condition_classes() const override { return 3; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
};

Encoder same() {
  return Encoder([](const Tensor& x) { return x; });
}

// Rows around corners `distance` apart, one a class.
Split cloud_split(const char* name, std::int64_t rows, std::int64_t columns, std::int64_t classes,
                  double distance, std::uint64_t seed) {
  Rng rng(seed);
  Split split;
  split.name = name, split.x = normal_tensor({rows, columns}, 1, rng), split.y = at::empty({rows}, at::kLong);
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto label = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(classes)));
    split.y.data_ptr<std::int64_t>()[i] = label;
    split.x.data_ptr<float>()[i * columns + label] += static_cast<float>(distance);
  }
  return split;
}

Dataset clouds(std::int64_t rows, std::int64_t columns, std::int64_t classes, double distance,
               bool valid = true) {
  Dataset data;
  data.spec = data.name = "clouds";
  data.shape = {columns};
  data.values = ValueKind::real;
  data.classes = classes;
  data.train = cloud_split("train", rows, columns, classes, distance, 21);
  if (valid) data.valid = cloud_split("valid", rows / 4, columns, classes, distance, 22);
  data.test = cloud_split("test", rows / 2, columns, classes, distance, 23);
  return data;
}

std::vector<Score> scores_of(const Model& model, const Dataset& data, const FeaturePlan& plan = {},
                             const std::string& split = "test") {
  Observer silent;
  return feature_scores(model, data, split, plan, Rng(1), silent);
}

Score named(const std::vector<Score>& scores, const std::string& metric) {
  for (const Score& score : scores)
    if (score.metric == metric) return score;
  ADD_FAILURE() << "no score " << metric;
  return {};
}

TEST(Features, FourProxiesWithTheirErrors) {
  Encoder model = same();
  const std::vector<Score> scores = scores_of(model, clouds(400, 5, 3, 2));
  std::vector<std::string> names;
  for (const Score& score : scores) {
    names.push_back(score.metric);
    EXPECT_EQ(score.kind, ScoreKind::proxy);
    EXPECT_EQ(score.unit, "percent");
    EXPECT_EQ(score.split, "test");
    EXPECT_EQ(score.rows, 200);
    const double share = score.value / 100;
    EXPECT_NEAR(*score.standard_error, 100 * std::sqrt(share * (1 - share) / 200), 1e-9);
    expect_says(score.how, {"400 training rows", "chosen on 100 validation rows"});
    EXPECT_GT(score.value, 0) << score.metric;
    EXPECT_LT(score.value, 50) << score.metric;  // of three classes chance leaves 67
  }
  EXPECT_EQ(names, (std::vector<std::string>{"linear_error_code", "linear_error_raw",
                                             "nearest_neighbour_error_code", "nearest_neighbour_error_raw"}));
  EXPECT_EQ(scores[0].value, scores[1].value) << "a code that is the input";
  EXPECT_EQ(scores[2].value, scores[3].value) << "a code that is the input";
}

TEST(Features, SeparableClassesLeaveNoError) {
  Encoder model = same();
  for (const Score& score : scores_of(model, clouds(300, 4, 3, 30)))
    EXPECT_EQ(score.value, 0) << score.metric;
}

TEST(Features, AnInvertibleMapLeavesTheLinearErrorNearlyAlone) {
  const Dataset data = clouds(2000, 6, 3, 1.5);
  Rng rng(31);
  const Tensor map = normal_tensor({6, 6}, 1, rng);
  Encoder model([&](const Tensor& x) { return x.mm(map) + 3; });
  const std::vector<Score> scores = scores_of(model, data);
  const Score code = named(scores, "linear_error_code"), raw = named(scores, "linear_error_raw");
  EXPECT_GT(raw.value, 5);
  // The same rows: only the penalty, which sees other weights, may turn a few of the 1000 rows.
  EXPECT_NEAR(code.value, raw.value, 0.6);
}

TEST(Features, ACodeThatForgetsIsWorseAndOneThatUntwistsIsBetter) {
  Dataset data = clouds(1000, 2, 2, 0);
  for (Split* part : {&data.train, &data.valid, &data.test})  // class: the sign of the product, as in xor
    part->y = (part->x.select(1, 0) * part->x.select(1, 1) > 0).to(at::kLong);
  Encoder product([](const Tensor& x) { return x.prod(1, true); });
  const std::vector<Score> untwisted = scores_of(product, data);
  EXPECT_LT(named(untwisted, "linear_error_code").value, 3);
  EXPECT_GT(named(untwisted, "linear_error_raw").value, 35);
  Encoder blank([](const Tensor& x) { return at::ones({x.size(0), 3}); });
  const std::vector<Score> forgotten = scores_of(blank, data);
  EXPECT_GT(named(forgotten, "linear_error_code").value, 40);
  EXPECT_GT(named(forgotten, "nearest_neighbour_error_code").value, 40);
  EXPECT_LT(named(forgotten, "nearest_neighbour_error_raw").value, 15);
}

TEST(Features, RandomLabelsGiveChance) {
  Encoder model = same();
  // Four classes, 1000 rows: 75 % with a deviation of 1.37 %. Five of them: of four scores one in 400,000
  // trials fails by chance.
  for (const Score& score : scores_of(model, clouds(2000, 8, 4, 0)))
    EXPECT_NEAR(score.value, 75, 5 * 1.37) << score.metric;
}

TEST(Features, RowsAreCappedAndDrawnBySeed) {
  Encoder model = same();
  const Dataset data = clouds(600, 5, 3, 1);
  const std::vector<Score> some = scores_of(model, data, {.rows = 100}),
                           again = scores_of(model, data, {100});
  for (std::size_t i = 0; i < some.size(); ++i) {
    expect_says(some[i].how, {"100 of 600 training rows at random"});
    EXPECT_EQ(some[i].value, again[i].value);
    EXPECT_EQ(some[i].how, again[i].how);
  }
}

TEST(Features, WithoutValidationRowsATenthIsHeldOut) {
  Encoder model = same();
  for (const Score& score : scores_of(model, clouds(500, 5, 3, 2, false)))
    expect_says(score.how, {"450 of 500 training rows", "chosen on 50 other training rows"});
  // The validation rows do not choose where they are judged.
  for (const Score& score : scores_of(model, clouds(500, 5, 3, 2), {}, "valid")) {
    expect_says(score.how, {"chosen on 50 other training rows"});
    EXPECT_EQ(score.rows, 125);
  }
}

TEST(Features, ClassesThatAreNewInTheTestCountAsErrors) {
  Encoder model = same();
  Dataset data = clouds(300, 4, 3, 30);
  data.train.y.masked_fill_(data.train.y.eq(1), 5);  // labels need not be dense
  data.valid.y.masked_fill_(data.valid.y.eq(1), 5);
  const auto strange = data.test.y.eq(1).sum().item<std::int64_t>();
  for (const Score& score : scores_of(model, data)) {
    EXPECT_NEAR(score.value, 100.0 * real(strange) / 150, 1e-9) << score.metric;
    expect_says(score.how, {std::to_string(strange) + " rows of classes", "count as errors"});
  }
}

TEST(Features, RowsWithoutALabelAreLeftOut) {
  Encoder model = same();
  Dataset data = clouds(300, 4, 3, 30);  // separable
  for (Split* part : {&data.train, &data.valid, &data.test})
    part->y.masked_fill_(at::arange(part->rows()).remainder(3).eq(0), -1);  // a third of each
  for (const Score& score : scores_of(model, data)) {
    EXPECT_EQ(score.value, 0) << score.metric << ": no label is no class";
    EXPECT_EQ(score.rows, 100) << score.metric;
    expect_says(score.how, {"200 of 300 training rows", "50 validation rows", "50 rows without a label"});
  }
  data.train.y.fill_(-1);
  expect_says(error_of(ErrorKind::data, [&] { scores_of(model, data); }), {"no labels", "train"});
}

TEST(Features, RowsOfSequencesAreJudgedOneByOne) {
  Encoder model = same();
  const Dataset data = clouds(300, 4, 3, 1);
  Dataset sequences = data;
  for (Split* part : {&sequences.train, &sequences.valid, &sequences.test})
    part->starts = at::arange(0, part->rows(), 4);
  const std::vector<Score> one = scores_of(model, data), two = scores_of(model, sequences);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].value, two[i].value) << one[i].metric;
    EXPECT_EQ(one[i].how, two[i].how);
  }
}

TEST(Features, ThreadsChangeNothing) {
  const Dataset data = clouds(1500, 30, 5, 1.2);
  auto on = [&](int count) {
    const Threads some(count);
    Encoder model = same();
    return scores_of(model, data);
  };
  const std::vector<Score> one = on(1), three = on(3);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].value, three[i].value) << one[i].metric;
    EXPECT_EQ(one[i].how, three[i].how);
  }
}

TEST(Features, ARestrictedBoltzmannMachineHasThem) {
  const auto rbm = make_rbm(6, 4, 0.5, 3);
  Dataset data = clouds(200, 6, 3, 2);
  for (Split* part : {&data.train, &data.valid, &data.test}) part->x = (part->x > 0.5).to(at::kFloat);
  EXPECT_EQ(scores_of(*rbm, data).size(), 4U);
}

TEST(Features, WhatIsRefusedAndWhy) {
  Encoder model = same();
  const Dataset good = clouds(100, 4, 2, 2);
  auto refused = [&](ErrorKind kind, const Dataset& data, const std::vector<std::string>& parts,
                     const std::string& split = "test") {
    expect_says(error_of(kind, [&] { scores_of(model, data, {}, split); }), parts);
  };
  NoEncoder mute;
  expect_says(error_of(ErrorKind::usage, [&] { scores_of(mute, good); }), {"no code"});
  const GivenEncoder given([](const Tensor& x) { return x; });
  expect_says(error_of(ErrorKind::usage, [&] { scores_of(given, good); }), {"given the label"});
  Dataset bad = good;
  bad.test.y = Tensor();
  refused(ErrorKind::data, bad, {"clouds", "no labels", "test"});
  bad = good, bad.train.y = at::full({100}, 3, at::kLong);
  refused(ErrorKind::data, bad, {"two classes", "only class 3"});
  bad = good, bad.test.x = good.test.x.clone();
  bad.test.x.data_ptr<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  refused(ErrorKind::data, bad, {"clouds", "complete rows", "row 1, column 3"});
  bad = good, bad.one_matrix = true;
  refused(ErrorKind::data, bad, {"test=0.2"});
  refused(ErrorKind::usage, good, {"valid or test"}, "train");
  expect_says(error_of(ErrorKind::usage, [&] { scores_of(model, good, {.rows = 9}); }), {"at least 10", "9"});
  Encoder broken([](const Tensor& x) { return x / 0; });
  expect_says(error_of(ErrorKind::numerical, [&] { scores_of(broken, good); }), {"not finite"});
}

TEST(Features, ListensToTheObserver) {
  Encoder model = same();
  const Dataset data = clouds(200, 4, 2, 1);
  for (const std::int64_t after : {1, 4, 20}) {
    runs::StopAfter observer(after);
    expect_says(
        error_of(ErrorKind::interrupted, [&] { feature_scores(model, data, "test", {}, Rng(1), observer); }),
        {"stopped"});
  }
}

}  // namespace
}  // namespace deepgen::features_test
