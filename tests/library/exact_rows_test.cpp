// Laws that every model of the registry owes that computes its log-probability, on all its small cases,
// whatever their values are: rows on their own, equal seeds, known cells, any number of threads, whole runs.
#include "deepgen/core/observer.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::exact_rows_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

std::string title_of(const ::testing::TestParamInfo<Instance>& about) { return about.param.title(); }

class ExactRows : public ::testing::TestWithParam<Instance> {
 protected:
  void SetUp() override {
    Rng rng(17);
    shape = GetParam().shape(columns, classes);
    model = GetParam().make(columns, classes);
    model->initialise(small_cases::labelled_cells(shape, 60, rng), rng);
    {  // away from where parameters begin, and columns apart
      NoGradGuard no_graph;
      for (auto& item : model->named_parameters())
        item.value().add_(normal_tensor(item.value().sizes(), 0.3, rng));
    }
    rows = small_cases::labelled_cells(shape, 300, rng);
  }
  // Which cells are missing, a third of them; of one-hot groups all columns or none.
  Tensor gaps(std::uint64_t seed) const {
    Rng rng(seed);
    const Tensor missing = bits_tensor(rows.size(), shape.columns, rng, 1.0 / 3) > 0.5;
    for (const ColumnGroup& group : shape.column_groups())
      if (group.kind == ColumnKind::softmax)
        missing.narrow(1, group.first, group.size).copy_(missing.narrow(1, group.first, 1).clone());
    return missing;
  }
  // What is computed of rows and draws by everything that the model can do.
  std::vector<Tensor> everything() const {
    Rng rng(5);
    std::vector<Tensor> all = {as<HasLogProb>(*model)->log_prob(rows)};
    const Tensor holes = rows.x.masked_fill(gaps(3), std::nanf(""));
    if (const auto* direct = as<CanSample>(*model)) all.push_back(direct->sample(200, rng));
    if (const auto* given = as<CanSampleGiven>(*model)) all.push_back(given->sample_given(rows.y, rng));
    if (const auto* completes = as<CanComplete>(*model)) all.push_back(completes->complete(holes, rng));
    if (const auto* chain = as<HasChain>(*model)) {
      all.push_back(chain->chain_steps(rows.x, 2, rng));
      all.push_back(chain->chain_mean(rows.x, rng));
    }
    if (const auto* clamp = as<CanClamp>(*model))
      all.push_back(clamp->clamped_steps(rows.x, 2, gaps(3).logical_not(), rng));
    if (const auto* encoder = as<CanEncode>(*model)) all.push_back(encoder->encode(rows));
    if (const auto* classifier = as<CanClassify>(*model)) all.push_back(classifier->log_class_probs(rows));
    if (const auto* ordered = as<HasOrders>(*model)) all.push_back(ordered->log_prob_under(rows, 1));
    return all;
  }

  DataShape shape;
  std::shared_ptr<Model> model;
  Rows rows;
};

INSTANTIATE_TEST_SUITE_P(Registry, ExactRows, ::testing::ValuesIn(small_cases::with<HasLogProb>()), title_of);

TEST_P(ExactRows, LogProbOfARowIsThatOfTheRowAlone) {
  const auto* exact = as<HasLogProb>(*model);
  const Tensor before = rows.x.clone(), all = exact->log_prob(rows);
  ASSERT_EQ(all.scalar_type(), at::kDouble);
  ASSERT_EQ(all.sizes(), at::IntArrayRef({rows.size()}));
  EXPECT_TRUE(all.isfinite().all().item<bool>());
  for (const std::int64_t r : {0, 1, 37, 299}) {
    const double alone = exact->log_prob(rows.narrow(r, 1)).item<double>();
    EXPECT_NEAR(all[r].item<double>(), alone, 1e-5 * std::max(1.0, std::abs(alone))) << "row " << r;
  }
  expect_bit_equal(rows.x, before, "the argument");
}

// Nothing but the seed decides, and what is drawn are values that the model takes.
TEST_P(ExactRows, EqualSeedsGiveEqualDrawsOfTheModelsValues) {
  const std::vector<Tensor> one = everything(), again = everything();
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], again[i], std::to_string(i));
  Rng rng(5);
  if (const auto* direct = as<CanSample>(*model)) {
    const Tensor first = direct->sample(200, rng);
    ASSERT_EQ(first.sizes(), at::IntArrayRef({200, shape.columns}));
    model->check_data(first, "samples");
    EXPECT_FALSE(at::equal(first, direct->sample(200, rng))) << "the generator stood still";
  }
}

TEST_P(ExactRows, KnownCellsComeBackBitForBit) {
  const Tensor missing = gaps(11), known = missing.logical_not();
  Rng rng(11);
  if (const auto* completes = as<CanComplete>(*model)) {
    const Tensor x = rows.x.masked_fill(missing, std::nanf("")), done = completes->complete({x, rows.y}, rng);
    expect_bit_equal(done.masked_select(known), rows.x.masked_select(known), "known cells");
    model->check_data(done, "completed");
    EXPECT_FALSE(done.isnan().any().item<bool>());
    expect_bit_equal(completes->complete(rows, rng), rows.x, "nothing missing");
  }
  if (const auto* clamp = as<CanClamp>(*model)) {
    const Tensor end = clamp->clamped_steps(rows.x, 3, known, rng);
    expect_bit_equal(end.masked_select(known), rows.x.masked_select(known), "clamped cells");
    model->check_data(end, "clamped");
    expect_bit_equal(clamp->clamped_steps(rows.x, 0, known, rng), rows.x, "no step");
  }
}

TEST_P(ExactRows, TheTasksTakeTheDirectRoute) {
  Rng rng(13);
  Observer silent;
  if (as<CanSample>(*model)) {
    SamplingPlan plan;
    plan.count = 30, plan.rows = 2;
    EXPECT_EQ(sample_model(*model, plan, rng, silent).sizes(), at::IntArrayRef({60, shape.columns}));
  }
  const Tensor holes = rows.x.masked_fill(gaps(3), std::nanf(""));
  if (as<CanComplete>(*model) || as<CanClamp>(*model)) {
    const Tensor done = complete_rows(*model, {holes, rows.y}, 10, rng, silent, shape.groups);
    EXPECT_FALSE(done.isnan().any().item<bool>());
  }
}

TEST_P(ExactRows, CodesAndClassesHaveTheirShape) {
  if (const auto* encoder = as<CanEncode>(*model)) {
    const Tensor code = encoder->encode(rows);
    ASSERT_EQ(code.dim(), 2);
    ASSERT_EQ(code.size(0), rows.size());
    EXPECT_TRUE(code.isfinite().all().item<bool>());
  }
  if (const auto* classifier = as<CanClassify>(*model)) {
    const Tensor logs = classifier->log_class_probs(rows);
    ASSERT_EQ(logs.scalar_type(), at::kDouble);
    ASSERT_EQ(logs.sizes(), at::IntArrayRef({rows.size(), classifier->classes()}));
    EXPECT_EQ(classifier->classes(), classes);
    expect_near(doubles(logs.exp().sum(1)), Doubles(size(rows.size()), 1.0), 1e-9, "a row's probabilities");
    expect_bit_equal(classifier->log_class_probs(rows.x), logs, "whatever the labels say");
  }
}

TEST_P(ExactRows, CodesOfRowsWithGapsAreMadeOrRefused) {
  const auto* encoder = as<CanEncode>(*model);
  if (!encoder) return;
  Observer silent;
  Split split;
  split.name = "holed", split.x = rows.x.masked_fill(gaps(3), std::nanf("")), split.y = rows.y;
  if (!encoder->encodes_gaps()) {
    error_of(ErrorKind::data, [&] { encode_rows(*model, split, Rng(1), silent); });
    return;
  }
  const Tensor code = encode_rows(*model, split, Rng(1), silent);
  ASSERT_EQ(code.sizes(), encoder->encode(rows).sizes());
  EXPECT_TRUE(code.isfinite().all().item<bool>());
  EXPECT_FALSE(at::equal(code, encoder->encode(rows))) << "what is known makes no difference";
}

TEST_P(ExactRows, NumbersDoNotDependOnTheNumberOfThreads) {
  Rng rng(23);
  rows = small_cases::labelled_cells(shape, 3500, rng);  // so many that torch would share them out too
  std::vector<Tensor> one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    const std::vector<Tensor> all = everything();
    if (count == 1) one = all;
    for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], all[i], std::to_string(i));
  }
}

// What is trained by this name comes back from its file with the same bits, also when it was stopped within
// an epoch.
class ExactRuns : public ::testing::TestWithParam<Instance> {
 protected:
  static runs::Assignments with(runs::Assignments settings) {
    const std::vector<std::string>& own = GetParam().small().settings;
    settings.insert(settings.end(), own.begin(), own.end());
    return settings;
  }
  static const std::string& name() { return GetParam().model; }
  const Dataset data = small_cases::labelled_set(GetParam().shape(columns, classes), 3);
};

INSTANTIATE_TEST_SUITE_P(Registry, ExactRuns, ::testing::ValuesIn(small_cases::with<HasLogProb>()), title_of);

TEST_P(ExactRuns, AreTheSameInSittings) {
  const runs::Assignments settings = with({"training.epochs=4", "training.batch=20"});
  const Checkpoint whole = runs::straight(settings, data, 7, name());
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, name()), "in sittings");
}

TEST_P(ExactRuns, ComeBackFromTheirFile) {
  const auto trainer = runs::trainer_for(with({"training.epochs=2", "training.batch=20"}), data, 7, name());
  Observer silent;
  trainer->run(silent);
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, trainer->checkpoint());
  const auto loaded = load_model(load_checkpoint(path), path);
  const auto again = load_model(load_checkpoint(path), path);
  const Tensor log_prob = as<HasLogProb>(*loaded)->log_prob(data.train.x);
  expect_bit_equal(log_prob, as<HasLogProb>(*again)->log_prob(data.train.x), "loaded twice");
  std::map<std::string, Tensor> theirs;
  collect_tensors(*loaded, "model.", theirs);
  const Checkpoint ours = trainer->checkpoint();
  for (const auto& [key, tensor] : theirs) {  // where weights are averaged, the averages
    const auto average = ours.tensors.find("average." + key.substr(std::string("model.").size()));
    expect_bit_equal(tensor, average == ours.tensors.end() ? ours.tensors.at(key) : average->second, key);
  }
}

TEST_P(ExactRuns, DoNotDependOnTheNumberOfThreads) {
  const runs::Assignments settings = with({"training.epochs=3", "training.batch=35"});
  Checkpoint one, four;
  {
    const Threads threads(1);
    one = runs::straight(settings, data, 7, name());
  }
  {
    const Threads threads(4);
    four = runs::straight(settings, data, 7, name());
  }
  runs::expect_equal_runs(one, four, "threads");
}

}  // namespace
}  // namespace deepgen::exact_rows_test
