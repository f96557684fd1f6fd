// An epoch: what its line in the learning curve says of its turns, and which rows its batches have.
#include <set>

#include "deepgen/train/check_split.h"
#include "deepgen/train/epoch_metrics.h"
#include "tests/library/runs.h"

namespace deepgen::epoch_test {
namespace {

using namespace machines;
using namespace runs;

// One phase, or two that report the same name; numbers that say when they were made.
class Reporter : public Model, public HasGradients {
 public:
  explicit Reporter(bool two_phases) : two(two_phases) { p = register_parameter("p", at::ones({3}), false); }
  std::vector<Stage> stages() override {
    if (!two) return {{"only", 1, {{"main", {p}}}}};
    return {{"only", 1, {{"discriminator", {p}, 2}, {"generator", {p}}}}};
  }
  Metrics gradients(const Rows&, const Turn& turn, Rng&) override {
    p.mutable_grad().zero_();
    const double at = real(turn.step);
    if (turn.step == fails_at) {
      fails_at = -1;
      return {{"cost", std::nan("")}};
    }
    if (turn.phase == 1) return {{"cost", -at}};
    return {{"cost", 10 * at + turn.repeat}, {"accuracy", at}};
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor p;
  bool two;
  std::int64_t fails_at = -1;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

std::vector<std::string> names_of(const Metrics& line) {
  std::vector<std::string> names;
  for (const auto& [name, value] : line) names.push_back(name);
  return names;
}

// 4 steps an epoch, the first of the second epoch being step 4.
TEST(EpochLine, KeepsTheNumbersOfEveryPhase) {
  const Dataset data = random_bits(13, 4);
  Trainer trainer(std::make_shared<Reporter>(true), data,
                  settings_of({"training.batch=4", "training.epochs=2"}), 3);
  StopAfter never;
  trainer.run(never);
  ASSERT_EQ(never.curve.size(), 2U);
  EXPECT_EQ(names_of(never.curve[0]),
            (std::vector<std::string>{"stage", "epoch", "step", "seconds", "rate", "discriminator.cost",
                                      "accuracy", "generator.cost"}));
  for (const int epoch : {0, 1}) {
    const double mean = 1.5 + 4 * epoch;  // of the steps
    EXPECT_NEAR(metric(never.curve[size(epoch)], "discriminator.cost"), 10 * mean + 0.5, 1e-12);
    EXPECT_NEAR(metric(never.curve[size(epoch)], "generator.cost"), -mean, 1e-12);
    EXPECT_NEAR(metric(never.curve[size(epoch)], "accuracy"), mean, 1e-12);
  }
}

TEST(EpochLine, OfASinglePhaseKeepsItsNames) {
  const Dataset data = random_bits(13, 4);
  Trainer trainer(std::make_shared<Reporter>(false), data,
                  settings_of({"training.batch=4", "training.epochs=1"}), 3);
  StopAfter never;
  trainer.run(never);
  EXPECT_NEAR(metric(never.curve[0], "cost"), 15, 1e-12) << "the mean over the epoch, not the last batch";
}

// 300 steps; the good state that training returns to was made after 200: no update counts twice.
TEST(EpochLine, LeavesOutWhatWasUndone) {
  const Dataset data = random_bits(300, 4);
  const auto model = std::make_shared<Reporter>(false);
  model->fails_at = 250;
  Trainer trainer(model, data, settings_of({"training.batch=1", "training.epochs=1"}), 3);
  StopAfter never;
  trainer.run(never);
  ASSERT_EQ(trainer.rollbacks().size(), 1U);
  EXPECT_EQ(trainer.rollbacks()[0].at("to_step"), 200);
  EXPECT_NEAR(metric(never.curve[0], "accuracy"), 149.5, 1e-9);
}

TEST(EpochMetrics, ComeBackFromTheirTextToTheBit) {
  EpochMetrics metrics;
  Rng rng(4);
  for (int i = 0; i < 7; ++i) {
    metrics.add(0, {{"a", rng.normal()}, {"b", 1e300 * rng.normal()}});
    metrics.add(2, {{"a", 1e-300 * rng.uniform()}});
  }
  EpochMetrics again = EpochMetrics::from_json(nlohmann::ordered_json::parse(metrics.to_json().dump()));
  const std::vector<Phase> phases = {{"x", {}}, {"y", {}}, {"z", {}}};
  EXPECT_EQ(again.line(phases), metrics.line(phases));
  for (EpochMetrics* each : {&metrics, &again}) each->add(0, {{"b", 3}, {"a", 2}, {"c", 1}});
  EXPECT_EQ(again.line(phases), metrics.line(phases));
  EXPECT_EQ(names_of(again.line(phases)), (std::vector<std::string>{"x.a", "b", "c", "z.a"}));
}

// ---------------------------------------------------------------- rows

// Writes down its batches; conditional on the label, with a distribution of it or not, or neither.
class Reader : public Model, public HasGradients {
 public:
  Reader() { p = register_parameter("p", at::ones({3}), false); }
  Metrics gradients(const Rows& batch, const Turn&, Rng&) override {
    batches.push_back(batch);
    p.mutable_grad().zero_();
    return {};
  }
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const override {
    for (std::int64_t r = 0; r < x.size(0); ++r)
      if (x[r][0].item<float>() > limit) fail_data("reader", what + " row " + std::to_string(first_row + r));
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  Tensor p;
  float limit = 2;
  std::vector<Rows> batches;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

class ConditionalReader : public Reader, public IsConditional {
 public:
  explicit ConditionalReader(bool knows) : knows_labels(knows) {}
  std::int64_t condition_classes() const override { return 3; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return knows_labels; }

 private:
  bool knows_labels;
};

// Row r holds the bits of r.
Dataset numbered_rows() {
  Array bits = make_array(DType::u8, {13, 4});
  for (std::size_t r = 0; r < 13; ++r)
    for (std::size_t i = 0; i < 4; ++i) bits.bytes[4 * r + i] = static_cast<std::uint8_t>(r >> i & 1U);
  return dataset_of({{"train", bits}});
}

TEST(PartlyLabelledRows, TrainEveryModelThatCanDoWithoutTheLabel) {
  Dataset data = numbered_rows();
  data.classes = 3;
  data.train.y = at::arange(13, at::kLong).remainder(4) - 1;  // -1, 0, 1, 2, -1, ...
  for (const auto& model :
       {std::make_shared<Reader>(), std::shared_ptr<Reader>(std::make_shared<ConditionalReader>(true))}) {
    Trainer trainer(model, data, settings_of({"training.batch=4", "training.epochs=1"}), 3);
    StopAfter never;
    trainer.run(never);
    std::int64_t unknown = 0;
    for (const Rows& batch : model->batches) {
      const std::vector<std::int64_t> numbers = state_numbers(batch.x);
      for (std::size_t r = 0; r < numbers.size(); ++r) {
        const auto label = batch.y[static_cast<std::int64_t>(r)].item<std::int64_t>();
        EXPECT_EQ(label, numbers[r] % 4 - 1);
        unknown += label < 0;
      }
    }
    EXPECT_EQ(unknown, 4);
  }
}

TEST(PartlyLabelledRows, AreRefusedByAModelThatNeedsTheLabel) {
  Dataset data = numbered_rows();
  data.classes = 3;
  const auto make = [&] {
    Trainer(std::make_shared<ConditionalReader>(false), data, settings_of({"training.batch=4"}), 3);
  };
  expect_says(error_of(ErrorKind::data, make), {"train", "13 of 13", "leave"});
  data.train.y = at::zeros({13}, at::kLong);
  make();
  data.train.y[5] = -1;
  expect_says(error_of(ErrorKind::data, make), {"train", "1 of 13", "leave"});
  data.train.y[5] = 1;
  data.valid = data.train;
  data.valid.name = "valid";
  data.valid.y = at::full({13}, -1, at::kLong);
  expect_says(error_of(ErrorKind::data, make), {"valid", "13 of 13"});
}

// Five sequences, two to a batch: three steps an epoch, in each of which every row comes once, beside its
// neighbours.
TEST(SequenceBatches, AreOfCases) {
  Dataset data = numbered_rows();
  data.train.starts = at::tensor({0, 2, 3, 7, 11}, at::kLong);
  const auto model = std::make_shared<Reader>();
  Trainer trainer(model, data, settings_of({"training.batch=2", "training.epochs=4"}), 3);
  StopAfter never;
  EXPECT_EQ(trainer.run(never).steps, 12);
  ASSERT_EQ(model->batches.size(), 12U);
  const std::map<std::int64_t, std::int64_t> length_from = {{0, 2}, {2, 1}, {3, 4}, {7, 4}, {11, 2}};
  std::set<std::vector<std::int64_t>> orders;
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    std::vector<std::int64_t> seen;
    for (std::size_t b = 0; b < 3; ++b) {
      const Rows& batch = model->batches[3 * epoch + b];
      ASSERT_EQ(batch.cases(), b < 2 ? 2 : 1);
      const std::vector<std::int64_t> numbers = state_numbers(batch.x);
      for (std::int64_t c = 0; c < batch.cases(); ++c) {
        const auto first = batch.starts[c].item<std::int64_t>();
        const auto last = c + 1 < batch.cases() ? batch.starts[c + 1].item<std::int64_t>() : batch.size();
        const std::int64_t from = numbers[size(first)];
        ASSERT_TRUE(length_from.contains(from)) << from;
        EXPECT_EQ(last - first, length_from.at(from));
        for (std::int64_t r = first; r < last; ++r) EXPECT_EQ(numbers[size(r)], from + r - first);
        seen.push_back(from);
      }
    }
    orders.insert(seen);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2, 3, 7, 11}));
  }
  EXPECT_GT(orders.size(), 1U) << "each epoch has an order of its own";
}

TEST(CheckSplit, NamesTheRowAndThePart) {
  Array bits = make_array(DType::u8, {25000, 2});
  bits.bytes[2 * 20001] = 1;
  const Dataset data = dataset_of({{"train", bits}});
  Reader reader;
  check_split(reader, data.train, "set train");
  reader.limit = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { check_split(reader, data.train, "set train"); }),
              {"set train", "row 20001"});
  check_split(reader, data.train, "set train", [](const Tensor& x) { return at::zeros_like(x); });
  Split sequences = data.train;
  sequences.starts = at::arange(0, 25000, 5, at::kLong);
  expect_says(error_of(ErrorKind::data, [&] { check_split(reader, sequences, "set train"); }), {"row 20001"});
}

class Inert : public Model {
 public:
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

TEST(Training, RefusesAModelThatLearnsNothing) {
  const Dataset data = random_bits(13, 4);
  expect_says(
      error_of(ErrorKind::usage, [&] { Trainer(std::make_shared<Inert>(), data, settings_of({}), 3); }),
      {"gradients", "nothing to train"});
}

}  // namespace
}  // namespace deepgen::epoch_test
