// Classifying and its scores: by hand, on classifiers whose calibration is known, and by Bayes' rule.
//
// Statistical checks state their width in standard deviations; the seeds are fixed.
#include "deepgen/evaluate/classification.h"

#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/toy_models.h"

namespace deepgen::classification_test {
namespace {

using namespace machines;

using Toy = toys::ToyModel;

// The cells of a case are its probabilities.
class Oracle : public Toy, public CanClassify {
 public:
  std::int64_t classes() const override { return 3; }
  Tensor log_class_probs(const Rows& rows) const override {
    EXPECT_FALSE(rows.y.defined()) << "the answer was told";
    return rows.x.to(at::kDouble).log();
  }
};

// Of one number a case: p(x | y) = N(x; 2 y, 1), known given the label alone.
class Gaussians : public Toy, public IsConditional, public HasLogProb {
 public:
  std::int64_t condition_classes() const override { return 3; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
  Tensor log_prob(const Rows& rows) const override {
    return -0.5 * (rows.x.squeeze(1) - 2 * rows.y).to(at::kDouble).square() - 0.5 * std::log(2 * M_PI);
  }
};

Split split_of(const std::string& name, const Tensor& x, const Tensor& y) {
  Split split;
  split.name = name, split.x = x, split.y = y;
  return split;
}

Tensor labels(const std::vector<std::int64_t>& y) { return at::tensor(y, at::kLong); }

Dataset five_cases() {
  Dataset data;
  data.spec = data.name = "five";
  data.values = ValueKind::real;
  data.classes = 3;
  const Doubles p = {0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.5, 0.25, 0.3, 0.3, 0.4, 0.2, 0.2, 0.6};
  data.test = split_of("test", at::tensor(p, at::kFloat).view({5, 3}), labels({0, 2, 1, -1, 2}));
  data.train = split_of("train", data.test.x, labels({1, 1, 0, 1, -1}));
  return data;
}

std::vector<Score> scores_of(const Model& model, const Dataset& data) {
  Observer silent;
  return classification_scores(model, data, data.test, Rng(1), silent);
}

// ---------------------------------------------------------------- scores

TEST(ClassificationScores, OfFourCasesByHand) {
  const std::vector<Score> scores = scores_of(Oracle(), five_cases());
  ASSERT_EQ(scores.size(), 3U);
  for (const Score& score : scores) {
    EXPECT_EQ(score.kind, ScoreKind::exact);
    EXPECT_EQ(score.split, "test");
    EXPECT_EQ(score.rows, 4);
    expect_says(score.how, {"1 rows without a label left out"});
    EXPECT_TRUE(score.warning.empty());
  }
  EXPECT_EQ(scores[0].metric, "classification_error");
  EXPECT_EQ(scores[0].unit, "percent");
  EXPECT_NEAR(scores[0].value, 25, 1e-9);  // the second
  EXPECT_NEAR(*scores[0].standard_error, 100 * std::sqrt(0.25 * 0.75 / 4), 1e-9);
  expect_says(scores[0].how, {"always the most frequent class", "75.0"});  // class 1
  EXPECT_EQ(scores[1].metric, "classification_log_loss");
  EXPECT_EQ(scores[1].unit, "nats");
  const Doubles losses = {-std::log(0.7), -std::log(0.3), -std::log(0.5), -std::log(0.6)};
  const double mean = (losses[0] + losses[1] + losses[2] + losses[3]) / 4;
  double squares = 0;
  for (const double loss : losses) squares += (loss - mean) * (loss - mean);
  EXPECT_NEAR(scores[1].value, mean, 1e-6);
  EXPECT_NEAR(*scores[1].standard_error, std::sqrt(squares / 3 / 4), 1e-6);
  // One bin: three of four right, mean confidence (0.7 + 0.6 + 0.5 + 0.6) / 4 = 0.6.
  EXPECT_EQ(scores[2].metric, "calibration_error");
  EXPECT_EQ(scores[2].unit, "percent");
  EXPECT_NEAR(scores[2].value, 15, 1e-5);
  expect_says(scores[2].how, {"1 bins of equal numbers of rows"});
}

TEST(ClassificationScores, SayWhenALabelWasGivenNoProbability) {
  Dataset data = five_cases();
  data.test.x[0][0] = 0;
  const std::vector<Score> scores = scores_of(Oracle(), data);
  EXPECT_TRUE(std::isinf(scores[1].value));
  EXPECT_FALSE(scores[1].standard_error.has_value());
  expect_says(scores[1].warning, {"1 rows", "no probability"});
  data.test.x[0][0] = -1;  // no number at all
  expect_says(error_of(ErrorKind::numerical, [&] { scores_of(Oracle(), data); }), {"not finite"});
}

TEST(ClassificationScores, AreNotThereWhereNothingCanBeSaid) {
  EXPECT_TRUE(scores_of(Toy(), five_cases()).empty());
  Dataset data = five_cases();
  data.test.y = labels({-1, -1, -1, -1, -1});
  EXPECT_TRUE(scores_of(Oracle(), data).empty());
  data.test.y = Tensor();
  EXPECT_TRUE(scores_of(Oracle(), data).empty());
  data.test.y = labels({0, 2, 1, 3, 2});
  expect_says(error_of(ErrorKind::data, [&] { scores_of(Oracle(), data); }), {"five", "0 to 2", "3"});
}

// ---------------------------------------------------------------- calibration

TEST(CalibrationError, OfTwoBinsByHand) {
  Tensor confidence = at::full({40}, 0.6, at::kDouble), right = at::zeros({40}, at::kDouble);
  confidence.narrow(0, 20, 20).fill_(0.9);
  right.narrow(0, 3, 6).fill_(1);    // 30 % of those that were sure to 60 %
  right.narrow(0, 21, 18).fill_(1);  // 90 % of those that were sure to 90 %
  const CalibrationError error = calibration_error(confidence, right);
  EXPECT_EQ(error.bins, 2);
  EXPECT_NEAR(error.value, 0.15, 1e-12);
  EXPECT_NEAR(error.standard_error, std::sqrt(20 * 0.3 * 0.7 + 20 * 0.9 * 0.1) / 40, 1e-12);
  const double of_calibrated = std::sqrt(2 / M_PI * 20 * 0.24) + std::sqrt(2 / M_PI * 20 * 0.09);
  EXPECT_NEAR(error.of_calibrated, of_calibrated / 40, 1e-12);
  const Tensor order = at::tensor(Rng(3).permutation(40), at::kLong);
  EXPECT_NEAR(calibration_error(confidence.index_select(0, order), right.index_select(0, order)).value, 0.15,
              1e-12)
      << "the order of the rows";
}

// Confidences from one half to one, right as often as they say less `sureness`.
CalibrationError of_synthetic(double sureness, std::uint64_t seed) {
  constexpr std::int64_t rows = 20000;
  Rng rng(seed);
  Tensor confidence = at::empty({rows}, at::kDouble), right = at::empty({rows}, at::kDouble);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double p = 0.5 + 0.5 * rng.uniform();
    confidence.data_ptr<double>()[i] = p;
    right.data_ptr<double>()[i] = rng.uniform() < p - sureness ? 1 : 0;
  }
  return calibration_error(confidence, right);
}

TEST(CalibrationError, OfACalibratedClassifierIsWhatIsSaidOfIt) {
  double sum = 0, said = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const CalibrationError error = of_synthetic(0, seed);
    EXPECT_EQ(error.bins, 15);
    sum += error.value / 20, said += error.of_calibrated / 20;
  }
  // 15 absolute normal deviates whose variances sum to 20000 / 6: in one draw a deviation of 0.0017, in 20
  // one of 0.0004.
  EXPECT_NEAR(sum, said, 5 * 0.0004);
  // sqrt(2 / pi / 1333) times the mean of sqrt(p (1 - p)), which is pi / 8.
  EXPECT_NEAR(said, 0.0086, 0.0001);
}

TEST(CalibrationError, SeesAClassifierThatIsTooSure) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const CalibrationError error = of_synthetic(0.1, seed);
    EXPECT_NEAR(error.value, 0.1, 5 * error.standard_error) << seed;
    EXPECT_LT(error.standard_error, 0.005);
  }
}

// ---------------------------------------------------------------- by Bayes' rule

Dataset three_gaussians() {
  Dataset data;
  data.spec = data.name = "gaussians";
  data.values = ValueKind::real;
  data.classes = 3;
  Rng rng(4);
  data.train = split_of("train", at::zeros({4, 1}), labels({0, 1, 1, 2}));  // shares 1/4, 1/2, 1/4
  data.test = split_of("test", normal_tensor({4500, 1}, 3, rng), at::arange(4500, at::kLong).remainder(3));
  return data;
}

double log_posterior(double x, std::int64_t y) {
  const Doubles shares = {0.25, 0.5, 0.25};
  Doubles joint;
  for (int k = 0; k < 3; ++k) joint.push_back(std::log(shares[size(k)]) - 0.5 * std::pow(x - 2 * k, 2));
  return joint[size(y)] - log_sum_exp(joint);
}

TEST(Classify, ByBayesRuleWhereCasesAreKnownGivenTheirLabel) {
  const Gaussians model;
  const Dataset data = three_gaussians();
  Observer silent;
  EXPECT_EQ(classified_classes(model), 3);
  const Tensor shares = at::tensor(Doubles{1, 2, 1}, at::kDouble);
  const Tensor ours = classify_rows(model, data.test, Rng(1), silent, shares);
  ASSERT_EQ(ours.sizes(), at::IntArrayRef({4500, 3}));
  ASSERT_EQ(ours.scalar_type(), at::kDouble);
  const Doubles x = doubles(data.test.x), got = doubles(ours);
  double loss = 0, wrong = 0;
  for (std::int64_t i = 0; i < 4500; ++i) {
    std::int64_t best = 0;
    for (std::int64_t y = 0; y < 3; ++y) {
      ASSERT_NEAR(got[size(3 * i + y)], log_posterior(x[size(i)], y), 1e-4) << i;
      if (log_posterior(x[size(i)], y) > log_posterior(x[size(i)], best)) best = y;
    }
    loss -= log_posterior(x[size(i)], i % 3) / 4500, wrong += best == i % 3 ? 0 : 100.0 / 4500;
  }
  const std::vector<Score> scores = scores_of(model, data);  // shares of the training rows
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_NEAR(scores[0].value, wrong, 0.1);
  EXPECT_NEAR(scores[1].value, loss, 1e-4);
}

TEST(Classify, SaysWhyItRefuses) {
  const Gaussians model;
  Dataset data = three_gaussians();
  Observer silent;
  const auto refused = [&](const Model& one, const Tensor& shares, const std::string& part) {
    expect_says(error_of(ErrorKind::usage, [&] { classify_rows(one, data.test, Rng(1), silent, shares); }),
                {part});
  };
  refused(Toy(), {}, "cannot classify");
  refused(model, {}, "shares of the classes");
  refused(model, at::ones({2}), "3 classes, got 2");
  data.train.y = Tensor();
  EXPECT_TRUE(scores_of(model, data).empty()) << "no shares to judge by";
}

TEST(Classify, LabelledRowsAreThoseWhoseLabelIsKnown) {
  EXPECT_EQ(labelled_rows(five_cases().test), (std::vector<std::int64_t>{0, 1, 2, 4}));
  EXPECT_TRUE(labelled_rows(split_of("test", at::zeros({3, 1}), {})).empty());
}

}  // namespace
}  // namespace deepgen::classification_test
