// Tests on samples as an evaluation gives them: what is drawn, which scores there are, and that they tell
// good samples from bad ones.
#include "deepgen/evaluate/sample_tests.h"

#include "deepgen/evaluate/network_classifier.h"
#include "tests/library/runs.h"

namespace deepgen::sample_tests_test {
namespace {

using namespace machines;
using namespace runs;

constexpr std::int64_t columns = 12, classes = 3;

// A row of class y: grey, brighter in its third of the columns.
Tensor case_of(std::int64_t y, Rng& rng) {
  Tensor x = at::empty({columns});
  for (std::int64_t j = 0; j < columns; ++j)
    x.data_ptr<float>()[j] = static_cast<float>((j / 4 == y ? 0.6 : 0.1) + 0.3 * rng.uniform());
  return x;
}

// Draws from the distribution of the data, or of rows that are all too dark; given a label of this class, or
// of the next one.
class Fake : public Model, public IsConditional, public CanSampleGiven {
 public:
  explicit Fake(double brightness = 1, std::int64_t shift = 0) : brightness_(brightness), shift_(shift) {}
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_options; }
  std::int64_t condition_classes() const override { return classes; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
  Tensor sample_given(const Tensor& y, Rng& rng) const override {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < y.size(0); ++i)
      rows.push_back(case_of((y[i].item<std::int64_t>() + shift_) % classes, rng));
    return at::stack(rows) * brightness_;
  }

 private:
  double brightness_;
  std::int64_t shift_;
  RbmOptions rbm_options;
};

class FakeDirect : public Model, public CanSample {
 public:
  explicit FakeDirect(Tensor rows) : rows_(std::move(rows)) {}
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_options; }
  Tensor sample(std::int64_t count, Rng& rng) const override {
    std::vector<std::int64_t> index;
    for (std::int64_t i = 0; i < count; ++i)
      index.push_back(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(rows_.size(0)))));
    return rows_.index_select(0, at::tensor(index, at::kLong));
  }

 private:
  Tensor rows_;
  RbmOptions rbm_options;
};

Dataset labelled_set() {
  Rng rng(1);
  NamedArrays arrays;
  for (const auto& [name, rows] :
       {std::pair("train", 900), std::pair("valid", 200), std::pair("test", 400)}) {
    Array x = make_array(DType::u8, {rows, columns}), y = make_array(DType::u8, {rows});
    for (std::int64_t i = 0; i < rows; ++i) {
      y.bytes[size(i)] = static_cast<std::uint8_t>(i % classes);
      const Tensor row = case_of(i % classes, rng);
      for (std::int64_t j = 0; j < columns; ++j)
        x.bytes[size(i * columns + j)] = static_cast<std::uint8_t>(255 * row.data_ptr<float>()[j]);
    }
    arrays[name] = x;
    arrays[std::string(name) + "_labels"] = y;
  }
  return dataset_of(std::move(arrays), "none", "grey");
}

SampleTestPlan small_plan() {
  SampleTestPlan plan;
  plan.samples = 900, plan.rows = 300, plan.permutations = 200;
  return plan;
}

const Score& named(const std::vector<Score>& scores, const std::string& metric) {
  static const Score none;
  for (const Score& score : scores)
    if (score.metric == metric) return score;
  ADD_FAILURE() << "no score " << metric;
  return none;
}

std::vector<Score> scores_of(const Model& model, const Dataset& data, std::uint64_t seed = 5) {
  Observer silent;
  return sample_scores(model, data, "test", small_plan(), Rng(seed), silent);
}

TEST(SampleTests, PassSamplesThatAreLikeTheData) {
  const Dataset data = labelled_set();
  Fake model;
  const std::vector<Score> scores = scores_of(model, data);
  ASSERT_EQ(scores.size(), 11U);
  for (const Score& score : scores) {
    EXPECT_EQ(score.kind, ScoreKind::proxy) << score.metric;
    EXPECT_EQ(score.split, "test") << score.metric;
    EXPECT_FALSE(score.how.empty() || score.unit.empty()) << score.metric;
    EXPECT_EQ(score.metric.find("likelihood"), std::string::npos);
    EXPECT_TRUE(std::isfinite(score.value)) << score.metric;
  }
  // False alarms at this level: one in a thousand each, for a fresh seed.
  EXPECT_GT(named(scores, "two_sample_p_value").value, 0.001);
  EXPECT_GT(named(scores, "mmd2_p_value").value, 0.005);
  const Score &ours = named(scores, "parzen_log_density"),
              &control = named(scores, "parzen_log_density_training_rows");
  EXPECT_NEAR(ours.value, control.value, 5 * std::hypot(*ours.standard_error, *control.standard_error));
  EXPECT_NEAR(named(scores, "nearest_training_distance").value,
              named(scores, "nearest_training_distance_held_out").value, 0.02);
  EXPECT_GT(named(scores, "label_recognition").value, 99);
  EXPECT_GT(named(scores, "label_recognition_rows").value, 99);
}

TEST(SampleTests, DrawAndJudgeByTheLabelsThatAreKnown) {
  Dataset data = labelled_set();
  for (Split* part : {&data.train, &data.test})
    part->y = part->y.masked_fill(at::arange(part->rows()).remainder(10).eq(0), -1);
  const std::vector<Score> scores = scores_of(Fake(), data);
  EXPECT_GT(named(scores, "label_recognition").value, 98);
  EXPECT_EQ(named(scores, "label_recognition_rows").rows, 360);
  expect_says(named(scores, "label_recognition").how, {"trained on 810 training rows"});
  data.train.y.fill_(-1);
  expect_says(error_of(ErrorKind::data, [&] { scores_of(Fake(), data); }), {"expected labels"});
}

TEST(SampleTests, RefuseLabelsThatTheModelDidNotLearn) {
  Dataset data = labelled_set();
  data.test.y[3] = classes;
  expect_says(error_of(ErrorKind::data, [&] { scores_of(Fake(), data); }), {"0 to 2", "got 3"});
}

TEST(SampleTests, SeeSamplesThatAreNot) {
  const Dataset data = labelled_set();
  Fake dark(0.7), mislabelled(1, 1);
  const std::vector<Score> scores = scores_of(dark, data);
  EXPECT_LT(named(scores, "two_sample_p_value").value, 1e-6);
  EXPECT_LT(named(scores, "mmd2_p_value").value, 0.01);
  EXPECT_GT(named(scores, "two_sample_accuracy").value, 70);
  EXPECT_LT(named(scores, "parzen_log_density").value,
            named(scores, "parzen_log_density_training_rows").value - 1);
  const std::vector<Score> wrong = scores_of(mislabelled, data);
  EXPECT_LT(named(wrong, "label_recognition").value, 1);
  EXPECT_GT(named(wrong, "label_recognition_rows").value, 99);
}

TEST(SampleTests, SeeCopiesOfTrainingRows) {
  const Dataset data = labelled_set();
  FakeDirect copies(Dataset::rows(data.train, 0, 900, Rng(1)).x);
  const std::vector<Score> scores = scores_of(copies, data);
  ASSERT_EQ(scores.size(), 9U) << "no labels are drawn given";
  EXPECT_EQ(named(scores, "nearest_training_distance").value, 0);
  EXPECT_GT(named(scores, "nearest_training_distance_held_out").value, 0.05);
  expect_says(named(scores, "nearest_training_distance").how, {"100.0 %"});
}

TEST(SampleTests, EqualGeneratorEqualAnswer) {
  const Dataset data = labelled_set();
  Fake model;
  const std::vector<Score> one = scores_of(model, data), two = scores_of(model, data),
                           other = scores_of(model, data, 6);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].value, two[i].value) << one[i].metric;
  EXPECT_NE(one[0].value, other[0].value);
}

TEST(SampleTests, JudgeRowsOfSequencesOneByOne) {
  const Dataset data = labelled_set();
  Dataset sequences = data;
  for (Split* part : {&sequences.train, &sequences.valid, &sequences.test})
    part->starts = at::arange(0, part->rows(), 7);
  const Fake model;
  const std::vector<Score> one = scores_of(model, data), two = scores_of(model, sequences);
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].value, two[i].value) << one[i].metric;
    EXPECT_EQ(one[i].rows, two[i].rows) << one[i].metric;
  }
}

TEST(SampleTests, DrawByChainsWhereThereIsNothingElse) {
  const auto rbm = make_rbm(columns, 4, 0.5, 3);
  const Dataset data = random_bits(60, columns);
  SampleTestPlan plan = small_plan();
  plan.samples = 45, plan.chains = 20, plan.steps = 7, plan.between = 3;
  Rng rng(4);
  Observer silent;
  const Draws draws = draw_samples(*rbm, data, plan, rng, silent);
  EXPECT_EQ(draws.x.sizes(), at::IntArrayRef({45, columns}));
  EXPECT_EQ(draws.independent, 20);
  EXPECT_FALSE(at::equal(draws.x.narrow(0, 0, 20), draws.x.narrow(0, 20, 20))) << "the chains stood still";
  expect_says(draws.how, {"20 chains", "7 Gibbs steps"});
  EXPECT_FALSE(has_no_likelihood(*rbm));
  Fake model;
  EXPECT_TRUE(has_no_likelihood(model));
}

TEST(SampleTests, RefuseWhatCannotBeJudged) {
  const Dataset data = labelled_set(), whole = dataset_of({{"train", random_bytes(60, columns, 1, 3)}});
  Fake model;
  Observer silent;
  expect_says(
      error_of(ErrorKind::usage, [&] { sample_scores(model, data, "train", small_plan(), Rng(1), silent); }),
      {"valid or test"});
  expect_says(
      error_of(ErrorKind::data, [&] { sample_scores(model, whole, "test", small_plan(), Rng(1), silent); }),
      {"test=0.2"});
  Dataset gaps = labelled_set();
  gaps.test.x = Dataset::rows(gaps.test, 0, 400, Rng(1)).x;
  gaps.test.scale = 1;
  gaps.test.x[3][2] = std::nan("");
  expect_says(
      error_of(ErrorKind::data, [&] { sample_scores(model, gaps, "test", small_plan(), Rng(1), silent); }),
      {"complete rows"});
}

TEST(NetworkClassifier, LearnsWhatNoLineTellsApart) {
  Rng rng(2), own(3);
  Observer silent;
  const Tensor x = normal_tensor({4000, 2}, 1, rng);
  const Tensor y = ((x.select(1, 0) > 0) != (x.select(1, 1) > 0)).to(at::kLong);
  NetworkPlan plan;
  plan.hidden = {32}, plan.input_dropout = 0, plan.hidden_dropout = 0, plan.epochs = 40, plan.rate = 0.01;
  const NetworkClassifier network(x.narrow(0, 0, 3000), y.narrow(0, 0, 3000), 2, plan, own, silent);
  const Tensor right = network.predict(x.narrow(0, 3000, 1000)) == y.narrow(0, 3000, 1000);
  EXPECT_GT(right.to(at::kDouble).mean().item<double>(), 0.95);
}

}  // namespace
}  // namespace deepgen::sample_tests_test
