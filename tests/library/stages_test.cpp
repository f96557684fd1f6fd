// Stages: what begins with each, what is carried from one to the next, and that a run that was stopped or
// killed in any of them, or between two, ends in the same bits.
#include "tests/library/runs.h"

namespace deepgen::stages_test {
namespace {

using namespace machines;
using namespace runs;

using Named = std::map<std::string, Tensor>;

// The power goes off inside the model.
struct PowerCut {};

// Two linear autoencoders with tied weights, one on top of the other, trained layer by layer and then
// together from a copy of their product:
//
//   layer1   |x - x W1 W1^T|^2 / 2       averaged, by Adam
//   layer2   |h - h W2 W2^T|^2 / 2       h = x W1 - mean; ends by its patience
//   joint    |x - x U U^T|^2 / 2         U begins as W1 W2
//
// and noise from the turn's generator. Steps are counted in a buffer, so that the scores are a matter of
// state.
class Stack : public Model, public HasGradients {
 public:
  Stack() {
    W1 = register_parameter("W1", at::zeros({4, 3}), false);
    W2 = register_parameter("W2", at::zeros({3, 2}), false);
    U = register_parameter("U", at::zeros({4, 2}), false);
    mean = register_buffer("mean", at::zeros({3}));
    steps = register_buffer("steps", at::zeros({3}, at::kLong));
  }
  std::vector<Stage> stages() override {
    return {{"layer1",
             1,
             {{"down", {W1}, 2}, {"again", {W1}, 1, 0.5}},
             {{"optimiser", "adam"}, {"rate", "0.02"}, {"average", "0.9"}, {"patience", "0"}}},
            {"layer2", 1, {{"main", {W2}}}, {{"epochs", "6"}, {"batch", "3"}, {"momentum", "0.5"}}},
            {"joint", 1, {{"all", {W1, U}}}, {{"schedule", "linear"}, {"clip", "0.5"}, {"patience", "0"}}}};
  }
  void initialise(const Rows& sample, Rng& rng) override {
    first_sample = sample.x;
    W1.copy_(normal_tensor({4, 3}, 0.5, rng));
  }
  void begin_stage(const Turn& turn, const Rows& sample, Rng& rng) override {
    begins.push_back(turn.stage);
    EXPECT_TRUE(at::equal(sample.x, first_sample)) << "the sample of every beginning is the same";
    EXPECT_EQ(turn.step, 0);
    seen[turn.stage] = {{"W1", W1.clone()}, {"W2", W2.clone()}};
    if (turn.stage == 1) {
      mean.copy_(sample.x.matmul(W1).mean(0));
      W2.copy_(normal_tensor({3, 2}, 0.5, rng));
    }
    if (turn.stage == 2) U.copy_(W1.matmul(W2));
    if (turn.stage == cut_at_begin) throw PowerCut();
  }
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override {
    const Tensor x = turn.stage == 1 ? batch.x.matmul(W1) - mean : batch.x;
    const Tensor W = turn.stage == 0 ? W1 : turn.stage == 1 ? W2 : U;
    const Tensor rest = x.matmul(W).matmul(W.t()) - x;
    if (turn.stage == 2) W1.mutable_grad().copy_(0.1 * W1);
    Tensor gradient = x.t().matmul(rest.matmul(W)) + rest.t().matmul(x.matmul(W));
    Tensor(W).mutable_grad().copy_(gradient / batch.size() + normal_tensor(W.sizes(), 0.1, rng));
    return {{"objective", rest.square().sum().item<double>() / real(batch.size())}};
  }
  void project(const Turn& turn) override {
    if (turn.phase == 0 && turn.repeat == 0) steps[turn.stage] += 1;
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor W1, W2, U, mean, steps, first_sample;
  int cut_at_begin = -1;
  std::vector<int> begins;
  std::map<int, Named> seen;  // the weights as each stage found them
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

// 13 rows: 4 steps an epoch in layer1 and joint (3 epochs each), 5 in layer2, which ends after its fourth
// epoch: the second is the best. 12 + 20 + 12 steps.
constexpr std::int64_t steps_of_all = 44;

double score_of(Model& model) {
  const auto& stack = dynamic_cast<Stack&>(model);
  const std::int64_t epoch = stack.steps[1].item<std::int64_t>() / 5;
  const Doubles by_epoch = {0, 1, 3, 2, 2.5};
  return by_epoch.at(size(epoch));
}

struct StackRun {
  StackRun() {
    trainer =
        std::make_unique<Trainer>(model, data,
                                  settings_of({"training.epochs=6", "training.batch=4", "training.patience=2",
                                               "training.rate=0.1", "training.momentum=0"}),
                                  3);
    trainer->validate = [](Model& now) { return ValidationScore{"score", score_of(now)}; };
  }
  Dataset data = random_bits(13, 4);
  std::shared_ptr<Stack> model = std::make_shared<Stack>();
  std::unique_ptr<Trainer> trainer;
};

struct WholeRun {
  WholeRun() {
    run.trainer->save = [&](const Checkpoint& c, bool best) {
      saved.push_back(frozen(c));
      any_best = any_best || best;
    };
    run.trainer->after_epoch = [&](Model&, std::int64_t epoch) {
      weights_after[{run.model->begins.back(), epoch}] = run.model->W2.clone();
    };
    result = run.trainer->run(observer);
    end = frozen(run.trainer->checkpoint());
  }
  const Checkpoint& end_of(std::int64_t stage) const {
    const Checkpoint* last = nullptr;
    for (const Checkpoint& c : saved)
      if (c.stage == stage) last = &c;
    return *last;
  }
  StackRun run;
  StopAfter observer;
  std::vector<Checkpoint> saved;
  bool any_best = false;
  std::map<std::pair<int, std::int64_t>, Tensor> weights_after;
  TrainingResult result;
  Checkpoint end;
};

TEST(Stages, BeginOnceEachInTheirOrder) {
  const WholeRun whole;
  EXPECT_EQ(whole.run.model->begins, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(whole.run.trainer->stage_names(), (std::vector<std::string>{"layer1", "layer2", "joint"}));
  EXPECT_TRUE(whole.run.trainer->has_patience());
  EXPECT_EQ(doubles(whole.run.model->steps), (Doubles{12, 10, 12})) << "of layer2 those of its best";
}

TEST(Stages, EndByTheirPatienceAndTheRunGoesOn) {
  const WholeRun whole;
  EXPECT_FALSE(whole.result.stopped_early) << "the last stage ran to its end";
  EXPECT_FALSE(whole.result.interrupted);
  std::vector<std::pair<double, double>> epochs;
  for (const Metrics& line : whole.observer.curve)
    epochs.emplace_back(metric(line, "stage"), metric(line, "epoch"));
  EXPECT_EQ(epochs, (std::vector<std::pair<double, double>>{
                        {0, 1}, {0, 2}, {0, 3}, {1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}, {2, 3}}));
  EXPECT_FALSE(whole.any_best) << "joint has no patience, and layer2 is not what users get";
}

TEST(Stages, HaveOptionsOfTheirOwn) {
  const WholeRun whole;
  const auto& curve = whole.observer.curve;
  EXPECT_EQ(metric(curve[0], "rate"), 0.02);
  EXPECT_EQ(metric(curve[3], "rate"), 0.1);
  EXPECT_NEAR(metric(curve[7], "rate"), 0.1 * (1 - 3.0 / 11), 1e-12) << "linear over this stage";
  EXPECT_NEAR(metric(curve[9], "rate"), 0, 1e-12);
  const auto slots_of = [](const Checkpoint& c) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : c.tensors)
      if (name.starts_with("optimiser.") || name.starts_with("average.") || name.starts_with("best."))
        names.push_back(name);
    return names;
  };
  EXPECT_EQ(slots_of(whole.end_of(0)),
            (std::vector<std::string>{"average.U", "average.W1", "average.W2", "optimiser.down.first.W1",
                                      "optimiser.down.second.W1"}));
  EXPECT_EQ(slots_of(whole.end_of(1)),
            (std::vector<std::string>{"best.U", "best.W1", "best.W2", "best.mean", "best.steps",
                                      "optimiser.main.momentum.W2"}));
  EXPECT_TRUE(slots_of(whole.end_of(2)).empty());
}

TEST(Stages, HandTheirAveragedWeightsOn) {
  const WholeRun whole;
  const Checkpoint& end = whole.end_of(0);
  EXPECT_EQ(end.step, 12);
  EXPECT_FALSE(at::equal(end.tensors.at("average.W1"), end.tensors.at("model.W1")));
  expect_bit_equal(whole.run.model->seen.at(1).at("W1"), end.tensors.at("average.W1"), "W1");
}

TEST(Stages, HandTheirBestWeightsOn) {
  const WholeRun whole;
  const Tensor best = whole.weights_after.at({1, 2}), last = whole.weights_after.at({1, 4});
  EXPECT_FALSE(at::equal(best, last));
  expect_bit_equal(whole.run.model->seen.at(2).at("W2"), best, "W2");
  expect_bit_equal(whole.end_of(1).tensors.at("best.W2"), best, "best.W2");
  expect_bit_equal(whole.end_of(1).tensors.at("model.W2"), last, "model.W2");
}

// The buffers of a state belong to its weights.
TEST(Stages, HandTheBuffersOfTheirBestWeightsOn) {
  const WholeRun whole;
  EXPECT_EQ(doubles(whole.end_of(1).tensors.at("best.steps")), (Doubles{12, 10, 0}));
  EXPECT_EQ(doubles(whole.end_of(1).tensors.at("model.steps")), (Doubles{12, 20, 0}));
}

// ---------------------------------------------------------------- stops and kills

void expect_same_end(StackRun& run, const Checkpoint& wanted, const std::string& what) {
  expect_equal_runs(frozen(run.trainer->checkpoint()), wanted, what);
}

TEST(StagesResume, AfterAnyStepIsBitEqualAndBeginsNoStageTwice) {
  const WholeRun whole;
  for (std::int64_t stop = 1; stop < steps_of_all; ++stop) {
    SCOPED_TRACE("stopped after " + std::to_string(stop));
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    StackRun before, after;
    before.trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    StopAfter observer(stop), never;
    ASSERT_TRUE(before.trainer->run(observer).interrupted);
    after.trainer->resume(load_checkpoint(path), path);
    after.trainer->run(never);
    expect_same_end(after, whole.end, "resumed");
    std::vector<int> begins = before.model->begins;
    begins.insert(begins.end(), after.model->begins.begin(), after.model->begins.end());
    EXPECT_EQ(begins, (std::vector<int>{0, 1, 2}));
    ASSERT_EQ(observer.curve.size() + never.curve.size(), whole.observer.curve.size());
    for (std::size_t e = 0; e < whole.observer.curve.size(); ++e) {
      const Metrics& mine =
          e < observer.curve.size() ? observer.curve[e] : never.curve[e - observer.curve.size()];
      for (std::size_t i = 0; i < mine.size(); ++i)
        EXPECT_TRUE(mine[i].first == "seconds" || mine[i] == whole.observer.curve[e][i])
            << "line " << e << " " << mine[i].first;
    }
  }
}

TEST(StagesResume, AfterEveryStepIsBitEqual) {
  const WholeRun whole;
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  for (std::int64_t sitting = 0; sitting <= steps_of_all; ++sitting) {
    StackRun run;
    if (sitting > 0) run.trainer->resume(load_checkpoint(path), path);
    run.trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    StopAfter one(1);
    if (run.trainer->run(one).interrupted) continue;
    EXPECT_EQ(sitting, steps_of_all - 1);
    return expect_same_end(run, whole.end, "a sitting for each step");
  }
  ADD_FAILURE() << "the run did not end";
}

class CutAfter : public Observer {
 public:
  explicit CutAfter(std::int64_t steps) : left_(steps) {}
  bool stop_requested() override {
    if (--left_ == 0) throw PowerCut();
    return false;
  }

 private:
  std::int64_t left_;
};

// Goes on from what a killed run has written, as often as it takes.
void expect_killed_is_equal(const WholeRun& whole, std::int64_t cut_after, int cut_at_begin) {
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  bool written = false;
  const auto sit = [&](StackRun& run, Observer& observer) {
    if (written) run.trainer->resume(load_checkpoint(path), path);
    run.trainer->save = [&](const Checkpoint& c, bool) {
      save_checkpoint(path, c);
      written = true;
    };
    run.trainer->run(observer);
  };
  StackRun before, after;
  before.model->cut_at_begin = cut_at_begin;
  CutAfter cut(cut_after);
  EXPECT_THROW(sit(before, cut), PowerCut);
  StopAfter never;
  sit(after, never);
  expect_same_end(after, whole.end, "killed");
}

TEST(StagesResume, AfterAKillAnywhereIsBitEqual) {
  const WholeRun whole;
  for (std::int64_t cut = 1; cut < steps_of_all; ++cut) {
    SCOPED_TRACE("killed after step " + std::to_string(cut));
    expect_killed_is_equal(whole, cut, -1);
  }
}

TEST(StagesResume, AfterAKillInABeginningIsBitEqual) {
  const WholeRun whole;
  for (const int stage : {0, 1, 2}) {
    SCOPED_TRACE("killed when stage " + std::to_string(stage) + " began");
    expect_killed_is_equal(whole, -1, stage);
  }
}

}  // namespace
}  // namespace deepgen::stages_test
