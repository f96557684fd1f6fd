// Two stages of the same parameter: whose scores count for what, and where training returns to when the
// second diverges.
#include "tests/library/runs.h"

namespace deepgen::stages_rollback_test {
namespace {

using namespace machines;
using namespace runs;

// One parameter pulled to zero in two stages of the same kind; `strength` makes the second diverge.
class Pulled : public Model, public HasGradients {
 public:
  Pulled() { p = register_parameter("p", at::ones({6}), false); }
  std::vector<Stage> stages() override { return {{"one", 1, {{"main", {p}}}}, {"two", 1, {{"main", {p}}}}}; }
  void begin_stage(const Turn& turn, const Rows&, Rng&) override {
    begins.push_back(turn.stage);
    if (turn.stage == 1) p.fill_(2);
  }
  Metrics gradients(const Rows&, const Turn& turn, Rng&) override {
    p.mutable_grad().copy_(turn.stage == 1 ? p * strength : p);
    const double largest = p.abs().max().item<double>();
    return {{"size", largest > 100 ? std::nan("") : largest}};
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor p;
  double strength = 1;
  std::vector<int> begins;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

struct PulledRun {
  explicit PulledRun(const Assignments& more = {}) {
    Assignments all = {"training.epochs=10", "training.batch=4", "training.rate=0.1"};
    all.insert(all.end(), more.begin(), more.end());
    trainer = std::make_unique<Trainer>(model, data, settings_of(all), 3);
  }
  Dataset data = random_bits(13, 4);
  std::shared_ptr<Pulled> model = std::make_shared<Pulled>();
  std::unique_ptr<Trainer> trainer;
};

// Both stages get better in every epoch; the scores of the second are far below those of the first.
TEST(StagesScores, AreComparedWithinAStageAlone) {
  PulledRun run({"training.patience=2"});
  const Doubles scores = {101, 102, 103, 104, 105, 1, 2, 3, 4, 5};
  std::size_t epoch = 0;
  run.trainer->validate = [&](Model&) { return ValidationScore{"score", scores.at(epoch++)}; };
  StopAfter never;
  const TrainingResult result = run.trainer->run(never);
  EXPECT_EQ(never.curve.size(), 10U);
  EXPECT_FALSE(result.stopped_early);
  EXPECT_EQ(result.best_score, 5);
}

TEST(StagesScores, OfTheLastStageMakeTheBestFile) {
  PulledRun run({"training.patience=2"});
  const Doubles scores = {50, 51, 40, 41, 1, 3, 2, 2.5};  // both stages stop two epochs after their second
  std::size_t epoch = 0;
  run.trainer->validate = [&](Model&) { return ValidationScore{"score", scores.at(epoch++)}; };
  std::vector<std::pair<std::int64_t, std::int64_t>> best;
  run.trainer->save = [&](const Checkpoint& c, bool is_best) {
    if (is_best) best.emplace_back(c.stage, c.step);
  };
  StopAfter never;
  const TrainingResult result = run.trainer->run(never);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.best_score, 3);
  EXPECT_EQ(never.curve.size(), 8U);
  EXPECT_EQ(best, (std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 4}, {1, 8}}));
}

// p grows by 5 a step in the second stage and is beyond 100 in its fourth; the beginning of the stage is a
// good state like others: begin_stage is not called again. With half the rate p grows by 2 a step, with a
// quarter it shrinks.
TEST(StagesRollback, ReturnsToTheBeginningOfItsStage) {
  PulledRun run;
  run.model->strength = 60;
  StopAfter never;
  run.trainer->run(never);
  ASSERT_EQ(run.trainer->rollbacks().size(), 2U);
  for (const auto& event : run.trainer->rollbacks()) {
    EXPECT_EQ(event.at("stage"), 1);
    EXPECT_EQ(event.at("to_stage"), 1);
  }
  EXPECT_EQ(run.trainer->rollbacks()[0].at("step"), 3);
  EXPECT_EQ(run.trainer->rollbacks()[0].at("to_step"), 0);
  EXPECT_EQ(run.trainer->rollbacks()[1].at("to_step"), 4);
  EXPECT_EQ(run.model->begins, (std::vector<int>{0, 1}));
  EXPECT_LE(run.model->p.abs().max().item<double>(), 100);
}

// The same, stopped anywhere.
TEST(StagesRollback, StoppedAnywhereIsBitEqual) {
  PulledRun whole;
  whole.model->strength = 60;
  StopAfter never;
  whole.trainer->run(never);
  const Checkpoint wanted = frozen(whole.trainer->checkpoint());
  for (std::int64_t stop = 1; stop < 50; ++stop) {
    PulledRun before, after;
    before.model->strength = after.model->strength = 60;
    StopAfter observer(stop), rest;
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    before.trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    if (!before.trainer->run(observer).interrupted) continue;
    after.trainer->resume(load_checkpoint(path), path);
    after.trainer->run(rest);
    expect_equal_runs(frozen(after.trainer->checkpoint()), wanted, "stopped after " + std::to_string(stop));
    EXPECT_EQ(after.trainer->rollbacks().size(), 2U);
  }
}

// A good state that was kept before rollbacks were turned off must not follow the run into the next stage.
TEST(StagesRollback, TurnedOffInTheMiddleOfAStageLeavesTheRunResumable) {
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  const auto sitting = [&](const Assignments& more, bool resumed, std::int64_t stop) {
    PulledRun run(more);
    if (resumed) run.trainer->resume(load_checkpoint(path), path);
    run.trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    StopAfter observer(stop);
    return run.trainer->run(observer);
  };
  EXPECT_TRUE(sitting({}, false, 6).interrupted);  // in the second epoch: the good state is that of the first
  EXPECT_TRUE(load_checkpoint(path).state.contains("good"));
  EXPECT_TRUE(sitting({"training.rollbacks=0"}, true, 18).interrupted);
  const Checkpoint second = load_checkpoint(path);
  EXPECT_EQ(second.stage, 1);
  EXPECT_FALSE(second.state.contains("good"));
  EXPECT_FALSE(sitting({"training.rollbacks=0"}, true, -1).interrupted);
}

}  // namespace
}  // namespace deepgen::stages_rollback_test
