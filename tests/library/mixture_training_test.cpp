// Mixtures in the hands of the trainer and the evaluators.
#include "deepgen/evaluate/likelihood.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::mixture_training_test {
namespace {

using namespace machines;

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
  const Rows valid = Dataset::rows(data.valid, 0, data.valid.rows(), Rng(0));
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
}  // namespace deepgen::mixture_training_test
