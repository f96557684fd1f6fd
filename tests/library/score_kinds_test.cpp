// What each score says that it proves: names and kinds of bounds, of bounds that owe a log Z, of rows and of
// sequences, and that curves, `evaluate` and `score` give one number.
#include <algorithm>

#include "deepgen/evaluate/likelihood.h"
#include "tests/library/data_sets.h"
#include "tests/library/toy_models.h"

namespace deepgen::score_kinds_test {
namespace {

using namespace machines;
using namespace toys;

const Score& score_named(const std::vector<Score>& scores, const std::string& metric) {
  static const Score none;
  for (const Score& score : scores)
    if (score.metric == metric) return score;
  ADD_FAILURE() << "no score " << metric;
  return none;
}

bool has_score(const std::vector<Score>& scores, const std::string& metric) {
  return std::any_of(scores.begin(), scores.end(), [&](const Score& s) { return s.metric == metric; });
}

// A set of real columns with means and deviations of their own, standardised or as it is.
Dataset real_set(std::int64_t rows, bool standardise, std::int64_t columns = 3) {
  Rng rng(31);
  NamedArrays arrays;
  for (const char* part : {"train", "valid", "test"}) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < rows * columns; ++i)
      values.push_back(static_cast<float>(10 * real(i % columns) + real(i % columns + 2) * rng.normal()));
    arrays[part] = data_sets::floats({rows, columns}, values);
  }
  return data_sets::set_of(arrays, {{"standardise", standardise ? "true" : "false"}});
}

// ---------------------------------------------------------------- bounds that owe log Z

struct Owing {
  std::shared_ptr<Rbm> rbm = make_rbm(12, 6, 1, 41);
  Rng rng{43};
  Tensor x = exact_rows(*rbm, 80, rng);
  Dataset set = bits_set(x);
  double exact = exact_mean_log_prob(*rbm, x);

  Owing() { set_base_rates(*rbm, x); }
};

TEST(BoundLessLogZ, IsALowerBoundWhereLogZIsExact) {
  Owing owing;
  const OwingBound model(owing.rbm, true);
  Observer silent;
  EXPECT_EQ(score_route(model), ScoreRoute::bound_less_log_z);
  EXPECT_TRUE(is_bounded(model));
  const std::vector<Score> scores = evaluate_model(model, owing.set, "test", {}, owing.rng, silent);
  const Score& score = score_named(scores, "log_prob_bound_less_log_z");
  EXPECT_EQ(score.kind, ScoreKind::lower_bound);
  EXPECT_LT(score.value, owing.exact - 1e-3) << "the mean field is too flat";
  EXPECT_GT(score.value, owing.exact - 5);
  EXPECT_FALSE(score.lower || score.upper);
  EXPECT_FALSE(has_score(scores, "log_prob")) << "it is no log-probability";
  EXPECT_FALSE(has_score(scores, "elbo")) << "more draws do not tighten it";
}

// The same value less an annealed log Z may err to either side: no bound, and bounded from below alone.
TEST(BoundLessLogZ, IsAnEstimateWhereLogZIsAnnealed) {
  Owing owing;
  const OwingBound model(owing.rbm, false);
  Observer silent;
  const std::vector<Score> scores =
      evaluate_model(model, owing.set, "test", {"linear-100", 60, 60}, owing.rng, silent);
  const Score& score = score_named(scores, "log_prob_bound_less_log_z");
  EXPECT_EQ(score.kind, ScoreKind::estimate);
  expect_says(score.how, {"annealed", "no bound", "log Z"});
  EXPECT_FALSE(score.upper) << "the bound may lie any way below";
  ASSERT_TRUE(score.lower) << score.warning;
  EXPECT_LT(*score.lower, owing.exact);
  EXPECT_LT(*score.lower, score.value);
  const RowScores rows = row_scores(model, owing.set, owing.set.test, {"linear-100", 60, 60}, Rng(1), silent);
  EXPECT_EQ(rows.column, "log_prob_estimate");
  EXPECT_TRUE(rows.row.owes_log_partition);
  EXPECT_FALSE(rows.row.tightens);
  const std::string words = rows_in_words(rows);
  EXPECT_EQ(words.find("bound"), std::string::npos) << words;
}

TEST(BoundLessLogZ, IsValidatedByThePessimisticEnd) {
  Owing owing;
  const auto exact = judge_model(OwingBound(owing.rbm, true), owing.set, 5);
  const auto annealed = judge_model(OwingBound(owing.rbm, false), owing.set, 5);
  ASSERT_TRUE(exact && annealed);
  EXPECT_EQ(exact->name, "valid_log_prob_bound");
  EXPECT_EQ(annealed->name, "valid_log_prob_estimate");
  EXPECT_LT(exact->value, owing.exact);
  EXPECT_LT(annealed->value, exact->value + 0.05);
  EXPECT_GT(annealed->value, exact->value - 1);
}

// ---------------------------------------------------------------- stochastic bounds

// Rows lie above the truth one by one, their mean does not; so no row is called a bound.
TEST(RowsOfABound, AreEstimatesWhoseMeanIsABound) {
  const Dataset set = real_set(400, true);
  const NoisyBound model(0);
  Observer silent;
  const RowScores rows = row_scores(model, set, set.test, {}, Rng(3), silent);
  EXPECT_EQ(rows.metric, "log_prob");
  EXPECT_EQ(rows.column, "log_prob_estimate");
  EXPECT_EQ(rows.kind, ScoreKind::lower_bound);
  expect_says(rows_in_words(rows), {"400 estimates", "their mean is a lower bound"});
  EvaluationPlan one;
  one.samples = 1;
  const Tensor values = row_scores(model, set, set.test, one, Rng(3), silent).values;
  const Tensor truth = row_scores(StandardNormal(), set, set.test, {}, Rng(3), silent).values;
  EXPECT_TRUE((values > truth).any().item<bool>()) << "the case shows nothing";
  EXPECT_LT(values.mean().item<double>(), truth.mean().item<double>());
}

TEST(RowsOfABound, GivenLabelsAreNamedSo) {
  Dataset set = real_set(50, false);
  const NoisyBound model(3);
  Observer silent;
  Rng rng(5);
  for (Split* part : {&set.train, &set.valid, &set.test}) part->y = at::arange(50).remainder(3);
  const std::vector<Score> scores = evaluate_model(model, set, "test", {}, rng, silent);
  EXPECT_EQ(score_named(scores, "conditional_log_prob").kind, ScoreKind::lower_bound);
  EXPECT_EQ(score_named(scores, "conditional_elbo").kind, ScoreKind::lower_bound);
  expect_says(score_named(scores, "conditional_log_prob").how, {"given the label"});
  EXPECT_FALSE(has_score(scores, "log_prob"));
  EXPECT_FALSE(has_score(scores, "baseline_log_prob")) << "it tells another thing";
  EXPECT_EQ(row_scores(model, set, set.test, {}, rng, silent).column, "conditional_log_prob_estimate");
  set.test.y[7] = -1;
  expect_says(error_of(ErrorKind::data, [&] { row_scores(model, set, set.test, {}, rng, silent); }),
              {"row 7", "label"});
}

// ---------------------------------------------------------------- one number everywhere

// Per route: the mean of the rows of `score` is the number of `evaluate`, bit by bit the same draws.
TEST(OneNumber, ScoreIsWhatEvaluateTakesTheMeanOf) {
  Owing owing;
  const Dataset reals = real_set(60, true);
  const StandardNormal exact;
  const Unenumerated annealed(owing.rbm);
  const OwingBound owes(owing.rbm, false);
  const NoisyBound bound(0);
  Observer silent;
  struct Case {
    const Model& model;
    const Dataset& set;
  };
  const EvaluationPlan plan{{"linear-20", 20, 20}};
  for (const Case& each : {Case{exact, reals}, Case{annealed, owing.set}, Case{owes, owing.set},
                           Case{bound, reals}, Case{*owing.rbm, owing.set}}) {
    Rng rng(17);
    const RowScores rows = row_scores(each.model, each.set, each.set.test, plan, rng, silent);
    const Score score = evaluate_model(each.model, each.set, "test", plan, rng, silent).at(0);
    EXPECT_EQ(rows.metric, score.metric);
    EXPECT_EQ(rows.kind, score.kind) << score.metric;
    EXPECT_EQ(rows.values.size(0), each.set.test.rows());
    EXPECT_EQ(rows.values.mean().item<double>(), score.value) << score.metric;
    EXPECT_EQ(rows.how, score.how);
    const Score mean = mean_scores(rows, "test").at(0);
    EXPECT_EQ(mean.lower, score.lower);
    EXPECT_EQ(mean.upper, score.upper);
  }
}

// The validation score of a standardised set is in the units of the file, as `evaluate` is.
TEST(OneNumber, ValidationIsInTheUnitsOfTheFile) {
  const Dataset plain = real_set(200, false), set = real_set(200, true);
  const Tensor x = Dataset::rows(set.valid, 0, 200, Rng(1)).x;
  ASSERT_GT(set.log_jacobian(x).abs().min().item<double>(), 1) << "the case shows nothing";
  ASSERT_EQ(plain.log_jacobian(x).abs().max().item<double>(), 0);
  StandardNormal model;
  NoisyBound bound(0);
  Observer silent;
  const Score score = evaluate_model(model, set, "valid", {}, Rng(3), silent).at(0);
  const auto watched = validation_score(set, 9)(model);
  ASSERT_TRUE(watched);
  EXPECT_EQ(watched->name, "valid_log_prob");
  EXPECT_NEAR(watched->value, score.value, 1e-9);
  const double wanted = (model.log_prob(x) + set.log_jacobian(x)).mean().item<double>();
  EXPECT_NEAR(watched->value, wanted, 1e-9);
  // of a bound: 200 rows with five draws each, so within five standard errors of the noise
  const auto bounded = validation_score(set, 9)(bound);
  ASSERT_TRUE(bounded);
  EXPECT_EQ(bounded->name, "valid_log_prob_bound");
  EXPECT_NEAR(bounded->value, wanted - 0.5, 5 / std::sqrt(5.0 * 200));
}

TEST(OneNumber, NothingToValidateByIsNoScore) {
  const Dataset set = real_set(20, false);
  ToyModel nothing;
  EXPECT_FALSE(validation_score(set, 1)(nothing));
  EXPECT_EQ(score_route(nothing), ScoreRoute::none);
  Observer silent;
  EXPECT_TRUE(evaluate_model(nothing, set, "test", {}, Rng(1), silent).empty());
  error_of(ErrorKind::usage, [&] { row_scores(nothing, set, set.test, {}, Rng(1), silent); });
}

// An exact log Z does not make a score exact whose sum over missing cells is annealed.
TEST(OneNumber, ValidationOfEstimatedGapsIsAnEstimate) {
  const auto rbm = make_rbm(12, 14, 0.4, 5);  // too many hidden units to sum over
  Rng rng(5);
  const Tensor x = exact_rows(*rbm, 20, rng);
  set_base_rates(*rbm, x);
  Dataset set = bits_set(x);
  ASSERT_TRUE(exact_log_z(*rbm, 16)) << "the case shows nothing";
  EXPECT_EQ(judge_model(*rbm, set, 5)->name, "valid_log_prob");
  set.valid.x = x.clone();
  set.valid.x[3][4] = std::nanf("");
  const auto judged = judge_model(*rbm, set, 5);
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->name, "valid_log_prob_estimate");
}

// ---------------------------------------------------------------- sequences

// Cases of 1, 4, 2 and 3 rows, summed by hand.
TEST(Sequences, HaveASumACaseAndAMeanARow) {
  Dataset set = real_set(10, false, 2);
  const std::vector<std::int64_t> starts = {0, 1, 5, 7}, ends = {1, 5, 7, 10};
  for (Split* part : {&set.train, &set.valid, &set.test}) part->starts = at::tensor(starts, at::kLong);
  const Tensor x = set.test.x.to(at::kDouble);
  Doubles rows, sums;
  for (std::size_t c = 0; c < starts.size(); ++c) {
    double sum = 0;
    for (std::int64_t t = starts[c]; t < ends[c]; ++t) {
      double value = 0;
      for (std::int64_t j = 0; j < 2; ++j) {
        const double before = t > starts[c] ? 0.8 * x[t - 1][j].item<double>() : 0;
        const double distance = x[t][j].item<double>() - before;
        value -= (distance * distance + std::log(2 * std::numbers::pi)) / 2;
      }
      rows.push_back(value), sum += value;
    }
    sums.push_back(sum);
  }
  Walk model;
  Observer silent;
  const RowScores scored = row_scores(model, set, set.test, {}, Rng(1), silent);
  expect_near(doubles(scored.values), rows, 1e-4, "a number a row");
  EXPECT_EQ(doubles(scored.starts), Doubles(starts.begin(), starts.end()));

  const std::vector<Score> scores = evaluate_model(model, set, "test", {}, Rng(1), silent);
  const double total = sums[0] + sums[1] + sums[2] + sums[3], mean = total / 4, per_row = total / 10;
  double case_squares = 0, ratio_squares = 0;
  for (std::size_t c = 0; c < 4; ++c) {
    case_squares += std::pow(sums[c] - mean, 2);
    ratio_squares += std::pow(sums[c] - per_row * real(ends[c] - starts[c]), 2);
  }
  const Score& whole = score_named(scores, "log_prob");
  EXPECT_NEAR(whole.value, mean, 1e-3);
  EXPECT_NEAR(*whole.standard_error, std::sqrt(case_squares / 3 / 4), 1e-3);
  EXPECT_EQ(whole.rows, 4);
  expect_says(whole.how, {"4 cases of 10 rows"});
  const Score& each = score_named(scores, "log_prob_per_row");
  EXPECT_NEAR(each.value, per_row, 1e-4);
  EXPECT_NEAR(*each.standard_error, std::sqrt(ratio_squares * 4 / 3) / 10, 1e-4);
  EXPECT_EQ(each.rows, 10);
  expect_says(each.how, {"10 rows of 4 cases"});
  const auto watched = validation_score(set, 1)(model);
  ASSERT_TRUE(watched);
  EXPECT_NEAR(watched->value, evaluate_model(model, set, "valid", {}, Rng(1), silent).at(0).value, 1e-9);
}

// A case subtracts log Z once a row, so its error that often. Equal rows: cases of 1, 5, 2 and 4 of them have
// the sums -3, -15, -6 and -12, whose mean -9 has the variance 90 / 3 / 4.
TEST(Sequences, ShareTheErrorOfLogZOnceARow) {
  RowScores rows;
  rows.metric = "log_prob", rows.kind = ScoreKind::estimate;
  rows.values = at::full({12}, -3.0, at::kDouble);
  rows.starts = at::tensor({0, 1, 6, 8}, at::kLong);
  rows.shared_error = 0.1;
  const std::vector<Score> scores = mean_scores(rows, "test");
  EXPECT_NEAR(*score_named(scores, "log_prob").standard_error, std::hypot(std::sqrt(7.5), 0.3), 1e-12);
  EXPECT_NEAR(*score_named(scores, "log_prob_per_row").standard_error, 0.1, 1e-12);
  rows.starts = Tensor();
  EXPECT_NEAR(*score_named(mean_scores(rows, "test"), "log_prob").standard_error, 0.1, 1e-12);
}

// A pseudo-likelihood takes rows one by one and says so.
TEST(Sequences, HaveAPseudoLikelihoodARow) {
  Owing owing;
  const Dataset plain = owing.set;
  Dataset set = plain;
  for (Split* part : {&set.train, &set.valid, &set.test}) part->starts = at::arange(0, 80, 4);
  Observer silent;
  const auto of_rows = evaluate_model(*owing.rbm, plain, "test", {}, Rng(1), silent);
  const auto of_cases = evaluate_model(*owing.rbm, set, "test", {}, Rng(1), silent);
  const Score& score = score_named(of_cases, "pseudo_log_likelihood_per_row");
  EXPECT_EQ(score.value, score_named(of_rows, "pseudo_log_likelihood").value);
  EXPECT_EQ(score.rows, 80);
  expect_says(score.how, {"mean over single rows of the sequences", "80 rows at random"});
  EXPECT_FALSE(has_score(of_cases, "pseudo_log_likelihood"));
  expect_says(score_named(of_cases, "reconstruction_error").how, {"sum over the rows of a case"});
}

// Cases of one row are rows: the same numbers under both names.
TEST(Sequences, OfOneRowAreRows) {
  Dataset set = real_set(30, false, 2);
  Observer silent;
  const Score plain = evaluate_model(StandardNormal(), set, "test", {}, Rng(1), silent).at(0);
  for (Split* part : {&set.train, &set.valid, &set.test}) part->starts = at::arange(30);
  const std::vector<Score> scores = evaluate_model(StandardNormal(), set, "test", {}, Rng(1), silent);
  EXPECT_NEAR(score_named(scores, "log_prob").value, plain.value, 1e-9);
  EXPECT_NEAR(*score_named(scores, "log_prob").standard_error, *plain.standard_error, 1e-9);
  EXPECT_NEAR(score_named(scores, "log_prob_per_row").value, plain.value, 1e-9);
  EXPECT_NEAR(*score_named(scores, "log_prob_per_row").standard_error, *plain.standard_error, 1e-9);
}

}  // namespace
}  // namespace deepgen::score_kinds_test
