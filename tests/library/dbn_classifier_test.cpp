// The fine-tuned belief network as a classifier against automatic differentiation in double precision:
// gradients, with dropout too, rows without a label, max-norm, and what it learns. (Codes, resume, threads:
// code_laws_test.cpp.)
#include "deepgen/models/belief/dbn_classifier.h"

#include "deepgen/evaluate/validation.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::dbn_classifier_test {
namespace {

using namespace machines;

constexpr std::int64_t columns = 6, classes = 3, layers = 2;
const Turn fine{.stage = layers};

std::shared_ptr<DbnClassifier> new_classifier(const DbnClassifierLearning& learning, const DataShape& shape,
                                              const std::string& hidden_units = "binary") {
  DbnClassifierOptions options;
  options.layers = "5,4", options.hidden_units = hidden_units;
  auto model = std::make_shared<DbnClassifier>(options, learning, shape);
  Rng rng(3);
  model->initialise(small_cases::labelled_cells(shape, 60, rng), rng);
  return model;
}

DataShape shape_of(ValueKind values) {
  DataShape shape = bits_shape(columns, classes);
  shape.values = values;
  return shape;
}

// At the beginning of fine_tune, every weight drawn anew.
std::shared_ptr<DbnClassifier> fine_tuned(const DbnClassifierLearning& learning,
                                          ValueKind values = ValueKind::binary,
                                          const std::string& hidden_units = "binary") {
  auto model = new_classifier(learning, shape_of(values), hidden_units);
  Rng rng(5);
  model->begin_stage(fine, small_cases::labelled_cells(shape_of(values), 60, rng), rng);
  randomise(*model, 0.7, rng);
  return model;
}

Rows rows_of(ValueKind values, std::int64_t count, bool gaps) {
  Rng rng(7);
  Rows rows = small_cases::labelled_cells(shape_of(values), count, rng);
  if (gaps) rows.y.masked_fill_(at::arange(count, at::kLong).remainder(3) == 1, -1);
  return rows;
}

// What fine_tune trains, in the order of the twin.
std::vector<Tensor> trained(const DbnClassifier& model) {
  std::vector<Tensor> all;
  for (std::size_t l = 0; l < layers; ++l)
    all.push_back(model.machine(l).weights), all.push_back(model.machine(l).hidden_bias);
  all.push_back(model.softmax().weight), all.push_back(model.softmax().bias);
  return all;
}

Doubles gradient_of(DbnClassifier& model, const Rows& rows, std::uint64_t seed = 11) {
  Rng rng(seed);
  model.gradients(rows, fine, rng);
  Doubles all;
  for (const Tensor& p : trained(model))
    for (const double g : doubles(p.grad())) all.push_back(g);
  return all;
}

Tensor by_kind(const Tensor& a, const std::string& kind, bool top) {
  if (kind == "gaussian") return a;
  if (kind == "binary") return a.sigmoid();
  return top ? a.clamp_min(0) : at::softplus(a, 1, 40);
}

// Of the mean over the rows of -log p(y | x), by automatic differentiation in double precision. `kept` of the
// cells and of both hidden layers: what they are multiplied by.
Doubles twin_gradient(const DbnClassifier& model, const Rows& rows, const std::string& kind = "binary",
                      const std::vector<Tensor>& kept = {}) {
  std::vector<Tensor> leaves;
  for (const Tensor& p : trained(model))
    leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
  const auto thinned = [&](const Tensor& h, std::size_t l) {
    return kept.empty() ? h : h * kept[l].to(at::kDouble);
  };
  Tensor h = thinned(rows.x.to(at::kDouble), 0);
  for (std::size_t l = 0; l < layers; ++l) {
    const Tensor& z = model.machine(l).visible_log_variance;
    const Tensor y = z.defined() ? h * (z.detach().to(at::kDouble) * -0.5).exp() : h;
    h = thinned(by_kind(y.mm(leaves[2 * l]) + leaves[2 * l + 1], kind, l + 1 == layers), l + 1);
  }
  const Tensor logs = at::log_softmax(h.mm(leaves[4]) + leaves[5], 1);
  const Tensor own = logs.gather(1, rows.y.clamp_min(0).unsqueeze(1)).squeeze(1);
  const Tensor loss = -(own * (rows.y >= 0).to(at::kDouble)).mean();
  Doubles joined;
  for (const Tensor& g : torch::autograd::grad({loss}, leaves))
    for (const double each : doubles(g)) joined.push_back(each);
  return joined;
}

// ---------------------------------------------------------------- gradients

TEST(DbnClassifierGradient, EqualsAutomaticDifferentiation) {
  for (const char* kind : {"binary", "rectified", "gaussian"})
    for (const ValueKind values : {ValueKind::binary, ValueKind::grey, ValueKind::real})
      for (const bool gaps : {false, true}) {
        SCOPED_TRACE(std::string(kind) + ", " + name_of(values));
        const auto model = fine_tuned({}, values, kind);
        const Rows rows = rows_of(values, 30, gaps);
        const Doubles wanted = twin_gradient(*model, rows, kind);
        double largest = 1;
        for (const double each : wanted) largest = std::max(largest, std::abs(each));
        expect_near(gradient_of(*model, rows), wanted, 1e-5 * largest, "gradient");
      }
}

TEST(DbnClassifierGradient, UnderDropoutIsThatOfTheThinnedNetwork) {
  DbnClassifierLearning learning;
  learning.dropout_visible = 0.3, learning.dropout = 0.5;
  const auto model = fine_tuned(learning);
  const Rows rows = rows_of(ValueKind::binary, 20, false);
  Rng rng(11);
  std::vector<Tensor> kept;
  kept.push_back(dropped(at::ones({20, columns}), 0.3, rng));
  kept.push_back(dropped(at::ones({20, 5}), 0.5, rng));
  kept.push_back(dropped(at::ones({20, 4}), 0.5, rng));
  expect_near(gradient_of(*model, rows, 11), twin_gradient(*model, rows, "binary", kept), 1e-5, "gradient");
  EXPECT_NE(gradient_of(*model, rows, 12), gradient_of(*model, rows, 11)) << "the same units were left out";
}

TEST(DbnClassifierGradient, OfUnlabelledRowsAloneIsZero) {
  const auto model = fine_tuned({});
  const Rows rows = rows_of(ValueKind::binary, 20, false);
  gradient_of(*model, rows);  // something that must not stay
  for (const double each : gradient_of(*model, {rows.x, at::full({20}, -1, at::kLong)})) ASSERT_EQ(each, 0);
  gradient_of(*model, rows);
  for (const double each : gradient_of(*model, {rows.x, Tensor()})) ASSERT_EQ(each, 0);
}

// The layers learn from all rows, whatever their labels.
TEST(DbnClassifierGradient, OfTheLayersIsThatOfTheNetwork) {
  const Rows rows = rows_of(ValueKind::binary, 20, true);
  for (const int layer : {0, 1}) {
    const auto ours = new_classifier({}, shape_of(ValueKind::binary)),
               theirs = new_classifier({}, shape_of(ValueKind::binary));
    Rng a(13), b(13);
    ours->gradients(rows, {.stage = layer}, a);
    theirs->gradients(rows.x, {.stage = layer}, b);
    const Rbm &own = ours->machine(size(layer)), &other = theirs->machine(size(layer));
    expect_bit_equal(own.weights.grad(), other.weights.grad(), "labels");
    EXPECT_GT(own.weights.grad().abs().max().item<float>(), 0);
    // That of the machine on what the layer below makes of the rows: means.
    Rng c(13);
    NoGradGuard no_graph;
    const Tensor input = layer == 0 ? rows.x : theirs->machine(0).mean_h_given_v(rows.x);
    const_cast<Rbm&>(other).gradients(input, {.stage = layer}, c);
    expect_bit_equal(own.weights.grad(), other.weights.grad(), "the machine's own");
  }
}

// ---------------------------------------------------------------- scores and codes

TEST(DbnClassifier, CodesAreTheNetworksAndClassesGoByThem) {
  for (const bool begun : {false, true}) {
    const auto model = new_classifier({}, shape_of(ValueKind::binary));
    const Rows rows = rows_of(ValueKind::binary, 60, false);
    Rng rng(5);
    if (begun) model->begin_stage(fine, rows, rng);
    NoGradGuard no_graph;
    expect_near(doubles(model->encode(rows)), doubles(model->stack().encode(rows)), begun ? 2e-6 : 0, "code");
    if (!begun) continue;
    const Tensor shares = (at::bincount(rows.y, {}, classes).to(at::kDouble) + 0.5) / (60 + 0.5 * classes);
    expect_near(doubles(model->log_class_probs(rows)), doubles(shares.log().expand({60, classes})), 1e-6,
                "before the first update");
    randomise(*model, 1, rng);
    const Tensor logits = model->encode(rows).mm(model->softmax().weight) + model->softmax().bias;
    expect_near(doubles(model->log_class_probs(rows)), doubles(at::log_softmax(logits.to(at::kDouble), 1)),
                1e-5, "softmax of the code");
  }
}

TEST(DbnClassifier, LeavesNothingOutWhereItScores) {
  DbnClassifierLearning thinned;
  thinned.dropout = 0.5, thinned.dropout_visible = 0.5;
  const Rows rows = rows_of(ValueKind::binary, 20, false);
  const auto plain = fine_tuned({}), left_out = fine_tuned(thinned);
  expect_bit_equal(plain->log_class_probs(rows), left_out->log_class_probs(rows), "classes");
  expect_bit_equal(plain->encode(rows), left_out->encode(rows), "code");
}

TEST(DbnClassifier, ShortensTheLongWeightsAlone) {
  DbnClassifierLearning learning;
  learning.max_norm = 1.5;
  const auto model = fine_tuned(learning);
  std::vector<Tensor> before;
  for (const Tensor& p : trained(*model)) before.push_back(p.detach().clone());
  model->project(fine);
  const std::vector<Tensor> after = trained(*model);
  std::int64_t shortened = 0, kept = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after[i].dim() == 1) {
      expect_bit_equal(after[i], before[i], "biases");
      continue;
    }
    for (std::int64_t j = 0; j < after[i].size(1); ++j) {
      const Tensor was = before[i].select(1, j), is = after[i].detach().select(1, j);
      const double length = was.norm().item<double>();
      (length > 1.5 ? shortened : kept) += 1;
      expect_near(doubles(is), doubles(was * std::min(1.0, 1.5 / length)), 1e-6, "unit");
    }
  }
  EXPECT_GT(shortened, 0);
  EXPECT_GT(kept, 0);
}

// ---------------------------------------------------------------- training

// Three classes by which block of four bits is full, a bit beside it at random.
Dataset full_blocks() {
  Dataset data;
  data.spec = data.name = "blocks";
  data.shape = {12}, data.values = ValueKind::binary, data.binarize = "none", data.classes = 3;
  Rng rng(43);
  Tensor x = bits_tensor(90, 12, rng, 0.15), y = at::arange(90, at::kLong).remainder(3);
  for (std::int64_t r = 0; r < 90; ++r) x[r].narrow(0, 4 * (r % 3), 4).fill_(1);
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = x.narrow(0, 0, 60), data.train.y = y.narrow(0, 0, 60).clone();
  data.valid.x = x.narrow(0, 60, 30), data.valid.y = y.narrow(0, 60, 30).clone();
  return data;
}

const runs::Assignments small_run = {"model.layers=12,8", "training.batch=10", "training.fine_rate=0.01"};

runs::Assignments run_with(const runs::Assignments& more) {
  runs::Assignments all = small_run;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(DbnClassifierTraining, TellsTheTrainingRowsApart) {
  for (const char* start : {"training.pretrain=true", "training.pretrain=false"}) {
    SCOPED_TRACE(start);
    const Dataset data = full_blocks();
    const runs::Assignments how = run_with({start, "training.epochs=240"});
    const auto model =
        std::dynamic_pointer_cast<DbnClassifier>(make_model(runs::settings_of(how, "dbn_classifier"), data));
    ASSERT_TRUE(model);
    Trainer trainer(model, data, runs::settings_of(how, "dbn_classifier"), 3);
    runs::StopAfter curve;
    trainer.run(curve);
    EXPECT_EQ((model->log_class_probs(data.train.x).argmax(1) != data.train.y).sum().item<std::int64_t>(), 0);
    EXPECT_EQ(runs::metric(curve.curve.back(), "train_classification_error"), 0);
    EXPECT_LT(runs::metric(curve.curve.back(), "classification_log_loss"), 0.2);
  }
}

TEST(DbnClassifierTraining, HasItsStages) {
  const auto model = new_classifier({}, shape_of(ValueKind::binary));
  std::vector<std::string> names;
  for (const Stage& stage : model->stages()) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"layer1", "layer2", "fine_tune"}));
  EXPECT_EQ(model->stages().back().phases[0].parameters.size(), 6U);
  EXPECT_EQ(model->stages().back().training.at("optimiser"), "adam");
  EXPECT_EQ(model->stages().back().training.at("rate"), "0.001");
  DbnClassifierLearning alone;
  alone.pretrain = false;
  const auto random = new_classifier(alone, shape_of(ValueKind::binary));
  ASSERT_EQ(random->stages().size(), 1U);
  EXPECT_EQ(random->stages()[0].name, "fine_tune");
  const Tensor& w = random->machine(0).weights;
  EXPECT_LE(w.abs().max().item<double>(), std::sqrt(6.0 / (columns + 5)) + 1e-6);
  EXPECT_GT(w.abs().max().item<double>(), 0.5 * std::sqrt(6.0 / (columns + 5)));
}

TEST(DbnClassifierTraining, WithFewLabelsIsTheSameInSittings) {
  Dataset data = full_blocks();
  data.train.y.masked_fill_(at::arange(60, at::kLong).remainder(5) > 0, -1);
  const runs::Assignments how =
      run_with({"training.epochs=4", "training.dropout=0.5", "training.dropout_visible=0.2",
                "training.max_norm=2", "training.average=0.9"});
  const Checkpoint whole = runs::straight(how, data, 7, "dbn_classifier");
  EXPECT_EQ(whole.stage, 2);
  runs::expect_equal_runs(whole, runs::in_sittings(how, data, {4, 10, 3}, 7, "dbn_classifier"), "sittings");
}

// Adam undoes centring, which layers have and fine_tune has not.
TEST(DbnClassifierTraining, CentredLayersBySgdGoWithFineTuningByAdam) {
  const Dataset data = full_blocks();
  const runs::Assignments centred = run_with({"training.epochs=4", "training.centring=true"});
  const auto with = [&](const std::string& optimiser) {
    runs::Assignments how = centred;
    how.push_back("training.optimiser=" + optimiser);
    return how;
  };
  EXPECT_EQ(runs::straight(with("sgd"), data, 7, "dbn_classifier").stage, 2);
  const auto trainer = [&](const std::string& optimiser) {
    return runs::trainer_for(with(optimiser), data, 7, "dbn_classifier");
  };
  expect_says(error_of(ErrorKind::usage, [&] { trainer("adam"); }), {"training.optimiser", "centring"});
}

// Before fine_tune no class is told apart from the others: a score that stands still must not end a layer.
TEST(DbnClassifierTraining, PatienceIsForFineTuneAlone) {
  const Dataset data = full_blocks();
  const auto trainer =
      runs::trainer_for(run_with({"training.epochs=16", "training.patience=1"}), data, 3, "dbn_classifier");
  trainer->validate = validation_score(data, 5);
  runs::StopAfter curve;
  trainer->run(curve);
  std::vector<int> epochs(3);
  for (const Metrics& line : curve.curve) ++epochs.at(static_cast<std::size_t>(runs::metric(line, "stage")));
  EXPECT_EQ(epochs[0], 4);
  EXPECT_EQ(epochs[1], 4);
  EXPECT_GE(epochs[2], 1);
}

TEST(DbnClassifierTraining, IsJudgedByTheClassesOfTheValidationRows) {
  const Dataset data = full_blocks();
  const auto model = make_model(runs::settings_of(small_run, "dbn_classifier"), data);
  const auto score = judge_model(*model, data, 5);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->name, "valid_log_class_prob");
  EXPECT_NEAR(score->value, -std::log(3.0), 1e-6) << "untrained: all weights of the softmax layer are zero";
}

// ---------------------------------------------------------------- what it refuses

TEST(DbnClassifierData, IsRefusedWithTheReason) {
  const auto model = new_classifier({}, shape_of(ValueKind::grey));
  const auto refused = [](const std::function<void()>& act) { return error_of(ErrorKind::data, act); };
  Rng rng(47);
  const Tensor x = bits_tensor(6, columns, rng);
  expect_says(refused([&] { model->initialise({x, Tensor()}, rng); }), {"label", "none among 6"});
  expect_says(refused([&] { model->initialise({x, at::full({6}, -1, at::kLong)}, rng); }), {"none among 6"});
  const Rows beyond(x, at::full({6}, 3, at::kLong));
  expect_says(refused([&] { model->initialise(beyond, rng); }), {"labels from 0 to 2", "3"});
  expect_says(refused([&] { model->gradients(beyond, fine, rng); }), {"labels from 0 to 2", "3"});
  Tensor large = x.clone();
  large[1][3] = 1.5;
  expect_says(refused([&] { model->check_data(large, "rows", 10); }), {"row 11", "column 3"});
  expect_says(refused([&] { DbnClassifier({}, {}, bits_shape(columns)); }), {"labels"});
}

TEST(DbnClassifierData, OptionsThatDoNotFitAreUsageErrors) {
  DbnClassifierOptions options;
  options.layers = "4,2", options.hidden_units = "softmax";
  expect_says(error_of(ErrorKind::usage, [&] { DbnClassifier(options, {}, shape_of(ValueKind::binary)); }),
              {"model.hidden_units", "softmax"});
  new_classifier({}, shape_of(ValueKind::binary))->check_optimiser("adam", 0);
  DbnClassifierLearning centred;
  centred.centring = true;
  const auto model_of_centred = new_classifier(centred, shape_of(ValueKind::binary));
  for (const int layer : {0, 1})
    expect_says(error_of(ErrorKind::usage, [&] { model_of_centred->check_optimiser("adam", layer); }),
                {"centring"});
  EXPECT_NO_THROW(model_of_centred->check_optimiser("adam", 2)) << "nothing is centred in fine_tune";
}

}  // namespace
}  // namespace deepgen::dbn_classifier_test
