// The classifier made of a deep Boltzmann machine: its network at the start against the mean field, the
// gradient of fine-tuning against finite differences in double precision, its stages, and what it learns.
// (The machine itself: dbm_test.cpp, dbm_training_test.cpp, and the laws of the registry.)
#include "deepgen/models/boltzmann/dbm_classifier.h"

#include "tests/library/runs.h"
#include "tests/library/small_dbms.h"

namespace deepgen::dbm_classifier_test {
namespace {

using namespace machines;

constexpr std::int64_t columns = 5, classes = 3;

std::shared_ptr<DbmClassifier> classifier(const std::string& hidden, double scale,
                                          DbmClassifierLearning learning = {}, std::int64_t steps = 500,
                                          double tolerance = 0) {
  DbmOptions options;
  options.hidden = hidden, options.mean_field_steps = steps, options.tolerance = tolerance;
  learning.chains = 20;
  const auto model = std::make_shared<DbmClassifier>(options, learning, bits_shape(columns, classes));
  Rng rng(5);
  model->initialise({bits_tensor(30, columns, rng, 0.4), at::arange(30, at::kLong).remainder(classes)}, rng);
  randomise(*model, scale, rng);
  return model;
}

Rows some_rows(std::int64_t count, std::uint64_t seed, bool gaps = false) {
  Rng rng(seed);
  Tensor y = at::arange(count, at::kLong).remainder(classes);
  if (gaps) y.masked_fill_(at::arange(count, at::kLong).remainder(4) == 3, -1);
  return {bits_tensor(count, columns, rng, 0.4), y};
}

Turn fine_tuning(DbmClassifier& model) {
  Turn turn;
  turn.stage = static_cast<int>(model.stages().size()) - 1;
  return turn;
}

std::vector<Tensor> network_of(DbmClassifier& model) { return model.stages().back().phases[0].parameters; }

// ---------------------------------------------------------------- the network

// Where the mean field has come to rest, each layer of the network is what it inferred.
TEST(DbmClassifier, BeginsAsTheMeanFieldOfItsMachine) {
  for (const std::string hidden : {"4,3", "3,2,4"}) {
    const auto model = classifier(hidden, 0.5);
    Rng rng(7);
    model->begin_stage(fine_tuning(*model), {}, rng);
    const Tensor x = all_states(columns);
    expect_near(doubles(model->last_hidden(x)), doubles(model->machine().mean_field(x).means.back()), 5e-6,
                hidden);
    expect_near(doubles(model->log_class_probs(x)), Doubles(size(x.size(0) * classes), -std::log(3.0)), 1e-6,
                "no class is preferred");
  }
}

// log p(y | x) of the network in double precision, given the means of the mean field: [B, classes].
Tensor plain_log_probs(const std::vector<Tensor>& network, const Tensor& x, const DbmLayers& q) {
  Tensor h = x.to(at::kDouble);
  const std::size_t layers = network.size() / 2 - 1;
  for (std::size_t l = 1; l <= layers; ++l) {
    if (l < layers) h = at::cat({h, q[l + 1].to(at::kDouble)}, 1);
    h = (h.mm(network[2 * l - 2]) + network[2 * l - 1]).sigmoid();
  }
  return at::log_softmax(h.mm(network[2 * layers]) + network[2 * layers + 1], 1);
}

std::vector<Tensor> in_double(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> all;
  for (const Tensor& each : parameters) all.push_back(each.detach().to(at::kDouble).clone());
  return all;
}

TEST(DbmClassifier, ClassesAreThoseOfTheNetworkOfCellsAndMeans) {
  for (const std::string hidden : {"4,3", "3,2,4"}) {
    const auto model = classifier(hidden, 0.8, {}, 7, 1e-3);
    const Tensor x = all_states(columns), ours = model->log_class_probs(x);
    ASSERT_EQ(ours.scalar_type(), at::kDouble);
    ASSERT_EQ(ours.sizes(), at::IntArrayRef({x.size(0), classes}));
    const DbmLayers q = model->machine().mean_field(x).means;
    expect_near(doubles(ours), doubles(plain_log_probs(in_double(network_of(*model)), x, q)), 5e-6, hidden);
    const Tensor y = at::zeros({x.size(0)}, at::kLong);
    expect_bit_equal(model->log_class_probs({x, y}), ours, "labels of the rows play no part");
  }
}

TEST(DbmClassifier, GradientOfFineTuningEqualsFiniteDifferences) {
  for (const std::string hidden : {"4,3", "3,2,4"}) {
    SCOPED_TRACE(hidden);
    const auto model = classifier(hidden, 0.8);
    const Rows rows = some_rows(20, 11, true);
    Rng rng(13);
    model->gradients(rows, fine_tuning(*model), rng);
    const std::vector<Tensor> ours = network_of(*model);
    std::vector<Tensor> twin = in_double(ours);
    const Tensor known = (rows.y >= 0).nonzero().squeeze(1), x = rows.x.index_select(0, known),
                 y = rows.y.index_select(0, known).unsqueeze(1);
    const DbmLayers q = model->machine().mean_field(x).means;
    const auto loss = [&] { return -plain_log_probs(twin, x, q).gather(1, y).mean().item<double>(); };
    constexpr double step = 1e-5;
    for (std::size_t i = 0; i < twin.size(); ++i) {
      const Doubles gradient = doubles(ours[i].grad());
      double* numbers = twin[i].data_ptr<double>();
      for (std::size_t j = 0; j < gradient.size(); ++j) {
        const double before = numbers[j];
        numbers[j] = before + step;
        const double above = loss();
        numbers[j] = before - step;
        const double below = loss();
        numbers[j] = before;
        ASSERT_NEAR(gradient[j], (above - below) / (2 * step), 5e-6) << "parameter " << i << " [" << j << "]";
      }
    }
  }
}

TEST(DbmClassifier, RowsWithoutALabelTeachTheNetworkNothing) {
  const auto model = classifier("4,3", 0.8);
  const Rows rows = some_rows(12, 17);
  Rng rng(19);
  model->gradients(rows, fine_tuning(*model), rng);
  for (const Rows& unknown : {Rows(rows.x, at::full({12}, -1, at::kLong)), Rows(rows.x, Tensor())}) {
    model->gradients(unknown, fine_tuning(*model), rng);
    for (const Tensor& each : network_of(*model)) EXPECT_EQ(each.grad().abs().max().item<float>(), 0);
  }
  expect_says(error_of(ErrorKind::data, [&] { model->initialise(rows.x, rng); }), {"label", "use dbm"});
  const Tensor wrong = at::full({12}, classes, at::kLong);
  error_of(ErrorKind::data, [&] { model->initialise({rows.x, wrong}, rng); });
}

TEST(DbmClassifier, DropoutLeavesUnitsOutInFineTuningAlone) {
  DbmClassifierLearning learning;
  learning.input_dropout = 0.2, learning.hidden_dropout = 0.5;
  const auto model = classifier("4,3", 0.8, learning), plain = classifier("4,3", 0.8);
  const Rows rows = some_rows(12, 23);
  expect_bit_equal(model->log_class_probs(rows), plain->log_class_probs(rows), "classes");
  Rng a(29), b(29);
  const auto gradient = [&](DbmClassifier& of, Rng& rng) {
    of.gradients(rows, fine_tuning(of), rng);
    return network_of(of).front().grad().clone();
  };
  const Tensor first = gradient(*model, a), second = gradient(*model, a);
  EXPECT_FALSE(at::equal(first, second));
  expect_bit_equal(gradient(*model, b), first, "equal seeds");
  expect_bit_equal(gradient(*plain, a), gradient(*plain, b), "nothing is drawn");
}

TEST(DbmClassifier, NumbersDoNotDependOnTheNumberOfThreads) {
  DbmOptions options;
  options.hidden = "300,200", options.mean_field_steps = 6;
  DbmClassifierLearning learning;
  learning.hidden_dropout = 0.3;
  const auto everything = [&](int count) {
    const Threads threads(count);
    DbmClassifier model(options, learning, bits_shape(400, classes));
    Rng rng(31);
    const Rows rows(bits_tensor(200, 400, rng, 0.2), at::arange(200, at::kLong).remainder(classes));
    model.initialise(rows, rng);
    randomise(model, 0.1, rng);
    model.gradients(rows, fine_tuning(model), rng);
    std::vector<Tensor> all = {model.log_class_probs(rows)};
    for (const Tensor& each : network_of(model)) all.push_back(each.grad());
    return all;
  };
  const std::vector<Tensor> one = everything(1), four = everything(4);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], std::to_string(i));
}

// ---------------------------------------------------------------- stages

std::vector<std::string> stage_names(DbmClassifier& model) {
  std::vector<std::string> names;
  for (const Stage& stage : model.stages()) names.push_back(stage.name);
  return names;
}

TEST(DbmClassifier, HasTheStagesOfItsMachineAndOneMore) {
  using Names = std::vector<std::string>;
  DbmClassifierLearning pretrained, alone;
  pretrained.pretrain = true, alone.train_machine = false;
  EXPECT_EQ(stage_names(*classifier("4,3", 0)), (Names{"machine", "fine_tune"}));
  EXPECT_EQ(stage_names(*classifier("4,3", 0, pretrained)),
            (Names{"machine1", "machine2", "joint", "fine_tune"}));
  EXPECT_EQ(stage_names(*classifier("4,3", 0, alone)), Names{"fine_tune"});
  EXPECT_TRUE(classifier("4,3", 0)->judged_by_classes());
}

// Adam undoes centring, which the machine has and fine-tuning has not.
TEST(DbmClassifier, RefusesOptimisersOfTheStagesOfItsMachineAlone) {
  DbmClassifierLearning pretrained, alone;
  pretrained.pretrain = true, alone.train_machine = false;
  ASSERT_TRUE(pretrained.centring) << "the case shows nothing";
  const auto model = classifier("4,3", 0, pretrained);
  for (const int stage : {0, 1, 2})
    expect_says(error_of(ErrorKind::usage, [&] { model->check_optimiser("adam", stage); }), {"centring"});
  EXPECT_NO_THROW(model->check_optimiser("adam", 3));
  EXPECT_NO_THROW(classifier("4,3", 0, alone)->check_optimiser("adam", 0));
}

TEST(DbmClassifier, FineTuningBeginsFromTheMachineAndLeavesIt) {
  const auto model = classifier("4,3", 0.7);
  Rng rng(37);
  const Turn turn = fine_tuning(*model);
  model->begin_stage(turn, {}, rng);
  const Tensor below = model->machine().weights[0], above = model->machine().weights[1];
  const DenseLayer& first = *model->layers()[0];
  expect_bit_equal(first.weight, at::cat({below, above.t()}, 0), "the first layer");
  expect_bit_equal(model->layers()[1]->weight, above, "the second layer");
  EXPECT_EQ(model->output().weight.abs().max().item<float>(), 0);
  std::vector<Tensor> before;
  for (const Tensor& each : model->machine().parameters()) before.push_back(each.clone());
  for (int step = 0; step < 3; ++step) {
    model->gradients(some_rows(20, 41), turn, rng);
    NoGradGuard no_graph;
    for (Tensor each : network_of(*model)) each.sub_(each.grad(), 0.5);
    model->project(turn);
  }
  const std::vector<Tensor> after = model->machine().parameters();
  for (std::size_t i = 0; i < before.size(); ++i) expect_bit_equal(after[i], before[i], "the machine");
  EXPECT_FALSE(at::equal(first.weight, at::cat({below, above.t()}, 0)));
}

Dataset labelled_bits() {
  Dataset data = runs::random_bits(60, columns);
  data.classes = classes;
  for (Split* split : {&data.train, &data.valid})
    split->y = at::arange(split->rows(), at::kLong).remainder(classes);
  return data;
}

// Stopped in every stage, and between them.
TEST(DbmClassifier, RunsAreTheSameInSittings) {
  const Dataset data = labelled_bits();
  const runs::Assignments settings = {"model.hidden=4,3",
                                      "model.weight_scale=0.3",
                                      "training.pretrain=true",
                                      "training.pretrain_share=0.5",
                                      "training.hidden_dropout=0.3",
                                      "training.epochs=6",
                                      "training.batch=20",
                                      "training.chains=20",
                                      "training.average=0.9"};
  const Checkpoint whole = runs::straight(settings, data, 7, "dbm_classifier");
  EXPECT_EQ(whole.stage, 3);
  for (const std::vector<std::int64_t>& stops :
       {std::vector<std::int64_t>{2}, {5}, {6}, {10}, {14}, {2, 5, 4, 3}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, "dbm_classifier"),
                            "in sittings");
}

// The class is which of the outer bits are on, under noise; the machine has to be told of it by labels.
TEST(DbmClassifier, LearnsToTellClassesApart) {
  Rng rng(43);
  Rows rows(at::zeros({300, columns}), at::arange(300, at::kLong).remainder(classes));
  const std::vector<std::vector<int>> patterns = {{1, 1, 0, 0, 0}, {0, 0, 0, 1, 1}, {1, 0, 1, 0, 1}};
  for (std::int64_t r = 0; r < 300; ++r)
    for (std::int64_t i = 0; i < columns; ++i) {
      const int own = patterns[size(r % classes)][size(i)];
      rows.x[r][i] = rng.uniform() < 0.05 ? 1 - own : own;
    }
  const auto model = classifier("8,4", 0.3, {}, 10, 1e-3);
  model->initialise(rows, rng);
  randomise(*model, 0.5, rng);
  const auto train = [&](int stage, double rate, int steps) {
    Turn turn;
    turn.stage = stage, turn.steps = steps;
    model->begin_stage(turn, rows, rng);
    const std::vector<Tensor> trained = model->stages()[size(stage)].phases[0].parameters;
    for (turn.step = 0; turn.step < steps; ++turn.step) {
      model->gradients(rows, turn, rng);
      NoGradGuard no_graph;
      for (Tensor each : trained) each.sub_(each.grad(), rate);
      model->project(turn);
    }
  };
  const auto error = [&] {
    return (model->log_class_probs(rows.x).argmax(1) != rows.y).to(at::kDouble).mean().item<double>();
  };
  train(0, 0.1, 300);
  train(1, 1, 0);
  EXPECT_GT(error(), 0.5) << "no label has been seen";
  train(1, 1, 3000);
  EXPECT_LT(error(), 0.1);
}

}  // namespace
}  // namespace deepgen::dbm_classifier_test
