// All small cases of the conditional restricted Boltzmann machine: completions, scores, threads, whole runs.
#include "deepgen/models/boltzmann/conditional_rbm.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::conditional_rbm_runs_test {
namespace {

using namespace machines;
using small_cases::Instance;

std::vector<Instance> instances() {
  std::vector<Instance> all;
  for (std::size_t i = 0; i < model_card("conditional_rbm").small_cases.size(); ++i)
    all.push_back({"conditional_rbm", i});
  return all;
}

class ConditionalRbmCases : public ::testing::TestWithParam<Instance> {
 protected:
  void SetUp() override {
    shape = GetParam().shape(10, 3);
    Rng rng(37);
    rows = small_cases::labelled_cells(shape, 50, rng);
    model = std::dynamic_pointer_cast<ConditionalRbm>(GetParam().make(10, 3));
    model->initialise(rows, rng);
    NoGradGuard no_graph;
    for (auto& item : model->named_parameters())
      item.value().add_(normal_tensor(item.value().sizes(), 0.3, rng));
  }
  static runs::Assignments with(runs::Assignments settings) {
    const std::vector<std::string>& own = GetParam().small().settings;
    settings.insert(settings.end(), own.begin(), own.end());
    return settings;
  }

  DataShape shape;
  Rows rows;
  std::shared_ptr<ConditionalRbm> model;
};

INSTANTIATE_TEST_SUITE_P(Small, ConditionalRbmCases, ::testing::ValuesIn(instances()),
                         [](const auto& about) { return about.param.title(); });

TEST_P(ConditionalRbmCases, CompletionsKeepWhatIsKnownAndAreValuesOfTheData) {
  const Tensor mask = model->condition_mask();
  const Tensor x = rows.x.masked_fill(mask.logical_not().unsqueeze(0), std::nanf(""));
  Tensor one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(41), next(43);
    const Tensor done = model->complete(x, rng);
    model->check_data(done, "completed");
    expect_bit_equal(done.masked_select(mask), rows.x.masked_select(mask), "the condition");
    EXPECT_FALSE(at::equal(done, model->complete(x, next))) << "the generator plays no part";
    if (count == 1) one = done;
    expect_bit_equal(done, one, "threads");
  }
  Rng rng(43);
  expect_bit_equal(model->complete(rows, rng), rows.x, "nothing missing");
  EXPECT_EQ(model->complete(rows.narrow(0, 0), rng).size(0), 0);
  EXPECT_EQ(model->filters().sizes(), at::IntArrayRef({model->machine().hidden(), shape.columns}));
}

TEST_P(ConditionalRbmCases, ScoresDoNotDependOnTheNumberOfThreadsOrTheOtherRows) {
  Tensor one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    const Tensor scores = model->exact_conditional_log_prob(rows);
    EXPECT_TRUE(scores.isfinite().all().item<bool>());
    if (count == 1) one = scores;
    expect_bit_equal(scores, one, "threads");
  }
  expect_near(doubles(model->exact_conditional_log_prob(rows.narrow(7, 1))), {one[7].item<double>()}, 1e-4,
              "alone");
}

TEST_P(ConditionalRbmCases, RunsAreTheSameInSittingsAndOnAnyNumberOfThreads) {
  const Dataset data = small_cases::labelled_set(shape, 3);
  const runs::Assignments settings = with({"training.epochs=3", "training.batch=20"});
  const Checkpoint whole = runs::straight(settings, data, 7, "conditional_rbm");
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {5, 3}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, "conditional_rbm"),
                            "sittings");
  const Threads threads(4);
  runs::expect_equal_runs(whole, runs::straight(settings, data, 7, "conditional_rbm"), "threads");
}

}  // namespace
}  // namespace deepgen::conditional_rbm_runs_test
