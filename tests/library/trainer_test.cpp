// The trainer with a toy whose gradients are known: turns, optimisers against plain formulas, stages, stops.
#include "deepgen/core/observer.h"
#include "deepgen/train/norm.h"
#include "tests/library/runs.h"

namespace deepgen::trainer_test {
namespace {

using namespace machines;
using namespace runs;

using Named = std::map<std::string, Doubles>;

enum class Form { two, again, one };

// Two stages. In "alternate" the phases "left" (a, W; twice) and "right" (b; once, at half the rate) take
// turns; "joint" has one phase with W and b. Gradients pull to zero, plus noise from the turn's generator.
// `again`: the third of three stages takes up the parameter of the first; `one`: "alternate" alone.
class Toy : public Model, public HasGradients {
 public:
  explicit Toy(Form f = Form::two) : form(f) {
    a = register_parameter("a", at::full({3}, 2.0), false);
    W = register_parameter("W", at::full({5, 7}, -1.0), false);
    b = register_parameter("b", at::full({70}, 0.5), false);
    updates = register_buffer("updates", at::zeros({1}, at::kLong));
  }
  std::vector<Stage> stages() override {
    const Stage alternate{"alternate", 2, {{"left", {a, W}, 2}, {"right", {b}, 1, 0.5}}};
    if (form == Form::one) return {alternate};
    if (form == Form::two) return {alternate, {"joint", 1, {{"both", {W, b}, 1}}}};
    return {{"one", 1, {{"x", {a}, 1}}}, {"two", 1, {{"y", {b}, 1}}}, {"three", 1, {{"x", {a}, 1}}}};
  }
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override {
    turns.push_back(turn);
    rows.push_back(batch.x.size(0));
    const Stage now = stages()[size(turn.stage)];
    Named mine;
    for (const Tensor& p : now.phases[size(turn.phase)].parameters)
      p.mutable_grad().copy_(p * strength + normal_tensor(p.sizes(), 0.3, rng));
    for (auto& item : named_parameters()) mine[item.key()] = doubles(item.value().grad());
    gradients_seen.push_back(mine);
    if (turn.step == bad_step) return {{"objective", std::nan("")}};
    return {{"objective", 1.0}};
  }
  void project(const Turn& turn) override {
    updates += 1;
    const Turn& made = turns.back();
    EXPECT_TRUE(turn.stage == made.stage && turn.phase == made.phase && turn.repeat == made.repeat &&
                turn.step == made.step && turn.steps == made.steps);
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor a, W, b, updates;
  Form form;
  double strength = 0.3;
  std::int64_t bad_step = -1;
  std::vector<Turn> turns;
  std::vector<std::int64_t> rows;
  std::vector<Named> gradients_seen;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

// 13 rows in batches of 4 are 4 steps an epoch, the last of one row.
struct ToyRun {
  explicit ToyRun(const Assignments& assignments, Form form = Form::two)
      : model(std::make_shared<Toy>(form)) {
    Assignments all = {"training.epochs=6", "training.batch=4", "training.rate=0.1"};
    all.insert(all.end(), assignments.begin(), assignments.end());
    trainer = std::make_unique<Trainer>(model, data, settings_of(all), 3);
  }
  Named parameters() const {
    Named values;
    for (const auto& item : model->named_parameters()) values[item.key()] = doubles(item.value());
    return values;
  }
  Dataset data = random_bits(13, 4);
  std::shared_ptr<Toy> model;
  std::unique_ptr<Trainer> trainer;
};

std::vector<std::string> names_of_turn(const Turn& turn) {
  if (turn.stage == 1) return {"W", "b"};
  return turn.phase == 0 ? std::vector<std::string>{"a", "W"} : std::vector<std::string>{"b"};
}

TEST(Turns, ComeByStagePhaseAndRepeat) {
  ToyRun run({});
  StopAfter never;
  const TrainingResult result = run.trainer->run(never);
  EXPECT_FALSE(result.interrupted || result.stopped_early);
  // Two thirds of 6 epochs are 4: 16 steps of three turns; then 2 epochs: 8 steps of one turn.
  ASSERT_EQ(run.model->turns.size(), 16U * 3 + 8);
  std::size_t t = 0;
  for (std::int64_t step = 0; step < 16; ++step)
    for (const auto& [phase, repeat] : std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 0}}) {
      const Turn& turn = run.model->turns[t];
      EXPECT_EQ(turn.stage, 0);
      EXPECT_EQ(turn.phase, phase);
      EXPECT_EQ(turn.repeat, repeat);
      EXPECT_EQ(turn.step, step);
      EXPECT_EQ(turn.steps, 16);
      EXPECT_EQ(run.model->rows[t++], step % 4 == 3 ? 1 : 4);
    }
  for (std::int64_t step = 0; step < 8; ++step, ++t) {
    EXPECT_EQ(run.model->turns[t].stage, 1);
    EXPECT_EQ(run.model->turns[t].step, step);
    EXPECT_EQ(run.model->turns[t].steps, 8);
  }
  EXPECT_EQ(run.model->updates.item<std::int64_t>(), 16 * 3 + 8) << "project comes once after every update";
  ASSERT_EQ(never.curve.size(), 6U);
  for (std::size_t e = 0; e < 6; ++e) {
    EXPECT_EQ(metric(never.curve[e], "stage"), e < 4 ? 0 : 1);
    if (e < 4) {  // two phases report it
      EXPECT_EQ(metric(never.curve[e], "left.objective"), 1.0);
      EXPECT_EQ(metric(never.curve[e], "right.objective"), 1.0);
    } else {
      EXPECT_EQ(metric(never.curve[e], "objective"), 1.0);
    }
  }
}

TEST(Turns, HaveNoiseOfTheirOwn) {
  ToyRun run({"training.rate=0"});  // the parameters stand still: gradients differ by their noise alone
  StopAfter never;
  run.trainer->run(never);
  std::vector<double> seen;
  for (std::size_t t = 0; t < run.model->turns.size(); ++t)
    seen.push_back(run.model->gradients_seen[t].at(names_of_turn(run.model->turns[t])[0])[0]);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "two turns drew the same";
}

// ---------------------------------------------------------------- optimisers in plain double precision

struct Plain {
  double rate = 0.1, momentum = 0, decay = 0, beta2 = 0.999, average = 0, clip = 0;
  bool adam = false;
  std::string schedule = "constant";
};

// The whole run by the formulas of optimiser.h from the gradients that the toy handed out. Adam's t counts
// the updates that a parameter has had in the stage; a stage begins with a fresh optimiser and, where there
// is an average, with the averaged weights of the one before.
void replay(const ToyRun& run, const Plain& plain, Named& p, Named& averages) {
  Named first, second;
  std::map<std::string, int> count;
  std::map<int, std::int64_t> steps = {{0, 16}, {1, 8}};
  averages = p;
  for (std::size_t t = 0; t < run.model->turns.size(); ++t) {
    const Turn& turn = run.model->turns[t];
    if (t > 0 && turn.stage != run.model->turns[t - 1].stage) {
      first.clear(), second.clear(), count.clear();
      if (plain.average > 0) p = averages;
      averages = p;
    }
    const double progress = real(turn.step) / real(steps[turn.stage] - 1);
    const double share = turn.stage == 0 && turn.phase == 1 ? 0.5 : 1;
    const double rate = share * (plain.schedule == "linear" ? plain.rate * (1 - progress) : plain.rate);
    double squares = 0;
    for (const std::string& name : names_of_turn(turn))
      for (const double g : run.model->gradients_seen[t].at(name)) squares += g * g;
    const bool clips = plain.clip > 0 && std::sqrt(squares) > plain.clip;
    const double scale = clips ? plain.clip / std::sqrt(squares) : 1;
    for (const std::string& name : names_of_turn(turn)) {
      Doubles& x = p[name];
      first[name].resize(x.size()), second[name].resize(x.size());
      const int done = count[name]++;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double g =
            scale * run.model->gradients_seen[t].at(name)[i] + (name == "W" ? plain.decay * x[i] : 0);
        double &m = first[name][i], &v = second[name][i];
        if (plain.adam) {
          const double b1 = plain.momentum > 0 ? plain.momentum : 0.9, b2 = plain.beta2;
          m = b1 * m + (1 - b1) * g, v = b2 * v + (1 - b2) * g * g;
          x[i] -= rate * (m / (1 - std::pow(b1, done + 1))) /
                  (std::sqrt(v / (1 - std::pow(b2, done + 1))) + 1e-8);
        } else {
          m = plain.momentum * m + g;
          x[i] -= rate * m;
        }
        const double keep = std::min(plain.average, (1.0 + done) / (10.0 + done));
        averages[name][i] = keep * averages[name][i] + (1 - keep) * x[i];
      }
    }
  }
}

void expect_replayed(const Assignments& assignments, const Plain& plain, bool first_stage_only) {
  ToyRun run(assignments);
  Named p = run.parameters(), averages;
  StopAfter observer(first_stage_only ? 16 : -1);
  run.trainer->run(observer);
  replay(run, plain, p, averages);
  for (const auto& [name, wanted] : p) expect_near(run.parameters().at(name), wanted, 2e-5, name);
  if (plain.average == 0) return;
  const Checkpoint c = run.trainer->checkpoint();
  for (const auto& [name, wanted] : averages)
    expect_near(doubles(c.tensors.at("average." + name)), wanted, 2e-5, "average." + name);
}

struct Recipe {
  std::string name;
  Assignments assignments;
  Plain plain;
};
std::ostream& operator<<(std::ostream& out, const Recipe& r) { return out << r.name; }

class OptimiserFormula : public ::testing::TestWithParam<Recipe> {};
INSTANTIATE_TEST_SUITE_P(
    Recipes, OptimiserFormula,
    ::testing::Values(
        Recipe{"sgd", {}, {}}, Recipe{"momentum", {"training.momentum=0.9"}, {.momentum = 0.9}},
        Recipe{"decay", {"training.momentum=0.5", "training.decay=0.2"}, {.momentum = 0.5, .decay = 0.2}},
        Recipe{"schedule", {"training.schedule=linear"}, {.schedule = "linear"}},
        Recipe{"clip", {"training.clip=2.5", "training.decay=0.2"}, {.decay = 0.2, .clip = 2.5}},
        Recipe{"clip_adam", {"training.optimiser=adam", "training.clip=0.3"}, {.clip = 0.3, .adam = true}},
        Recipe{"average", {"training.average=0.95"}, {.average = 0.95}},
        Recipe{"adam", {"training.optimiser=adam"}, {.adam = true}},
        Recipe{"adam_own",
               {"training.optimiser=adam", "training.momentum=0.5", "training.beta2=0.9",
                "training.decay=0.1", "training.average=0.5"},
               {.momentum = 0.5, .decay = 0.1, .beta2 = 0.9, .average = 0.5, .adam = true}}),
    [](const auto& about) { return about.param.name; });

TEST_P(OptimiserFormula, HoldsInAStageWithPhasesAndRepeats) {
  expect_replayed(GetParam().assignments, GetParam().plain, true);
}
TEST_P(OptimiserFormula, HoldsAcrossStagesThatShareParameters) {
  expect_replayed(GetParam().assignments, GetParam().plain, false);
}

TEST(Clip, ChangesNothingBelowTheNorm) {
  ToyRun plain({"training.momentum=0.5"}), clipped({"training.momentum=0.5", "training.clip=1000"});
  StopAfter never;
  plain.trainer->run(never);
  clipped.trainer->run(never);
  expect_equal_runs(frozen(clipped.trainer->checkpoint()), frozen(plain.trainer->checkpoint()), "clip 1000");
}

// ---------------------------------------------------------------- stops

TEST(ToyResume, AfterAnyStepOfAnyStageIsBitEqual) {
  for (const Assignments& way : {Assignments{"training.momentum=0.9", "training.average=0.9"},
                                 Assignments{"training.optimiser=adam", "training.schedule=cosine"}}) {
    for (const Form form : {Form::two, Form::again, Form::one}) {
      ToyRun whole(way, form);
      StopAfter never;
      whole.trainer->run(never);
      const Checkpoint wanted = frozen(whole.trainer->checkpoint());
      for (std::int64_t stop = 1; stop < 24; ++stop) {
        SCOPED_TRACE(way.front() + " form " + std::to_string(static_cast<int>(form)) + " stopped after " +
                     std::to_string(stop));
        ToyRun before(way, form), after(way, form);
        StopAfter observer(stop);
        if (!before.trainer->run(observer).interrupted) continue;
        after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
        after.trainer->run(never);
        expect_equal_runs(frozen(after.trainer->checkpoint()), wanted, "resumed");
      }
    }
  }
}

TEST(NonFinite, MetricStopsTheRunNamingItsPlace) {
  ToyRun run({"training.rollbacks=0"});
  std::vector<Checkpoint> saved;
  run.trainer->save = [&](const Checkpoint& c, bool) { saved.push_back(frozen(c)); };
  run.model->bad_step = 6;
  StopAfter never;
  const std::string message = error_of(ErrorKind::numerical, [&] { run.trainer->run(never); });
  expect_says(message, {"objective", "alternate", "left", "step 6"});
  ASSERT_EQ(saved.size(), 1U);  // of the first epoch
  EXPECT_EQ(saved[0].step, 4);
}

void expect_finite(const Checkpoint& checkpoint) {
  for (const auto& [name, tensor] : checkpoint.tensors)
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
}

TEST(NonFinite, ParametersStopTheRunAndTheGoodCheckpointStays) {
  ToyRun run({"training.rate=1000", "training.epochs=60", "training.rollbacks=5"});
  run.model->strength = 3;  // each update multiplies by 1 - 3000
  std::vector<Checkpoint> saved;
  run.trainer->save = [&](const Checkpoint& c, bool) { saved.push_back(frozen(c)); };
  StopAfter never;
  const std::string message = error_of(ErrorKind::numerical, [&] { run.trainer->run(never); });
  expect_says(message, {"alternate", "step"});
  for (const Checkpoint& c : saved) expect_finite(c);
}

// The check may be rare, but what is written must have passed it.
TEST(NonFinite, ParametersAreNotSavedWhenTheRunIsStoppedByRequest) {
  ToyRun run({"training.rate=1000", "training.batch=1", "training.epochs=60", "training.rollbacks=5"});
  run.model->strength = 3;
  std::vector<Checkpoint> saved;
  run.trainer->save = [&](const Checkpoint& c, bool) { saved.push_back(frozen(c)); };
  StopAfter observer(
      12);  // 24 updates of W, non-finite after some 11; one row a step: no epoch ends before 13
  try {
    run.trainer->run(observer);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numerical);
  }
  for (const Checkpoint& c : saved) expect_finite(c);
}

// Scores by epoch 1 3 2 5 4 4.5 9: with patience 2 it stops after the sixth, and the fourth is the best.
TEST(EarlyStopping, KeepsTheBest) {
  ToyRun run({"training.epochs=20", "training.patience=2", "training.checkpoint_every=3"}, Form::one);
  const Doubles scores = {1, 3, 2, 5, 4, 4.5, 9};
  std::size_t epoch = 0;
  run.trainer->validate = [&](Model&) { return ValidationScore{"score", scores.at(epoch++)}; };
  std::vector<std::int64_t> best_steps;
  Checkpoint last;
  run.trainer->save = [&](const Checkpoint& c, bool best) {
    if (best) best_steps.push_back(c.step);
    last = frozen(c);
  };
  StopAfter never;
  const TrainingResult result = run.trainer->run(never);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(result.best_score, 5);
  EXPECT_EQ(best_steps, (std::vector<std::int64_t>{4, 8, 16}));
  EXPECT_EQ(last.step, 24);
  EXPECT_EQ(metric(never.curve.back(), "score"), 4.5);
  // The run is over: to resume it changes nothing.
  ToyRun after({"training.epochs=20", "training.patience=2", "training.checkpoint_every=3"}, Form::one);
  after.trainer->resume(last, "memory");
  after.trainer->validate = [](Model&) { return ValidationScore{"score", 0}; };
  after.trainer->run(never);
  expect_equal_runs(frozen(after.trainer->checkpoint()), last, "resumed after an early stop");
}

TEST(EarlyStopping, RemembersItsPatienceOverAResume) {
  const Assignments way = {"training.epochs=20", "training.patience=3"};
  ToyRun before(way, Form::one), after(way, Form::one);
  std::size_t epoch = 0;
  auto validate = [&](Model&) { return ValidationScore{"score", 10 - static_cast<double>(epoch++)}; };
  before.trainer->validate = after.trainer->validate = validate;
  StopAfter observer(9), never;  // in the third epoch; the first was the best
  EXPECT_TRUE(before.trainer->run(observer).interrupted);
  after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
  const TrainingResult result = after.trainer->run(never);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.epochs, 4);
  EXPECT_EQ(result.best_score, 10);
}

// Validation and pictures see the averaged weights, training goes on with its own.
TEST(Averaging, IsWhatValidationSees) {
  ToyRun run({"training.average=0.9", "training.epochs=2"});
  Doubles seen;
  run.trainer->validate = [&](Model& model) {
    seen = doubles(dynamic_cast<Toy&>(model).b);
    return ValidationScore{"score", 0};
  };
  StopAfter never;
  run.trainer->run(never);
  const Checkpoint c = run.trainer->checkpoint();
  EXPECT_EQ(seen, doubles(c.tensors.at("average.b")));
  EXPECT_NE(seen, doubles(c.tensors.at("model.b")));
}

}  // namespace
}  // namespace deepgen::trainer_test
