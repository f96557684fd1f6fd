// What falls to each stage, and how long the rest of a run takes.
#include "deepgen/train/stage_plan.h"

#include "deepgen/train/pace.h"
#include "tests/library/runs.h"

namespace deepgen::stage_plan_test {
namespace {

using namespace machines;
using namespace runs;

Stage stage_with(const std::map<std::string, std::string>& training) { return {"top", 1, {}, training}; }

TEST(StageOptions, ReplaceThoseOfTheRunByName) {
  TrainingOptions run;
  run.epochs = 10, run.momentum = 0.3;
  const TrainingOptions own = stage_options(
      run, stage_with({{"rate", "0.5"}, {"optimiser", "adam"}, {"average", "0.9"}, {"batch", "7"}}), 4);
  EXPECT_EQ(own.rate, 0.5);
  EXPECT_EQ(own.optimiser, "adam");
  EXPECT_EQ(own.average, 0.9);
  EXPECT_EQ(own.batch, 7);
  EXPECT_EQ(own.momentum, 0.3);
  EXPECT_EQ(own.epochs, 3) << "a quarter of ten, rounded";
  EXPECT_EQ(stage_options(run, stage_with({{"epochs", "8"}}), 4).epochs, 8);
}

TEST(StageOptions, RefuseWhatIsNoneOfAStage) {
  const auto refused = [](const std::map<std::string, std::string>& training) {
    return error_of(ErrorKind::usage, [&] { stage_options({}, stage_with(training), 1); });
  };
  expect_says(refused({{"rat", "0.1"}}), {"stage top", "rat", "rate"});
  expect_says(refused({{"rate", "-1"}}), {"stage top", "rate", "-1"});
  expect_says(refused({{"optimiser", "adm"}}), {"stage top", "optimiser", "adam"});
  for (const char* name : {"rollbacks", "checkpoint_every", "updates"})
    expect_says(refused({{name, "3"}}), {"stage top", name, "whole run"});
}

StagePlan plan_of(std::int64_t epochs, std::int64_t batches, std::int64_t batch,
                  const std::vector<int>& repeats) {
  StagePlan plan;
  plan.options.epochs = epochs, plan.options.batch = batch, plan.batches = batches;
  for (const int each : repeats) plan.phases.push_back({"phase", {}, each});
  return plan;
}

// 20 steps of 3 updates of 10 rows; 6 of 1 of 10; 8 of 2 of 30.
TEST(StepsLeft, CountOtherStagesByTheirUpdatesAndRows) {
  const std::vector<StagePlan> plans = {plan_of(4, 5, 10, {2, 1}), plan_of(2, 3, 10, {1}),
                                        plan_of(4, 2, 30, {2})};
  EXPECT_NEAR(steps_left(plans, 0, 15), 5 + 6 * 10.0 / 30 + 8 * 60.0 / 30, 1e-12);
  EXPECT_NEAR(steps_left(plans, 1, 0), 6 + 8 * 60.0 / 10, 1e-12);
  EXPECT_NEAR(steps_left(plans, 2, 3), 5, 1e-12);
  EXPECT_EQ(steps_left(plans, 2, 9), 0) << "a run that goes on with fewer epochs has none left";
  EXPECT_EQ(steps_in_all(plans), 34);
  EXPECT_EQ(steps_before(plans, 2, 3), 29);
}

TEST(Pace, IsUnknownAtFirstAndThenThatOfTheSittingAndStage) {
  Pace pace;
  pace.begin(100);
  EXPECT_LT(pace.seconds_for(10, 105), 0);
  for (int i = 0; i < 4; ++i) pace.add_step();
  EXPECT_NEAR(pace.seconds_for(10, 108), 20, 1e-12);
  pace.begin(200);
  pace.add_step();
  EXPECT_NEAR(pace.seconds_for(10, 205), 50, 1e-12);
}

// ---------------------------------------------------------------- a run by a clock of its own

// Every gradient takes a second. Two stages as a list of phases says, or one; a gradient fails once.
class Clocked : public Model, public HasGradients {
 public:
  explicit Clocked(bool one_stage) : one(one_stage) { p = register_parameter("p", at::ones({3}), false); }
  std::vector<Stage> stages() override {
    if (one) return {{"only", 1, {{"main", {p}}}}};
    return {{"alternate", 2, {{"left", {p}, 2}, {"right", {p}}}}, {"joint", 1, {{"main", {p}}}}};
  }
  Metrics gradients(const Rows&, const Turn& turn, Rng&) override {
    seconds += 1;
    p.mutable_grad().copy_(0.1 * p);
    if (turn.step != fails_at) return {{"objective", 1.0}};
    fails_at = -1;
    return {{"objective", std::nan("")}};
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor p;
  bool one;
  double seconds = 0;
  std::int64_t fails_at = -1;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

class Watch : public StopAfter {
 public:
  using StopAfter::StopAfter;
  void progress(const Progress& p, const Metrics&) override { seen.push_back(p); }
  std::vector<Progress> seen;
};

struct ClockedRun {
  ClockedRun(bool one_stage, std::int64_t rows, const Assignments& assignments)
      : data(random_bits(rows, 4)), model(std::make_shared<Clocked>(one_stage)) {
    trainer = std::make_unique<Trainer>(model, data, settings_of(assignments), 3);
    trainer->use_clock([this] { return model->seconds; });
  }
  Dataset data;
  std::shared_ptr<Clocked> model;
  std::unique_ptr<Trainer> trainer;
};

// 16 steps of three turns, then 8 of one.
void expect_exact(const Progress& p, std::int64_t step) {
  EXPECT_EQ(p.done, step);
  EXPECT_EQ(p.total, 24);
  EXPECT_EQ(p.what, step <= 16 ? "training alternate" : "training joint");
  EXPECT_NEAR(p.seconds_left, step <= 16 ? 3 * (16.0 - real(step)) + 8 : 24.0 - real(step), 1e-9) << step;
}

TEST(TimeLeft, SpansTheRunAndIsRightAfterAChangeOfStage) {
  const Assignments way = {"training.epochs=6", "training.batch=4"};
  ClockedRun whole(false, 13, way);
  Watch watch;
  whole.trainer->run(watch);
  ASSERT_EQ(watch.seen.size(), 24U);
  for (std::int64_t step = 1; step <= 24; ++step) expect_exact(watch.seen[size(step - 1)], step);
  for (const std::int64_t stop : {5, 16, 20}) {  // a sitting has a clock of its own
    ClockedRun before(false, 13, way), after(false, 13, way);
    StopAfter observer(stop);
    before.trainer->run(observer);
    after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
    Watch rest;
    after.trainer->run(rest);
    ASSERT_EQ(rest.seen.size(), size(24 - stop));
    for (std::int64_t step = stop + 1; step <= 24; ++step)
      expect_exact(rest.seen[size(step - stop - 1)], step);
  }
}

// Resumed at step 90, back at the start after step 99: 100 steps are left, at about a second each. The
// gradient that failed counts for the time and for no step.
TEST(TimeLeft, IsRightAfterARollbackBelowThePointOfResume) {
  const Assignments way = {"training.epochs=1", "training.batch=1"};
  ClockedRun before(true, 100, way), after(true, 100, way);
  StopAfter observer(90);
  before.trainer->run(observer);
  after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
  after.model->fails_at = 99;
  Watch watch;
  after.trainer->run(watch);
  ASSERT_EQ(after.trainer->rollbacks().size(), 1U);
  EXPECT_EQ(after.trainer->rollbacks()[0].at("to_step"), 0);
  ASSERT_EQ(watch.seen.size(), 9U + 100);
  for (std::size_t i = 0; i < watch.seen.size(); ++i) {
    const double left = i < 9 ? 9.0 - static_cast<double>(i) : 108.0 - static_cast<double>(i);
    EXPECT_EQ(watch.seen[i].total - watch.seen[i].done, static_cast<std::int64_t>(left)) << i;
    EXPECT_GE(watch.seen[i].seconds_left, left - 1e-9) << i;
    EXPECT_LE(watch.seen[i].seconds_left, left * 1.1 + 1e-9) << i;
  }
}

}  // namespace
}  // namespace deepgen::stage_plan_test
