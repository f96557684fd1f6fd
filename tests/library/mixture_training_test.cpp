// Naive Bayes against counts, and mixtures in the hands of the trainer and the evaluators.
#include <cmath>

#include "deepgen/evaluate/likelihood.h"
#include "deepgen/models/naive_bayes.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen {
namespace {

using namespace machines;

// ---------------------------------------------------------------- naive Bayes

TEST(NaiveBayesFit, CountsTheLabelledRows) {
  Rng rng(47);
  const Tensor x = bits_tensor(90, 4, rng, 0.4);
  Tensor y = at::zeros({90}, at::kLong);
  y.narrow(0, 0, 30).fill_(1), y.narrow(0, 30, 15).fill_(2);
  NaiveBayesLearning learning;
  learning.pseudo_count = 0.5;
  NaiveBayes model({}, learning, 4, 3, "binary", {});
  model.initialise({x, y}, rng);
  model.gather({x, y});
  model.finish_pass();
  const Tensor p = model.filters();
  for (std::int64_t k = 0; k < 3; ++k) {
    const Tensor rows = x.index_select(0, (y == k).nonzero().squeeze(1));
    const Tensor wanted = (rows.sum(0) + 0.5) / (real(rows.size(0)) + 1);
    EXPECT_TRUE(at::allclose(p[k], wanted, 1e-5, 1e-6)) << "class " << k;
  }
  const Tensor pi = model.mixing.detach().softmax(0);
  EXPECT_NEAR(pi[1].item<double>(), 30.5 / 91.5, 1e-6);
  model.gather({x, y});
  model.finish_pass();
  EXPECT_FALSE(model.converged());  // the first pass gained
  model.gather({x, y});
  model.finish_pass();
  EXPECT_TRUE(model.converged()) << "the counts are the maximum";
}

TEST(NaiveBayesFit, MixedColumnsAreIndependentWithinAClass) {
  const std::vector<ColumnGroup> groups = {{"gaussian", 0, 1}, {"binary", 1, 2}, {"gaussian", 3, 1}};
  NaiveBayes model({}, {}, 4, 2, "mixed", groups);
  Rng rng(53);
  Tensor x = normal_tensor({60, 4}, 1, rng);
  x.narrow(1, 1, 2).copy_(bits_tensor(60, 2, rng));
  Tensor y = at::zeros({60}, at::kLong);
  y.narrow(0, 0, 25).fill_(1);
  model.initialise({x, y}, rng);
  model.gather({x, y});
  model.finish_pass();
  Tensor parts = at::zeros({60, 2}, at::kDouble);
  const Tensor prior = model.log_joint(at::full({1, 4}, std::nanf("")));
  for (std::int64_t j = 0; j < 4; ++j) {
    Tensor one = at::full({60, 4}, std::nanf(""));
    one.select(1, j).copy_(x.select(1, j));
    parts += model.log_joint(one) - prior;
  }
  EXPECT_TRUE(at::allclose(model.log_joint(x), parts + prior, 1e-6, 1e-5));
  const Tensor drawn = model.sample(50, rng), bits = drawn.narrow(1, 1, 2);
  EXPECT_TRUE(at::logical_or(bits == 0, bits == 1).all().item<bool>());
}

TEST(NaiveBayesFit, NeedsLabels) {
  Rng rng(59);
  const Tensor x = bits_tensor(10, 3, rng);
  NaiveBayes model({}, {}, 3, 2, "binary", {});
  expect_says(error_of(ErrorKind::data, [&] { model.initialise({x, {}}, rng); }), {"naive_bayes", "label"});
  const Tensor y = at::full({10}, 2, at::kLong);
  expect_says(error_of(ErrorKind::data, [&] { model.initialise({x, y}, rng); }), {"from 0 to 1", "got 2"});
  expect_says(error_of(ErrorKind::data, [&] { NaiveBayes({}, {}, 3, 0, "binary", {}); }), {"labels"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         NaiveBayes({}, {}, 3, 2, "mixed", {{"softmax", 0, 3}});
                       }),
              {"softmax"});
}

// ---------------------------------------------------------------- the trainer

const runs::Assignments quick = {"model.components=3", "training.batch=25", "training.epochs=200"};

TEST(MixtureTraining, StopsWhenNothingIsGained) {
  const Dataset data = runs::random_bits(70, 6);
  const auto trainer = runs::trainer_for(quick, data, 7, "bernoulli_mixture");
  runs::StopAfter never;
  const TrainingResult result = trainer->run(never);
  EXPECT_TRUE(result.converged);
  EXPECT_LT(result.epochs, 200);
  ASSERT_EQ(static_cast<std::int64_t>(never.curve.size()), result.epochs);
  for (std::size_t i = 1; i < never.curve.size(); ++i) {
    EXPECT_GE(runs::metric(never.curve[i], "objective"),
              runs::metric(never.curve[i - 1], "objective") - 1e-6);
    EXPECT_EQ(runs::metric(never.curve[i], "gain") <= 1e-4, i + 1 == never.curve.size()) << i;
  }
}

TEST(MixtureTraining, AFinishedRunStaysFinished) {
  const Dataset data = runs::random_bits(70, 6);
  const auto trainer = runs::trainer_for(quick, data, 7, "bernoulli_mixture");
  runs::StopAfter never;
  trainer->run(never);
  const Checkpoint done = runs::frozen(trainer->checkpoint());
  const auto again = runs::trainer_for(quick, data, 7, "bernoulli_mixture");
  again->resume(done, "run");
  runs::StopAfter silent;
  EXPECT_TRUE(again->run(silent).converged);
  runs::expect_equal_runs(done, again->checkpoint(), "resumed at its end");
}

TEST(MixtureTraining, RefusesAMovingAverage) {
  const Dataset data = runs::random_bits(30, 4);
  expect_says(error_of(ErrorKind::usage,
                       [&] { runs::trainer_for({"training.average=0.9"}, data, 7, "gaussian_mixture"); }),
              {"training.average"});
}

TEST(MixtureTraining, ValidationAndEvaluationAreExact) {
  const Dataset data = runs::random_bits(70, 6);
  const auto model = make_model(runs::settings_of(quick, "bernoulli_mixture"), data);
  Trainer trainer(model, data, runs::settings_of(quick, "bernoulli_mixture"), 7);
  Observer silent;
  trainer.run(silent);
  const auto score = validation_score(data, 7)(*model);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->name, "valid_log_prob");
  const Tensor valid = Dataset::rows(data.valid, 0, data.valid.rows(), Rng(0));
  EXPECT_NEAR(score->value, as<HasLogProb>(*model)->log_prob(valid).mean().item<double>(), 1e-9);
  Rng rng(3);
  const std::vector<Score> scores = evaluate_model(*model, data, "valid", {}, rng, silent);
  ASSERT_FALSE(scores.empty());
  EXPECT_EQ(scores[0].metric, "log_prob");
  EXPECT_EQ(scores[0].kind, ScoreKind::exact);
  EXPECT_NEAR(scores[0].value, score->value, 1e-9);
}

TEST(MixtureTraining, RefusesValuesThatAreNoBits) {
  const Dataset data = runs::dataset_of({{"train", runs::random_bytes(30, 4, 255, 1)}}, "none");
  expect_says(error_of(ErrorKind::data, [&] { runs::trainer_for({}, data, 7, "bernoulli_mixture"); }),
              {"0 or 1"});
}

}  // namespace
}  // namespace deepgen
