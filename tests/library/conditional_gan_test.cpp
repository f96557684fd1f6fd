// The adversarial network given labels: its equations, its gradients, and labels that reach both networks. Then
// runs of the one without labels (gan_test.cpp).
#include "deepgen/models/adversarial/conditional_gan.h"

#include "deepgen/models/adversarial/adversaries.h"
#include "deepgen/models/adversarial/gan.h"
#include "tests/library/runs.h"

namespace deepgen::conditional_gan_test {
namespace {

using namespace machines;
using namespace runs;

constexpr std::int64_t classes = 3, columns = 7;

std::vector<ColumnGroup> mixed_columns() {
  return {{ColumnKind::binary, 0, 2}, {ColumnKind::softmax, 2, 3}, {ColumnKind::gaussian, 5, 2}};
}

GanOptions small_options() {
  GanOptions options;
  options.noise = 4, options.generator = "6", options.generator_activation = "tanh";
  options.discriminator = "5", options.discriminator_activation = "tanh";
  return options;
}

std::shared_ptr<ConditionalGan> make_small(Rng& rng, const GanLearning& learning = {}) {
  auto gan = std::make_shared<ConditionalGan>(
      small_options(), learning, DataShape{columns, {columns}, classes, ValueKind::mixed, mixed_columns()});
  gan->initialise({bits_tensor(12, columns, rng), at::arange(12, at::kLong).remainder(classes)}, rng);
  randomise(*gan, 0.7, rng);
  return gan;
}

Tensor parameter(const ConditionalGan& gan, const std::string& name) {
  return gan.named_parameters()[name].detach();
}

Turn turn_of(int phase) { return {.stage = 0, .phase = phase, .repeat = 0, .step = 0, .steps = 10}; }

TEST(ConditionalGan, BothNetworksAreThoseOfTheirEquations) {
  Rng rng(1);
  const auto gan = make_small(rng);
  const Tensor label = at::eye(classes).index_select(0, at::arange(9, at::kLong).remainder(classes));
  const auto layer = [&](const Tensor& x, const std::string& name) {
    return at::addmm(parameter(*gan, name + ".bias"), x, parameter(*gan, name + ".weight"));
  };
  const Tensor z = normal_tensor({9, 4}, 1, rng);
  const Tensor a = layer(at::tanh(layer(at::cat({z, label}, 1), "generator.layer0")), "output");
  const Tensor x = at::cat({a.narrow(1, 0, 2).sigmoid(), a.narrow(1, 2, 3).softmax(1), a.narrow(1, 5, 2)}, 1);
  expect_near(doubles(gan->generate(z, label)), doubles(x), 1e-5, "cases");
  const Tensor logits =
      layer(at::tanh(layer(at::cat({x, label}, 1), "discriminator.layer0")), "discriminator.logit");
  expect_near(doubles(gan->logits(x, label)), doubles(logits), 1e-4, "logits");
}

TEST(ConditionalGan, GradientsAreThoseOfFiniteDifferences) {
  Rng rng(3);
  const auto gan = make_small(rng);
  const Rows batch(bits_tensor(12, columns, rng), at::arange(12, at::kLong).remainder(classes));
  for (const int phase : {0, 1}) {
    const auto cost = [&] {
      Rng own(9);
      return metric(gan->gradients(batch, turn_of(phase), own),
                    phase == 0 ? "discriminator_cost" : "generator_cost");
    };
    for (const auto& item : gan->named_parameters()) {
      if (item.key().starts_with("discriminator.") != (phase == 0)) continue;
      cost();
      const Doubles ours = doubles(item.value().grad());
      float* p = item.value().data_ptr<float>();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const float kept = p[i];
        p[i] = kept + 1e-3F;
        const double above = cost();
        p[i] = kept - 1e-3F;
        const double below = cost();
        p[i] = kept;
        const double slope = (above - below) / 2e-3;
        ASSERT_NEAR(ours[i], slope, 2e-3 + 1e-2 * std::abs(slope)) << item.key() << " [" << i << "]";
      }
    }
  }
}

// Dropout of the input leaves the label alone: with nearly all else left out it still tells the classes.
TEST(ConditionalGan, DropoutNeverLeavesOutTheLabel) {
  Rng rng(3);
  Discriminator network(columns + classes, {}, "tanh", 1);
  network.initialise(rng);
  const Tensor label = at::eye(classes), x = at::zeros({classes, columns});
  const Tensor known = network.forward(x, {}, false, label);
  for (int i = 0; i < 20; ++i)
    expect_bit_equal(network.forward(x, {0.9, 0, &rng}, false, label), known, "label");
}

TEST(ConditionalGan, EveryClassBeginsWithTheMeansOfAllRows) {
  Rng rng(3);
  ConditionalGan gan(small_options(), {}, {columns, {columns}, classes, ValueKind::mixed, mixed_columns()});
  const Tensor x = layer_rows(UnitLayer::of(mixed_columns()), 300, rng);
  gan.initialise({x, at::arange(300, at::kLong).remainder(classes)}, rng);
  const Tensor z = normal_tensor({5, 4}, 1, rng), labels = at::eye(classes);
  const auto given = [&](std::int64_t label) {
    return gan.generate(z, labels.narrow(0, label, 1).expand({5, classes}).contiguous());
  };
  for (const std::int64_t label : {1, 2}) expect_bit_equal(given(0), given(label), "class");
  NoGradGuard no_graph;
  for (auto& item : gan.named_parameters())
    if (item.key() == "output.weight") item.value().zero_();
  expect_near(doubles(given(1)[0]), doubles(x.mean(0)), 1e-5, "means");
}

TEST(ConditionalGan, RefusesWhatItCannotTake) {
  Rng rng(6);
  const auto gan = make_small(rng);
  expect_says(error_of(ErrorKind::data, [&] { ConditionalGan({}, {}, bits_shape(4)); }), {"labels", "gan"});
  const Tensor x = at::zeros({2, columns});
  expect_says(error_of(ErrorKind::data, [&] { gan->gradients(x, turn_of(0), rng); }), {"label"});
  expect_says(error_of(ErrorKind::data, [&] { gan->sample_given(at::full({2}, 3, at::kLong), rng); }),
              {"0 to 2", "3"});
  EXPECT_EQ(gan->sample_given(at::empty({0}, at::kLong), rng).sizes(), at::IntArrayRef({0, columns}));
}

}  // namespace
}  // namespace deepgen::conditional_gan_test

namespace deepgen::gan_runs_test {
namespace {

using namespace machines;
using namespace runs;

std::vector<ColumnGroup> mixed_columns() {
  return {{ColumnKind::binary, 0, 2},
          {ColumnKind::softmax, 2, 3},
          {ColumnKind::gaussian, 5, 1},
          {ColumnKind::mean_field, 6, 1}};
}

Dataset grey_set(std::int64_t rows, std::int64_t columns) {
  return dataset_of({{"train", random_bytes(rows, columns, 255, 3)}}, "none", "grey");
}

const Assignments small = {"model.noise=5",         "model.generator=20",
                           "model.discriminator=9", "training.epochs=3",
                           "training.batch=20",     "training.discriminator_updates=2",
                           "training.average=0.9",  "training.hidden_dropout=0.3"};

TEST(GanRuns, AreTheSameInSittings) {
  const Dataset data = grey_set(70, 10);
  const Checkpoint whole = straight(small, data, 7, "gan");
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5}})
    expect_equal_runs(whole, in_sittings(small, data, stops, 7, "gan"), "in sittings");
}

// Numbers of every kind beside categories, labels among them.
Dataset table_set(std::int64_t rows, const std::vector<ColumnGroup>& groups) {
  Dataset data;
  data.spec = data.name = "memory", data.binarize = "none";
  data.groups = groups, data.values = ValueKind::mixed, data.classes = 3;
  data.shape = {groups.back().first + groups.back().size};
  Rng rng(5);
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = layer_rows(UnitLayer::of(groups), rows, rng);
  data.train.y = at::arange(rows, at::kLong).remainder(3);
  return data;
}

TEST(GanRuns, OfTablesAreTheSameInSittingsAndOnAnyNumberOfThreads) {
  const Dataset few = table_set(70, mixed_columns());
  const std::vector<ColumnGroup> wide = {
      {ColumnKind::binary, 0, 60}, {ColumnKind::softmax, 60, 200}, {ColumnKind::gaussian, 260, 41}};
  const Dataset many = table_set(300, wide);
  const Assignments settings = {"model.generator=200", "model.discriminator=101", "training.epochs=2",
                                "training.batch=150"};
  for (const std::string model : {"gan", "conditional_gan"}) {
    expect_equal_runs(straight(small, few, 7, model), in_sittings(small, few, {3, 2, 5}, 7, model),
                      model + " in sittings");
    Checkpoint one;
    for (const int count : {1, 4}) {
      const Threads threads(count);
      const Checkpoint now = straight(settings, many, 7, model);
      if (count == 1) one = now;
      expect_equal_runs(one, now, model + " on threads");
    }
  }
}

TEST(GanRuns, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = grey_set(300, 301);
  const Assignments settings = {"model.generator=400,403", "model.discriminator=101", "training.epochs=2",
                                "training.batch=150", "training.input_dropout=0.2"};
  Checkpoint one, four;
  {
    const Threads threads(1);
    one = straight(settings, data, 7, "gan");
  }
  {
    const Threads threads(4);
    four = straight(settings, data, 7, "gan");
  }
  expect_equal_runs(one, four, "threads");
}

// One number for each player's cost in a line of the curve, the generator's that of the option: the minimax
// one is the mean of a logarithm of a probability, the other one the negative of such a mean.
TEST(GanRuns, TheCurveShowsEachCostOnceAndThatOfTheOption) {
  const Dataset data = grey_set(70, 10);
  for (const std::string kind : {"minimax", "non_saturating"}) {
    Assignments settings = small;
    settings.push_back("training.generator_cost=" + kind);
    const auto trainer = trainer_for(settings, data, 7, "gan");
    StopAfter never;
    trainer->run(never);
    ASSERT_EQ(never.curve.size(), 3U);
    for (const Metrics& line : never.curve) {
      std::map<std::string, int> times;
      for (const auto& [name, value] : line) ++times[name];
      for (const auto& [name, count] : times) EXPECT_EQ(count, 1) << name << " with " << kind;
      EXPECT_EQ(times["discriminator_cost"], 1) << kind;
      EXPECT_GT(metric(line, "discriminator_cost"), 0);
      EXPECT_GT(metric(line, "generator_cost") * (kind == "minimax" ? -1 : 1), 0) << kind;
    }
  }
}

TEST(GanRuns, TheAverageCoversTheGenerator) {
  const Dataset data = grey_set(70, 10);
  const Checkpoint run = straight(small, data, 7, "gan");
  for (const char* name : {"generator.layer0.weight", "output.bias", "discriminator.logit.weight"}) {
    const Tensor now = run.tensors.at(std::string("model.") + name);
    EXPECT_FALSE(at::equal(now, run.tensors.at(std::string("average.") + name))) << name;
  }
}

TEST(GanRuns, GoBackWhenTheNumbersGoWrong) {
  const Dataset data = grey_set(70, 10);
  Assignments wild = small;
  for (const char* each : {"training.optimiser=sgd", "training.rate=1000", "training.average=0"})
    wild.emplace_back(each);
  const auto trainer = trainer_for(wild, data, 7, "gan");
  StopAfter never;
  const TrainingResult result = trainer->run(never);
  EXPECT_GT(result.rollbacks, 0);
  for (const auto& [name, tensor] : trainer->checkpoint().tensors)
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
  wild.emplace_back("training.rollbacks=0");
  const auto strict = trainer_for(wild, data, 7, "gan");
  error_of(ErrorKind::numerical, [&] { strict->run(never); });
}

TEST(GanRuns, LearnsWhereTheDataAre) {
  // Two columns, of bytes near 200 and near 60.
  Rng rng(11);
  Array bytes = make_array(DType::u8, {600, 2});
  for (std::size_t i = 0; i < bytes.bytes.size(); ++i)
    bytes.bytes[i] = static_cast<std::uint8_t>((i % 2 == 0 ? 180 : 40) + rng.below(41));
  const Dataset data = dataset_of({{"train", bytes}}, "none", "grey");
  const auto trainer =
      trainer_for({"model.noise=2", "model.generator=16", "model.discriminator=16", "training.epochs=60",
                   "training.batch=50", "training.rate=0.001", "training.average=0.99"},
                  data, 7, "gan");
  StopAfter never;
  trainer->run(never);
  const fixtures::Folder folder;
  save_checkpoint(folder.path("model.safetensors"), trainer->checkpoint());
  const auto model = load_model(load_checkpoint(folder.path("model.safetensors")), "run");
  const Doubles mean = doubles(as<CanSample>(*model)->sample(2000, rng).mean(0));
  EXPECT_NEAR(mean[0], 200.0 / 255, 0.08);
  EXPECT_NEAR(mean[1], 60.0 / 255, 0.08);
}

}  // namespace
}  // namespace deepgen::gan_runs_test
