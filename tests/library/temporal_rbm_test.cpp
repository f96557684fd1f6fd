// The temporal restricted Boltzmann machine: which frames it sees, its energy and gradient against
// enumeration, what it draws, what it refuses, and whole runs on sequences.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/temporal_rbm.h"

#include <set>

#include "tests/library/dynamic_bias_twin.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::temporal_rbm_test {
namespace {

using namespace machines;
using dynamic_bias::Twin;
using small_cases::Instance;

Rows sequences(Tensor x, const std::vector<std::int64_t>& starts) {
  Rows rows(std::move(x));
  rows.starts = at::tensor(starts, at::kLong);
  return rows;
}

struct About {
  std::int64_t columns = 3, hidden = 4, order = 2;
  ValueKind values = ValueKind::binary;
  double scale = 0.7;
};

DataShape shape_of(const About& about) { return {about.columns, {about.columns}, 0, about.values, {}}; }

Rows some_rows(const About& about, std::uint64_t seed = 11) {
  Rng rng(seed);
  return sequences(rows_of_shape(shape_of(about), 40, rng), {0, 9, 12, 30});
}

std::shared_ptr<TemporalRbm> machine(const About& about) {
  TemporalRbmOptions options;
  options.hidden = about.hidden, options.order = about.order, options.continuation_steps = 40;
  TemporalRbmLearning learning;
  learning.learning = "exact", learning.frames = 0;
  auto model = std::make_shared<TemporalRbm>(options, learning, shape_of(about));
  Rng rng(3);
  model->initialise(some_rows(about), rng);
  randomise(*model, about.scale, rng);
  return model;
}

// ---------------------------------------------------------------- frames

TEST(TemporalRbm, AFrameSeesThoseBeforeItInItsOwnSequenceAlone) {
  const auto model = machine({.columns = 1});
  Tensor x = at::arange(12, at::kFloat).unsqueeze(1);
  const GivenPairs pairs = model->pairs_of(sequences(x, {0, 4, 5, 7}));
  expect_near(doubles(pairs.v), {2, 3, 9, 10, 11}, 0, "frames");
  expect_near(doubles(pairs.condition), {0, 1, 1, 2, 7, 8, 8, 9, 9, 10}, 0, "the two before each");
  EXPECT_EQ(model->pairs_of(sequences(x, {0, 2, 4, 6, 8, 10})).size(), 0) << "all too short";
}

TEST(TemporalRbm, AnUpdateTakesFramesOfTheBatchAtRandom) {
  TemporalRbmOptions options;
  options.order = 2;
  TemporalRbmLearning learning;
  learning.frames = 6, learning.updates = 4;
  TemporalRbm model(options, learning, {1, {1}, 0, ValueKind::real, {}});
  const Rows rows = sequences(at::arange(40, at::kFloat).unsqueeze(1), {0, 20});
  std::set<double> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const GivenPairs pairs = model.drawn_pairs(rows, rng);
    ASSERT_EQ(pairs.size(), 6);
    expect_near(doubles(pairs.condition.select(1, 1)), doubles(pairs.v.select(1, 0) - 1), 0,
                "the frame before");
    std::set<double> drawn;
    for (const double each : doubles(pairs.v)) drawn.insert(each);
    EXPECT_EQ(drawn.size(), 6U) << "a frame twice";
    seen.insert(drawn.begin(), drawn.end());
  }
  EXPECT_EQ(seen.size(), 36U) << "every frame with a past comes";
  ASSERT_EQ(model.stages().size(), 1U);
  EXPECT_EQ(model.stages()[0].phases[0].repeats, 4);
}

// ---------------------------------------------------------------- energy and gradient

TEST(TemporalRbm, FramesAreScoredByTheEnergy) {
  for (const About& about :
       {About{}, About{.hidden = 2}, About{.columns = 2, .hidden = 3, .values = ValueKind::real},
        About{.order = 1}}) {
    const auto model = machine(about);
    const Rows rows = some_rows(about);
    expect_near(doubles(model->exact_frame_log_prob(rows)),
                doubles(Twin(*model).log_prob(model->pairs_of(rows))), 1e-4, "log p(frame | past)");
  }
}

TEST(TemporalRbm, GradientEqualsAutomaticDifferentiation) {
  for (const About& about : {About{}, About{.hidden = 2},
                             About{.columns = 2, .hidden = 3, .values = ValueKind::real, .scale = 0.4}})
    dynamic_bias::expect_exact_gradient(*machine(about), some_rows(about));
}

TEST(TemporalRbm, WithoutAPastIsThePlainMachine) {
  const auto model = machine({});
  {
    NoGradGuard no_graph;
    model->to_visible.zero_();
    model->to_hidden.zero_();
  }
  const Rows rows = some_rows({});
  const Tensor v = model->pairs_of(rows).v;
  expect_near(doubles(model->exact_frame_log_prob(rows)),
              doubles(-model->machine().free_energy(v) - *model->machine().exact_log_partition()), 1e-5,
              "log p(frame)");
}

// ---------------------------------------------------------------- continuations

constexpr std::int64_t copies = 20000;

// One sequence of four frames, `copies` times.
Rows begun(const Tensor& frames) {
  std::vector<std::int64_t> starts;
  for (std::int64_t c = 0; c < copies; ++c) starts.push_back(c * frames.size(0));
  return sequences(frames.repeat({copies, 1}), starts);
}

Tensor past_of(std::int64_t before, std::int64_t last) {
  return at::cat({all_states(3)[before], all_states(3)[last]}).unsqueeze(0);
}

TEST(TemporalRbmContinuations, TheChainGivenThePastLeavesTheConditionalUnchanged) {
  const auto model = machine({.scale = 1});
  Rng rng(17);
  const Doubles p = Twin(*model).probabilities(past_of(5, 2));
  const Tensor start = exact_samples(p, 3, copies, rng);
  const GivenBiases given = model->biases_given(past_of(5, 2).repeat({copies, 1}));
  for (const std::int64_t steps : {1, 5})
    expect_drawn_from(model->gibbs_given(given, start, steps, {}, rng), p, std::to_string(steps) + " steps");
}

// The first frame by the conditional given the last two, the second by the mixture over the first.
TEST(TemporalRbmContinuations, FollowTheModelFrameByFrame) {
  const auto model = machine({.scale = 0.8});
  const Twin twin(*model);
  Rng rng(19);
  const Tensor frames = at::stack({all_states(3)[7], all_states(3)[0], all_states(3)[5], all_states(3)[2]});
  const Tensor drawn = model->continue_sequences(begun(frames), 2, rng);
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({copies, 2, 3}));
  const Doubles first = twin.probabilities(past_of(5, 2));
  Doubles second(8);
  for (std::int64_t s = 0; s < 8; ++s) {
    const Doubles given = twin.probabilities(past_of(2, s));
    for (std::size_t t = 0; t < 8; ++t) second[t] += first[size(s)] * given[t];
  }
  expect_drawn_from(drawn.select(1, 0), first, "the first frame");
  expect_drawn_from(drawn.select(1, 1), second, "the second frame");
}

TEST(TemporalRbmContinuations, DependOnTheLastFramesOfTheirOwnSequence) {
  for (const ValueKind values : {ValueKind::binary, ValueKind::real}) {
    const auto model = machine({.values = values});
    Rng data(23);
    const Tensor x = rows_of_shape(shape_of({.values = values}), 12, data);
    const auto continued = [&](const Tensor& cells, std::uint64_t seed = 29) {
      Rng rng(seed);
      return model->continue_sequences(sequences(cells, {0, 5, 8}), 6, rng);
    };
    const Tensor all = continued(x);
    ASSERT_EQ(all.sizes(), at::IntArrayRef({3, 6, 3}));
    expect_bit_equal(all, continued(x), "equal seeds");
    Tensor other = x.clone();
    other.narrow(0, 0, 3) = 1 - other.narrow(0, 0, 3);
    expect_bit_equal(continued(other), all, "frames that are too long ago");
    other = x.clone();
    other[7] = 1 - other[7];
    expect_bit_equal(continued(other)[0], all[0], "another sequence");
    expect_bit_equal(continued(other)[2], all[2], "another sequence");
    int differ = 0;  // bits may come out alike by chance
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      differ += !at::equal(continued(other, seed)[1], continued(x, seed)[1]);
    EXPECT_GT(differ, 0) << "the last frame plays no part";
    const Threads threads(4);
    expect_bit_equal(continued(x), all, "threads");
    EXPECT_EQ(model->continue_sequences(sequences(x, {0}), 0, data).sizes(), at::IntArrayRef({1, 0, 3}));
  }
}

// ---------------------------------------------------------------- refusals

TEST(TemporalRbmRefusals, SayWhatIsWrong) {
  Rng rng(31);
  const auto model = machine({});
  EXPECT_EQ(model->needed_rows(), 2);
  const Tensor x = bits_tensor(12, 3, rng);
  expect_says(error_of(ErrorKind::data, [&] { model->initialise(x, rng); }), {"sequences", "train_lengths"});
  expect_says(error_of(ErrorKind::data, [&] { model->gradients(x, {}, rng); }), {"sequences"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         model->initialise(sequences(x, {0, 5, 7}), rng);
                       }),
              {"at least 3", "one of 2", "number 1", "model.order"});
  expect_says(error_of(ErrorKind::data, [&] { model->continue_sequences(x, 3, rng); }), {"sequences"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         model->continue_sequences(sequences(x, {0, 11}), 3, rng);
                       }),
              {"at least 2", "one of 1", "number 1"});
  Tensor gap = x.clone();
  gap[4][1] = std::nanf("");
  error_of(ErrorKind::data, [&] { model->continue_sequences(sequences(gap, {0}), 3, rng); });
  error_of(ErrorKind::data, [&] { model->check_data(gap, "rows"); });
}

// ---------------------------------------------------------------- all small cases, in whole runs

std::vector<Instance> instances() {
  std::vector<Instance> all;
  for (std::size_t i = 0; i < model_card("temporal_rbm").small_cases.size(); ++i)
    all.push_back({"temporal_rbm", i});
  return all;
}

class TemporalRbmCases : public ::testing::TestWithParam<Instance> {
 protected:
  // Sequences of 10 rows to train on, of 3 to validate with.
  static Dataset data() {
    Dataset set = small_cases::labelled_set(GetParam().shape(10, 3), 3);
    set.train.starts = at::arange(0, 70, 10, at::kLong);
    set.valid.starts = at::arange(0, 9, 3, at::kLong);
    return set;
  }
  static runs::Assignments settings() {
    runs::Assignments all = {"training.epochs=3", "training.batch=2", "training.updates=3",
                             "training.frames=7"};
    const std::vector<std::string>& own = GetParam().small().settings;
    all.insert(all.end(), own.begin(), own.end());
    return all;
  }
};

INSTANTIATE_TEST_SUITE_P(Small, TemporalRbmCases, ::testing::ValuesIn(instances()),
                         [](const auto& about) { return about.param.title(); });

TEST_P(TemporalRbmCases, RunsAreTheSameInSittingsAndOnAnyNumberOfThreads) {
  const Dataset set = data();
  const Checkpoint whole = runs::straight(settings(), set, 7, "temporal_rbm");
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {5, 3}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings(), set, stops, 7, "temporal_rbm"), "sittings");
  const Threads threads(4);
  runs::expect_equal_runs(whole, runs::straight(settings(), set, 7, "temporal_rbm"), "threads");
}

TEST_P(TemporalRbmCases, ContinuationsAreValuesOfTheData) {
  const Dataset set = data();
  const auto model = GetParam().make(10, 3);
  Rng rng(37);
  const Rows rows = Dataset::rows(set.train, 0, set.train.cases(), Rng(1));
  model->initialise(rows, rng);
  const Tensor drawn = as<CanContinue>(*model)->continue_sequences(rows, 5, rng);
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({7, 5, set.columns()}));
  EXPECT_TRUE(drawn.isfinite().all().item<bool>());
  model->check_data(drawn.reshape({35, set.columns()}), "drawn");
}

TEST(TemporalRbmRuns, RefuseRowsThatAreNoSequences) {
  const Dataset plain = runs::random_bits(20, 4);
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         runs::straight({"model.hidden=3", "training.epochs=1"}, plain, 7, "temporal_rbm");
                       }),
              {"temporal_rbm", "sequences"});
}

// Bits that change at every frame: the frame before is the worst prediction there is.
TEST(TemporalRbmTraining, LearnsWhatFollows) {
  Dataset set = small_cases::labelled_set(bits_shape(4, 3), 3);
  Rng rng(41);
  for (Split* part : {&set.train, &set.valid}) {
    part->starts = at::tensor(std::vector<std::int64_t>{0}, at::kLong);
    for (std::int64_t t = 1; t < part->rows(); ++t) part->x[t] = 1 - part->x[t - 1];
  }
  runs::StopAfter curve;
  runs::trainer_for({"model.hidden=5", "model.order=1", "training.epochs=30", "training.updates=30",
                     "training.rate=0.02", "training.frames=30"},
                    set, 7, "temporal_rbm")
      ->run(curve);
  ASSERT_FALSE(curve.curve.empty());
  EXPECT_EQ(runs::metric(curve.curve.back(), "valid_persistence_error"), 1);
  EXPECT_LT(runs::metric(curve.curve.back(), "valid_prediction_error"), 0.05);
  EXPECT_GT(runs::metric(curve.curve.back(), "valid_conditional_log_prob"), -0.5);
  EXPECT_LT(runs::metric(curve.curve.front(), "valid_conditional_log_prob"),
            runs::metric(curve.curve.back(), "valid_conditional_log_prob"));
}

}  // namespace
}  // namespace deepgen::temporal_rbm_test
