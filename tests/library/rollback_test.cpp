// Trainings whose numbers go wrong until the rate is small enough: they go back and on, the same way however
// often they are stopped or killed.
#include "deepgen/runs/run_folder.h"
#include "tests/library/runs.h"

namespace deepgen::rollback_test {
namespace {

using namespace machines;
using namespace runs;

enum class Failure { metric, gradient, diagnosis, own_word, none };

// Gradients push p (and in a second stage q) past a limit unless the rate is small; a chain that the
// gradients see is a buffer, so that a state is more than its parameters. Beyond the limit it fails in the
// given way.
class Fragile : public Model, public HasGradients {
 public:
  Fragile() {
    p = register_parameter("p", at::ones({5, 8}), false);
    q = register_parameter("q", at::full({3}, 100.0), false);
    chain = register_buffer("chain", at::zeros({4}));
  }
  std::vector<Stage> stages() override {
    if (!two_stages) return {{"only", 1, {{"main", {p}, 1}}}};
    return {{"one", 1, {{"main", {p}, 1}}}, {"two", 1, {{"other", {q}, 1}}}};
  }
  Metrics gradients(const Rows&, const Turn& turn, Rng& rng) override {
    Tensor& mine = turn.stage == 0 ? p : q;
    chain.mul_(0.9).add_(normal_tensor({4}, 0.3, rng));
    mine.mutable_grad().copy_(mine * (two_stages && turn.stage == 0 ? 1 : strength) + chain.mean() +
                              normal_tensor(mine.sizes(), 0.3, rng));
    const bool fails = beyond(mine);
    if (fails && failure == Failure::gradient) mine.mutable_grad()[0] = std::nan("");
    return {{"size", fails && failure == Failure::metric ? std::nan("") : largest(mine)}};
  }
  Metrics diagnose(const Rows&, const Rows&, Rng&) override {
    return {{"look", failure == Failure::diagnosis && beyond(p) ? INFINITY : 1.0}};
  }
  std::string diverged(const Metrics& line) const override {
    const bool seen = metric(line, "size") > limit;  // the mean over the epoch
    return failure == Failure::own_word && seen ? "the chains have left" : "";
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  static double largest(const Tensor& t) { return t.abs().max().item<double>(); }
  bool beyond(const Tensor& t) const { return !(largest(t) <= limit); }

  Tensor p, q, chain;
  Failure failure = Failure::metric;
  bool two_stages = false;
  double strength = 1, limit = 1000;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

// With rate 0.1 and strength s an update multiplies by 1 - 0.1 s, and by 1 - 0.05 s after a rollback.
struct Case {
  std::string name;
  Failure failure;
  double strength, limit;
  std::int64_t rows;
  Assignments assignments;
  std::int64_t rollbacks;  // to be seen
  bool two_stages = false;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

const std::vector<Case>& cases() {
  static const Assignments few = {"training.batch=4", "training.epochs=6"};  // 13 rows: 4 steps an epoch
  static const Assignments rare = {"training.batch=4", "training.epochs=6", "training.checkpoint_every=4"};
  static const Assignments steps = {"training.batch=13", "training.epochs=16"};  // 1 step an epoch
  static const Assignments heavy = {"training.batch=4", "training.epochs=6", "training.momentum=0.3",
                                    "training.average=0.9"};
  static const Assignments adam = {"training.batch=4", "training.epochs=6", "training.optimiser=adam",
                                   "training.rollbacks=50"};
  static const std::vector<Case> all = {
      {"metric", Failure::metric, 80, 1000, 13, few, 2},
      {"gradient", Failure::gradient, 80, 1000, 13, few, 2},
      {"rare_checkpoints", Failure::gradient, 80, 1000, 13, rare, 2},
      {"diagnosis", Failure::diagnosis, 80, 1000, 13, few, 2},
      {"own_word", Failure::own_word, 80, 1000, 13, few, 2},
      {"momentum_and_average", Failure::metric, 80, 1000, 13, heavy, -1},
      {"adam", Failure::metric, -1, 2.5, 13, adam, -1},
      {"stages", Failure::metric, 80, 1000, 13, few, 2, true},
      {"finite_growth", Failure::none, 40, 0, 13, steps, 1},
      {"finite_growth_rare",
       Failure::none,
       40,
       0,
       13,
       {"training.batch=13", "training.epochs=16", "training.checkpoint_every=7"},
       1},
      {"long_epochs", Failure::metric, 20.2, 300, 500, {"training.batch=1", "training.epochs=2"}, 1},
  };
  return all;
}

struct FragileRun {
  explicit FragileRun(const Case& c, const Assignments& more = {}) : data(random_bits(c.rows, 4)) {
    model->failure = c.failure, model->strength = c.strength, model->limit = c.limit;
    model->two_stages = c.two_stages;
    Assignments all = {"training.rate=0.1"};
    all.insert(all.end(), c.assignments.begin(), c.assignments.end());
    all.insert(all.end(), more.begin(), more.end());
    trainer = std::make_unique<Trainer>(model, data, settings_of(all), 3);
  }
  Dataset data;
  std::shared_ptr<Fragile> model = std::make_shared<Fragile>();
  std::unique_ptr<Trainer> trainer;
};

void expect_all_finite(const Checkpoint& checkpoint, const std::string& what) {
  for (const auto& [name, tensor] : checkpoint.tensors)
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << what << ": " << name;
}

// A power cut: what was not written by then is gone.
struct PowerCut {};

class Recorder : public Observer {
 public:
  Recorder(const RunFolder& folder, std::int64_t cut_after, std::int64_t cut_at_message)
      : folder_(folder), steps_(cut_after), messages_(cut_at_message) {}
  bool stop_requested() override {
    if (--steps_ == 0) throw PowerCut();
    return false;
  }
  void metrics(const Metrics& metrics) override { folder_.append_metrics(metrics); }
  void message(const std::string&) override {
    if (--messages_ == 0) throw PowerCut();
  }

 private:
  const RunFolder& folder_;
  std::int64_t steps_, messages_;
};

// One sitting in a folder, as the command does it; false when the power was cut.
bool sit(const Case& c, const RunFolder& folder, std::int64_t cut_after, std::int64_t cut_at_message,
         Checkpoint& end) {
  FragileRun run(c);
  const std::string from = folder.resume_path();
  if (!from.empty()) {
    const Checkpoint checkpoint = load_checkpoint(from);
    run.trainer->resume(checkpoint, from);
    folder.truncate_metrics(checkpoint.stage, checkpoint.step, run.trainer->rollbacks());
  } else {
    folder.truncate_metrics(0, -1);
  }
  run.trainer->save = [&](const Checkpoint& now, bool best) { folder.write_checkpoint(now, best); };
  run.trainer->rolled_back = [&](const nlohmann::ordered_json& event) {
    folder.truncate_metrics(event.at("to_stage"), event.at("to_step"), run.trainer->rollbacks());
  };
  Recorder recorder(folder, cut_after, cut_at_message);
  try {
    run.trainer->run(recorder);
  } catch (const PowerCut&) {
    return false;
  }
  end = frozen(run.trainer->checkpoint());
  return true;
}

std::vector<nlohmann::ordered_json> timeless(std::vector<nlohmann::ordered_json> lines) {
  for (auto& line : lines) line.erase("seconds");
  return lines;
}

struct Whole {
  explicit Whole(const Case& c) : folder(RunFolder::create(place.path("run"), false, false)) {
    folder.begin(false);
    EXPECT_TRUE(sit(c, folder, -1, -1, end));
  }
  fixtures::Folder place;
  RunFolder folder;
  Checkpoint end;
};

std::vector<std::int64_t> places_to_stop(std::int64_t steps) {
  std::vector<std::int64_t> all;
  if (steps > 100) return {1, 199, 200, 201, 250, 299, 300, 350, 400, 450, 500, 600, 601, 799, 900};
  for (std::int64_t s = 1; s <= steps; ++s) all.push_back(s);
  return all;
}

class Rollback : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, Rollback, ::testing::ValuesIn(cases()),
                         [](const auto& about) { return about.param.name; });

TEST_P(Rollback, EndsFiniteAndTellsEachEpochOnce) {
  const Whole whole(GetParam());
  expect_all_finite(whole.end, "end");
  double last = 0, stage = 0;
  std::int64_t events = 0, epochs = 0;
  for (const auto& line : whole.folder.metrics()) {
    if (line.contains("event")) {
      EXPECT_EQ(line.at("number"), ++events);
      const std::string message = line.at("message");
      expect_says(message, {"back to step", "half the rate", "step"});
      continue;
    }
    if (line.at("stage") != stage) last = 0, stage = line.at("stage");
    EXPECT_EQ(line.at("epoch"), ++last);
    ++epochs;
  }
  EXPECT_EQ(epochs, settings_of(GetParam().assignments).training.epochs);
  if (GetParam().rollbacks > 0) {
    EXPECT_EQ(events, GetParam().rollbacks);
  }
  EXPECT_GE(events, 1);
}

TEST_P(Rollback, StoppedAnywhereIsBitEqual) {
  const Whole whole(GetParam());
  for (const std::int64_t stop : places_to_stop(GetParam().rows > 100 ? 1000 : 30)) {
    FragileRun before(GetParam()), after(GetParam());
    StopAfter observer(stop), never;
    const fixtures::Folder folder;
    before.trainer->save = [&](const Checkpoint& c, bool) {
      save_checkpoint(folder.path("model.safetensors"), c);
    };
    if (!before.trainer->run(observer).interrupted) continue;
    const Checkpoint stored = load_checkpoint(folder.path("model.safetensors"));
    expect_all_finite(stored, "stopped");
    after.trainer->resume(stored, "memory");
    after.trainer->run(never);
    expect_equal_runs(frozen(after.trainer->checkpoint()), whole.end,
                      "stopped after " + std::to_string(stop));
    EXPECT_EQ(after.trainer->rollbacks().size(), whole.end.state.at("rollbacks").size());
  }
}

TEST_P(Rollback, KilledAnywhereIsBitEqual) {
  const Whole whole(GetParam());
  std::vector<std::pair<std::int64_t, std::int64_t>> kills = {{-1, 1},
                                                              {-1, 2}};  // at a message, after a step
  for (const std::int64_t stop : places_to_stop(GetParam().rows > 100 ? 1000 : 30))
    kills.emplace_back(stop, -1);
  for (const auto& [step, message] : kills) {
    SCOPED_TRACE("killed after step " + std::to_string(step) + ", message " + std::to_string(message));
    const fixtures::Folder place;
    const RunFolder folder = RunFolder::create(place.path("run"), false, false);
    folder.begin(false);
    Checkpoint end;
    if (sit(GetParam(), folder, step, message, end)) continue;  // it had ended before
    ASSERT_TRUE(sit(GetParam(), folder, -1, -1, end));
    expect_equal_runs(end, whole.end, "killed");
    EXPECT_EQ(timeless(folder.metrics()), timeless(whole.folder.metrics()));
  }
}

TEST_P(Rollback, DoesNotHappenWhereItIsNotWanted) {
  FragileRun run(GetParam(), {"training.rollbacks=0"});
  StopAfter never;
  const std::string message = error_of(ErrorKind::numerical, [&] { run.trainer->run(never); });
  expect_says(message, {"stage", "phase", "step", "training.rate"});
}

TEST(RollbackLimits, EndInANumericalError) {
  const Case hopeless{"hopeless", Failure::gradient, 1, 0.5, 13, {"training.batch=4", "training.epochs=6"},
                      0};
  for (const std::int64_t most : {1, 3}) {
    FragileRun run(hopeless, {"training.rollbacks=" + std::to_string(most)});
    std::int64_t events = 0;
    run.trainer->rolled_back = [&](const nlohmann::ordered_json&) { ++events; };
    std::vector<Checkpoint> saved;
    run.trainer->save = [&](const Checkpoint& c, bool) { saved.push_back(frozen(c)); };
    StopAfter never;
    error_of(ErrorKind::numerical, [&] { run.trainer->run(never); });
    EXPECT_EQ(events, most);
    ASSERT_FALSE(saved.empty());
    for (const Checkpoint& c : saved) expect_all_finite(c, "saved");
  }
}

const Case& case_named(const std::string& name) {
  return *std::find_if(cases().begin(), cases().end(), [&](const Case& c) { return c.name == name; });
}

// p [5, 8] grows by 3 a step from 1; the usual norm is that at the start, 173, mostly of q. Beyond a hundred
// times that it is no place to return to (p above 2700), beyond ten thousand times it has diverged.
TEST(RollbackLimits, ReturnToWhereTheParametersWereSensible) {
  FragileRun run(case_named("finite_growth"));
  StopAfter never;
  run.trainer->run(never);
  ASSERT_EQ(run.trainer->rollbacks().size(), 1U);
  const auto& event = run.trainer->rollbacks()[0];
  expect_says(event.at("message").get<std::string>(), {"norm of the parameters"});
  const std::int64_t seen = event.at("step"), back = event.at("to_step");
  EXPECT_GE(seen - back, 4);  // 3^4 is 81
  EXPECT_GE(back, 5);
  EXPECT_LT(Fragile::largest(run.model->p), 3000);
}

// At the end of the first epoch all is finite and the next step fails at any rate: from there nothing helps
// but the start.
TEST(RollbackLimits, AStateThatFailsAgainAtOnceIsGivenUp) {
  FragileRun run(case_named("metric"));
  StopAfter never;
  run.trainer->run(never);
  ASSERT_EQ(run.trainer->rollbacks().size(), 2U);
  EXPECT_EQ(run.trainer->rollbacks()[0].at("to_step"), 4);
  EXPECT_EQ(run.trainer->rollbacks()[1].at("to_step"), 0);
}

TEST(RollbackLimits, HalveTheRateInTheCurve) {
  FragileRun run(cases()[0]);
  StopAfter never;
  run.trainer->run(never);
  EXPECT_EQ(metric(never.curve.back(), "rate"), 0.1 / 4);
  EXPECT_EQ(run.trainer->rollbacks()[0].at("rate"), 0.1 / 2);
}

// Checkpoints of before there were rollbacks and beginnings of stages lack options and entries of the state.
TEST(OldCheckpoints, StillGoOn) {
  const Dataset set = random_bits(23, 7);
  const Assignments assignments = {"model.hidden=5", "training.epochs=3", "training.batch=5"};
  const auto before = trainer_for(assignments, set, 7), after = trainer_for(assignments, set, 7);
  StopAfter stop(7), never;
  EXPECT_TRUE(before->run(stop).interrupted);
  Checkpoint old = frozen(before->checkpoint());
  for (const char* name : {"clip", "rollbacks"}) old.options["training"].erase(name);
  for (const char* name : {"good", "rollbacks", "stage_begun", "usual_norm", "epoch_so_far"})
    old.state.erase(name);
  std::erase_if(old.tensors, [](const auto& each) { return each.first.starts_with("good."); });
  after->resume(old, "old");
  after->run(never);
  expect_equal_runs(frozen(after->checkpoint()), straight(assignments, set), "old");
}

TEST(OldCheckpoints, ABrokenGoodStateIsRefused) {
  const Dataset set = random_bits(23, 7);
  const Assignments assignments = {"model.hidden=5", "training.batch=5"};
  const auto before = trainer_for(assignments, set, 7);
  StopAfter stop(7);
  before->run(stop);
  const Checkpoint right = frozen(before->checkpoint());
  ASSERT_TRUE(right.state.contains("good"));
  const auto refused = [&](const Checkpoint& wrong) {
    error_of(ErrorKind::data, [&] { trainer_for(assignments, set, 7)->resume(wrong, "wrong"); });
  };
  Checkpoint wrong = right;
  wrong.tensors.erase("good.model.weights");
  refused(wrong);
  for (const nlohmann::ordered_json& step :
       {nlohmann::ordered_json(8), nlohmann::ordered_json(-1), nlohmann::ordered_json("x")}) {
    wrong = right;
    wrong.state["good"]["step"] = step;
    refused(wrong);
  }
  for (const char* entry : {"good", "epoch_so_far"}) {
    wrong = right;
    wrong.state[entry] = 3;
    refused(wrong);
  }
  wrong = right;
  wrong.state["good"]["stage"] = 1;
  refused(wrong);
  wrong = right;
  wrong.state["stage_begun"] = false;
  refused(wrong);
  wrong = right;
  wrong.state["rollbacks"] = "many";
  refused(wrong);
}

// A stage of one epoch takes its rows in its own order, also when the stage before it had one epoch.
TEST(Turns, RowsAreShuffledAnewInEachStage) {
  const Case two{"two", Failure::none, 1, 0, 13, {"training.batch=4", "training.epochs=2"}, 0, true};
  FragileRun whole(two), before(two), after(two);
  StopAfter stop(4), never;
  whole.trainer->run(never);
  before.trainer->run(stop);
  after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
  after.trainer->run(never);
  expect_equal_runs(frozen(after.trainer->checkpoint()), frozen(whole.trainer->checkpoint()), "two stages");
}

}  // namespace
}  // namespace deepgen::rollback_test
