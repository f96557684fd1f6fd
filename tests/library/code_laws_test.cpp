// Laws that every model of the registry owes that learns by gradients and makes codes, and has neither a
// likelihood nor samples: a network, on all its small instances.
#include "deepgen/train/checkpoint.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::code_laws_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

std::vector<Instance> networks() {
  std::vector<Instance> all;
  for (const Instance& instance : small_cases::with<HasGradients, CanEncode>()) {
    const auto model = instance.make(columns, classes);
    const bool scored = as<HasFreeEnergy>(*model) || as<HasLogProb>(*model) || as<HasBound>(*model);
    const bool drawn = as<CanSample>(*model) || as<CanSampleGiven>(*model) || as<HasChain>(*model) ||
                       as<CanComplete>(*model) || as<CanContinue>(*model);
    if (!scored && !drawn && !as<IsConditional>(*model)) all.push_back(instance);
  }
  return all;
}

std::string title_of(const ::testing::TestParamInfo<Instance>& about) { return about.param.title(); }

class CodeLaws : public ::testing::TestWithParam<Instance> {
 protected:
  void SetUp() override {
    Rng rng(17);
    shape = GetParam().shape(columns, classes);
    model = GetParam().make(columns, classes);
    const Rows sample = small_cases::labelled_cells(shape, 60, rng);
    model->initialise(sample, rng);
    const int last = static_cast<int>(model->stages().size()) - 1;
    for (int s = 0; s <= last; ++s) model->begin_stage({.stage = s}, sample, rng);
    NoGradGuard no_graph;
    for (auto& item : model->named_parameters())
      item.value().add_(normal_tensor(item.value().sizes(), 0.3, rng));
    rows = small_cases::labelled_cells(shape, 50, rng);
  }
  // All that the model can say of rows.
  std::vector<Tensor> everything(const Rows& of) const {
    std::vector<Tensor> all = {as<CanEncode>(*model)->encode(of)};
    if (const auto* decoder = as<CanDecode>(*model)) all.push_back(decoder->decode(all[0]));
    if (const auto* classifier = as<CanClassify>(*model)) all.push_back(classifier->log_class_probs(of));
    return all;
  }

  DataShape shape;
  std::shared_ptr<Model> model;
  Rows rows;
};
INSTANTIATE_TEST_SUITE_P(Registry, CodeLaws, ::testing::ValuesIn(networks()), title_of);

TEST_P(CodeLaws, WhatIsSaidOfARowIsSaidOfTheRowAlone) {
  const std::vector<Tensor> together = everything(rows);
  for (const std::int64_t r : {0, 7, 49}) {
    const std::vector<Tensor> alone = everything(rows.narrow(r, 1));
    for (std::size_t i = 0; i < alone.size(); ++i)
      expect_near(doubles(alone[i]), doubles(together[i].narrow(0, r, 1)), 1e-4, "row " + std::to_string(r));
  }
}

TEST_P(CodeLaws, LabelsPlayNoPartAndNothingIsDrawn) {
  const std::vector<Tensor> first = everything(rows), again = everything(rows.x);
  for (std::size_t i = 0; i < first.size(); ++i) {
    expect_bit_equal(first[i], again[i], "without labels");
    EXPECT_FALSE(first[i].requires_grad());
    EXPECT_TRUE(first[i].isfinite().all().item<bool>());
  }
}

TEST_P(CodeLaws, ClassesHaveProbabilities) {
  const auto* classifier = as<CanClassify>(*model);
  if (!classifier) GTEST_SKIP() << "no classes";
  const Tensor logs = classifier->log_class_probs(rows);
  ASSERT_EQ(logs.scalar_type(), at::kDouble);
  ASSERT_EQ(logs.sizes(), at::IntArrayRef({rows.size(), classes}));
  expect_near(doubles(logs.exp().sum(1)), Doubles(size(rows.size()), 1.0), 1e-9, "sums");
}

TEST_P(CodeLaws, DecodedCellsAreMeansOfTheirKind) {
  const auto* decoder = as<CanDecode>(*model);
  if (!decoder) GTEST_SKIP() << "no decoder";
  const Tensor mean = decoder->decode(as<CanEncode>(*model)->encode(rows));
  ASSERT_EQ(mean.sizes(), rows.x.sizes());
  for (const ColumnGroup& group : shape.column_groups()) {
    const Tensor part = mean.narrow(1, group.first, group.size);
    if (group.kind != ColumnKind::gaussian) {
      EXPECT_TRUE(at::logical_and(part >= 0, part <= 1).all().item<bool>()) << group.first;
    }
    if (group.kind == ColumnKind::softmax)
      expect_near(doubles(part.sum(1)), Doubles(size(rows.size()), 1.0), 1e-5, "categories");
  }
}

TEST_P(CodeLaws, MissingCellsAreRefused) {
  model->check_data(rows.x, "rows");
  Tensor x = rows.x.clone();
  const ColumnGroup group = shape.column_groups().back();
  x[2].narrow(0, group.first, group.size).fill_(std::nanf(""));
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "rows", 10); }), {"row 12", "every cell"});
}

// ---------------------------------------------------------------- runs

class CodeRuns : public ::testing::TestWithParam<Instance> {
 protected:
  static runs::Assignments with(const runs::Assignments& more) {
    runs::Assignments settings = GetParam().small().settings;
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
  static const std::string& name() { return GetParam().model; }
  const Dataset data = small_cases::labelled_set(GetParam().shape(columns, classes), 3);
};
INSTANTIATE_TEST_SUITE_P(Registry, CodeRuns, ::testing::ValuesIn(networks()), title_of);

// The last sitting of the third begins within the last stage.
TEST_P(CodeRuns, AreTheSameInSittings) {
  const runs::Assignments settings = with({"training.epochs=5", "training.batch=20"});
  const Checkpoint whole = runs::straight(settings, data, 7, name());
  EXPECT_GE(whole.step, 8);
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5, 7}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, name()), "in sittings");
}

TEST_P(CodeRuns, DoNotDependOnTheNumberOfThreads) {
  const runs::Assignments settings = with({"training.epochs=5", "training.batch=35"});
  Checkpoint results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    results[count / 4] = runs::straight(settings, data, 7, name());
  }
  runs::expect_equal_runs(results[0], results[1], "threads");
}

TEST_P(CodeRuns, ComeBackFromTheirFile) {
  const auto trainer = runs::trainer_for(with({"training.epochs=4", "training.batch=20"}), data, 7, name());
  Observer silent;
  trainer->run(silent);
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, trainer->checkpoint());
  const auto loaded = load_model(load_checkpoint(path), path);
  std::map<std::string, Tensor> theirs;
  collect_tensors(*loaded, "model.", theirs);
  const Checkpoint ours = trainer->checkpoint();
  for (const auto& [key, tensor] : theirs) expect_bit_equal(tensor, ours.tensors.at(key), key);
  const Tensor code = as<CanEncode>(*loaded)->encode(data.valid.x);
  EXPECT_EQ(code.size(0), 9);
  EXPECT_TRUE(code.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace deepgen::code_laws_test
