// The deep autoencoder against automatic differentiation in double precision, and its decoder against the
// machines it begins as. (Codes, resume, threads: code_laws_test.cpp.)
#include "deepgen/models/belief/deep_autoencoder.h"

#include "deepgen/evaluate/reconstruction.h"
#include "deepgen/evaluate/validation.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::deep_autoencoder_test {
namespace {

using namespace machines;

constexpr std::size_t layers = 2;
const Turn fine{.stage = static_cast<int>(layers)};

// Bits, a category, numbers and a grey value.
DataShape table_shape() {
  DataShape shape = bits_shape(8);
  shape.values = ValueKind::mixed;
  shape.groups = {{ColumnKind::binary, 0, 2},
                  {ColumnKind::softmax, 2, 3},
                  {ColumnKind::gaussian, 5, 2},
                  {ColumnKind::mean_field, 7, 1}};
  return shape;
}

DataShape whole_shape(ValueKind values) {
  DataShape shape = bits_shape(6);
  shape.values = values;
  return shape;
}

struct Wanted {
  DataShape shape = whole_shape(ValueKind::binary);
  bool tied = false;
  std::string code = "gaussian", below = "binary";
};

const std::vector<Wanted>& several() {
  static const std::vector<Wanted> all = {
      {},
      {.tied = true},
      {.code = "rectified", .below = "rectified"},
      {.shape = whole_shape(ValueKind::grey), .code = "binary"},
      {.shape = whole_shape(ValueKind::real)},
      {.shape = whole_shape(ValueKind::real), .tied = true, .below = "gaussian"},
      {.shape = table_shape()},
      {.shape = table_shape(), .tied = true}};
  return all;
}

// At the beginning of fine_tune, every weight of the machines drawn anew before.
std::shared_ptr<DeepAutoencoder> unrolled(const Wanted& wanted, double scale = 0.4) {
  DeepAutoencoderOptions options;
  options.layers = "5,3", options.tied = wanted.tied;
  options.code_units = wanted.code, options.hidden_units = wanted.below;
  auto model = std::make_shared<DeepAutoencoder>(options, DeepAutoencoderLearning(), wanted.shape);
  Rng rng(3);
  const Tensor sample = small_cases::cells(wanted.shape, 60, rng);
  model->initialise(sample, rng);
  randomise(*model, scale, rng);
  model->begin_stage(fine, sample, rng);
  return model;
}

Tensor some_cells(const Wanted& wanted, std::int64_t count) {
  Rng rng(7);
  return small_cases::cells(wanted.shape, count, rng);
}

// ---------------------------------------------------------------- the decoder

TEST(DeepAutoencoder, BeginsAsTheTransposedMachines) {
  for (const Wanted& wanted : several()) {
    if (wanted.below == "rectified") continue;  // whose means are softplus up to 0.011
    const auto model = unrolled(wanted);
    const Tensor code = model->encode(some_cells(wanted, 40));
    NoGradGuard no_graph;
    expect_near(doubles(code), doubles(model->stack().encode(some_cells(wanted, 40))), 1e-5, "up");
    expect_near(doubles(model->decode(code)), doubles(model->stack().decode(code)), 1e-5, "down");
  }
}

TEST(DeepAutoencoder, IsTheNetworkBeforeItIsUnrolled) {
  DeepAutoencoderOptions options;
  options.layers = "5,3";
  DeepAutoencoder model(options, {}, bits_shape(6));
  Rng rng(3);
  const Tensor x = bits_tensor(40, 6, rng);
  model.initialise(x, rng);
  randomise(model, 1, rng);
  model.begin_stage({.stage = 0}, x, rng);
  EXPECT_EQ(model.encode(x).size(1), 5) << "one layer has begun";
  expect_bit_equal(model.encode(x), model.stack().encode(x), "up");
  expect_bit_equal(model.decode(model.encode(x)), model.stack().decode(model.encode(x)), "down");
  model.begin_stage({.stage = 1}, x, rng);
  EXPECT_EQ(model.encode(x).size(1), 3);
  expect_bit_equal(model.encode(x), model.stack().encode(x), "up");
}

TEST(DeepAutoencoder, DecodersThatAreTiedFollowTheEncoder) {
  for (const bool tied : {false, true}) {
    const auto model = unrolled({.tied = tied});
    Rng rng(11);
    const Tensor code = normal_tensor({20, 3}, 1, rng);
    NoGradGuard no_graph;
    const Tensor before = model->decode(code);
    Tensor w = model->machine(1).weights;
    w.add_(normal_tensor(w.sizes(), 1, rng));
    EXPECT_EQ(at::equal(model->decode(code), before), !tied);
    if (tied)
      expect_near(doubles(model->decode(code)), doubles(model->stack().decode(code)), 1e-5, "transposed");
  }
}

// ---------------------------------------------------------------- gradients

std::vector<Tensor> trained(const DeepAutoencoder& model) {
  std::vector<Tensor> all;
  for (std::size_t l = 0; l < layers; ++l)
    all.push_back(model.machine(l).weights), all.push_back(model.machine(l).hidden_bias);
  const auto own = model.named_parameters(false);
  for (const char* name : {"decoder1_bias", "decoder2_bias", "decoder1_weight", "decoder2_weight"})
    if (const Tensor* found = own.find(name)) all.push_back(*found);
  return all;
}

Tensor by_kind(const Tensor& a, const UnitLayer& units, bool top) {
  if (units.all(UnitKind::gaussian)) return a;
  if (units.all(UnitKind::binary)) return a.sigmoid();
  return top ? a.clamp_min(0) : at::softplus(a, 1, 40);
}

// sigma of the lower units of a machine, one where they have none: [N] float64.
Tensor deviations(const Rbm& machine) {
  const Tensor &z = machine.visible_log_variance, one = at::ones({machine.visible()}, at::kDouble);
  if (!z.defined()) return one;
  const Tensor gaussian = machine.visible_layer().columns_of(UnitKind::gaussian);
  return at::where(gaussian, (z.detach().to(at::kDouble) / 2).exp(), one);
}

Tensor twin_loss(const DeepAutoencoder& model, const std::vector<Tensor>& leaves, const Tensor& x,
                 bool tied) {
  Tensor h = x;
  for (std::size_t l = 0; l < layers; ++l)
    h = by_kind((h / deviations(model.machine(l))).mm(leaves[2 * l]) + leaves[2 * l + 1],
                model.machine(l).hidden_layer(), l + 1 == layers);
  for (std::size_t l = layers; l-- > 0;) {
    const Tensor down = tied ? leaves[2 * l].t() * deviations(model.machine(l)) : leaves[6 + l];
    h = h.mm(down) + leaves[4 + l];
    if (l > 0) h = by_kind(h, model.machine(l - 1).hidden_layer(), false);
  }
  Tensor loss = at::zeros({x.size(0)}, at::kDouble);
  for (const UnitGroup& group : model.machine(0).visible_layer().groups()) {
    const Tensor a = h.narrow(1, group.first, group.size), cells = x.narrow(1, group.first, group.size);
    if (group.kind == UnitKind::binary) loss = loss + (at::softplus(a, 1, 40) - cells * a).sum(1);
    if (group.kind == UnitKind::softmax) loss = loss - (cells * at::log_softmax(a, 1)).sum(1);
    if (group.kind == UnitKind::gaussian) loss = loss + (cells - a).square().sum(1) / 2;
  }
  return loss.mean();
}

TEST(DeepAutoencoderGradient, EqualsAutomaticDifferentiation) {
  for (const Wanted& wanted : several()) {
    const auto model = unrolled(wanted);
    const Tensor x = some_cells(wanted, 30);
    std::vector<Tensor> leaves;
    for (const Tensor& p : trained(*model))
      leaves.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
    ASSERT_EQ(leaves.size(), wanted.tied ? 6U : 8U);
    const Tensor loss = twin_loss(*model, leaves, x.to(at::kDouble), wanted.tied);
    const auto gradients = torch::autograd::grad({loss}, leaves);
    Rng rng(5);
    const Metrics metrics = model->gradients(x, fine, rng);
    EXPECT_NEAR(runs::metric(metrics, "reconstruction_loss"), loss.item<double>(), 1e-4);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const double largest = std::max(1.0, gradients[i].abs().max().item<double>());
      expect_near(doubles(trained(*model)[i].grad()), doubles(gradients[i]), 1e-5 * largest,
                  "parameter " + std::to_string(i));
    }
  }
}

// ---------------------------------------------------------------- training

TEST(DeepAutoencoderTraining, LearnsItsRowsByHeart) {
  const Dataset data = runs::dataset_of({{"train", runs::random_bytes(8, 12, 1, 5)}});
  const runs::Assignments how = {"model.layers=16,3", "training.batch=8", "training.epochs=1100",
                                 "training.fine_share=20", "training.fine_rate=0.01"};
  const auto model = make_model(runs::settings_of(how, "deep_autoencoder"), data);
  Trainer trainer(model, data, runs::settings_of(how, "deep_autoencoder"), 3);
  runs::StopAfter curve;
  trainer.run(curve);
  std::vector<double> losses;
  for (const Metrics& line : curve.curve)
    for (const auto& [name, value] : line)
      if (name == "reconstruction_loss") losses.push_back(value);
  ASSERT_GT(losses.size(), 900U);
  EXPECT_LT(losses.back(), 0.3 * losses.front());
  const auto scores = reconstruction_scores(*model, data, data.train, Rng(3));
  ASSERT_EQ(scores.size(), 1U);
  EXPECT_NEAR(scores[0].value, losses.back(), 0.1 * losses.front());
}

TEST(DeepAutoencoderTraining, CodesWithoutBoundLearnSlowly) {
  for (const char* code : {"gaussian", "rectified", "binary"}) {
    DeepAutoencoderOptions options;
    options.layers = "5,4,3", options.code_units = code;
    DeepAutoencoder model(options, {}, bits_shape(6));
    const std::vector<Stage> stages = model.stages();
    ASSERT_EQ(stages.size(), 4U);
    EXPECT_EQ(stages[3].name, "fine_tune");
    EXPECT_FALSE(stages[1].training.contains("rate"));
    EXPECT_EQ(stages[2].training.contains("rate"), std::string(code) != "binary");
    EXPECT_TRUE(model.machine(2).hidden_layer().all(unit_kind(code, "test")));
    EXPECT_TRUE(model.machine(1).hidden_layer().all(UnitKind::binary));
  }
}

TEST(DeepAutoencoderTraining, LayersBelowTheCodeWithoutBoundLearnSlowlyToo) {
  DeepAutoencoderOptions options;
  options.layers = "5,4,3,2";
  options.hidden_units = "rectified,binary,gaussian", options.code_units = "binary";
  DeepAutoencoderLearning learning;
  learning.code_rate = 0.002;
  const std::vector<Stage> stages = DeepAutoencoder(options, learning, bits_shape(6)).stages();
  ASSERT_EQ(stages.size(), 5U);
  EXPECT_EQ(stages[0].training.at("rate"), "0.002");
  EXPECT_FALSE(stages[1].training.contains("rate"));
  EXPECT_EQ(stages[2].training.at("rate"), "0.002");
  EXPECT_FALSE(stages[3].training.contains("rate"));
}

// ---------------------------------------------------------------- random weights

std::shared_ptr<DeepAutoencoder> at_random(const std::string& hidden_units, const Tensor& sample) {
  DeepAutoencoderOptions options;
  options.layers = "5,4,3", options.hidden_units = hidden_units;
  DeepAutoencoderLearning learning;
  learning.pretrain = false;
  auto model = std::make_shared<DeepAutoencoder>(options, learning, bits_shape(6));
  Rng rng(3);
  model->initialise(sample, rng);
  return model;
}

// Gaussian units between layers count in their deviations, which are those under the weights of the start.
TEST(DeepAutoencoderAtRandom, MomentsBetweenLayersAreThoseUnderItsWeights) {
  Rng rng(13);
  const Tensor x = bits_tensor(80, 6, rng);
  for (const char* hidden_units : {"gaussian", "gaussian,binary", "binary,gaussian"}) {
    const auto model = at_random(hidden_units, x);
    bool measured = false;
    Tensor h = x;
    for (std::size_t l = 0; l < 3; ++l) {
      const Rbm& machine = model->machine(l);
      EXPECT_GT(machine.weights.abs().max().item<double>(), 0.3) << "far above model.weight_scale";
      EXPECT_EQ(machine.hidden_bias.abs().max().item<double>(), 0);
      NoGradGuard no_graph;
      if (machine.has_moments()) {
        const Tensor variance = h.to(at::kDouble).var(0, false);
        measured = true;
        const Doubles ones(size(h.size(1)), 1.0);
        expect_near(doubles(machine.data_variance / variance), ones, 1e-4, "measured");
        expect_near(doubles(machine.visible_log_variance.exp() / variance), ones, 1e-4, "of the energy");
      }
      h = machine.mean_h_given_v(h);
    }
    EXPECT_TRUE(measured) << hidden_units;
  }
}

// Without such units the draws are those of the machines, then those of the weights from below.
TEST(DeepAutoencoderAtRandom, BinaryLayersDrawTheirWeightsOnce) {
  Rng rng(13);
  const Tensor x = bits_tensor(80, 6, rng);
  const auto model = at_random("binary", x);
  DeepAutoencoderOptions options;
  options.layers = "5,4,3";
  DeepAutoencoderLearning learning;
  Dbn stack(options.stack(), learning, bits_shape(6));
  Rng own(3);
  stack.initialise(x, own);
  for (std::size_t l = 0; l < 3; ++l) {
    Tensor weights = at::zeros_like(stack.machine(l).weights);
    fill_uniform(weights, std::sqrt(6.0 / static_cast<double>(weights.size(0) + weights.size(1))), own);
    expect_bit_equal(model->machine(l).weights, weights, "layer");
  }
}

// ---------------------------------------------------------------- validation

const runs::Assignments small_run = {"model.layers=8,3", "training.batch=10", "training.epochs=40",
                                     "training.patience=1", "training.fine_rate=0.05"};

// The error of `evaluate`, so that greater is better.
TEST(DeepAutoencoderValidation, IsJudgedByItsReconstructions) {
  Dataset data = runs::random_bits(40, 6);
  const auto model = make_model(runs::settings_of(small_run, "deep_autoencoder"), data);
  Rng rng(3);
  model->initialise(Dataset::rows(data.train, 0, data.train.rows(), Rng(1)), rng);
  EXPECT_TRUE(has_validation_score(*model));
  const auto score = judge_model(*model, data, 5), watched = validation_score(data, 5)(*model);
  ASSERT_TRUE(score && watched);
  EXPECT_EQ(score->name, "valid_reconstruction_score");
  const auto errors = reconstruction_scores(*model, data, data.valid, Rng(3));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_GT(errors[0].value, 0);
  EXPECT_NEAR(score->value, -errors[0].value, 1e-9);
  EXPECT_EQ(watched->value, score->value);
  data.valid = Split{};
  EXPECT_FALSE(judge_model(*model, data, 5)) << "no rows, no score";
}

TEST(DeepAutoencoderValidation, ErrorsOfSeveralKindsAreAddedUp) {
  const DataShape shape = table_shape();
  DeepAutoencoderOptions options;
  options.layers = "5,3";
  DeepAutoencoder model(options, {}, shape);
  Rng rng(3);
  Dataset data;
  data.spec = data.name = "table";
  data.shape = {8}, data.values = shape.values, data.groups = shape.groups, data.binarize = "none";
  data.train.name = "train", data.valid.name = "valid";
  data.train.x = small_cases::cells(shape, 60, rng), data.valid.x = small_cases::cells(shape, 20, rng);
  model.initialise(data.train.x, rng);
  const auto score = judge_model(model, data, 5);
  ASSERT_TRUE(score);
  const auto errors = reconstruction_scores(model, data, data.valid, Rng(3));
  ASSERT_EQ(errors.size(), 4U);
  double sum = 0;
  for (const Score& each : errors) sum += each.value;
  EXPECT_NEAR(score->value, -sum, 1e-9);
}

// Rows of noise are learnt by heart: the validation rows soon get worse, and fine_tune alone ends.
TEST(DeepAutoencoderValidation, PatienceEndsFineTuning) {
  const Dataset data = runs::random_bits(20, 6);
  const auto trainer = runs::trainer_for(small_run, data, 3, "deep_autoencoder");
  ASSERT_TRUE(trainer->has_patience());
  trainer->validate = validation_score(data, 5);
  runs::StopAfter curve;
  const TrainingResult result = trainer->run(curve);
  std::vector<int> epochs(3);
  double best = -1e9;
  for (const Metrics& line : curve.curve) {
    const auto stage = static_cast<std::size_t>(runs::metric(line, "stage"));
    ++epochs.at(stage);
    if (stage == 2) best = std::max(best, runs::metric(line, "valid_reconstruction_score"));
  }
  EXPECT_EQ(epochs[0], 10);
  EXPECT_EQ(epochs[1], 10);
  EXPECT_LT(epochs[2], 20);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.best_score, best);
}

// ---------------------------------------------------------------- what it refuses

TEST(DeepAutoencoderOptions, ThatDoNotFitAreRefused) {
  const auto refused = [](const std::function<void(DeepAutoencoderOptions&)>& change) {
    return error_of(ErrorKind::usage, [&] {
      DeepAutoencoderOptions options;
      options.layers = "5,3";
      change(options);
      DeepAutoencoder(options, {}, bits_shape(6));
    });
  };
  expect_says(refused([](auto& o) { o.layers = ""; }), {"model.layers"});
  expect_says(refused([](auto& o) { o.hidden_units = "binary,binary"; }), {"model.hidden_units"});
  expect_says(refused([](auto& o) { o.hidden_units = "stepped"; }), {"model.hidden_units", "stepped"});
  expect_says(refused([](auto& o) { o.visible_units = "mean_field"; }),
              {"model.visible_units", "mean_field"});
}

TEST(DeepAutoencoderOptions, CountsAreRefusedAsData) {
  DataShape counts = bits_shape(6);
  counts.values = ValueKind::count;
  DeepAutoencoderOptions options;
  options.layers = "5,3", options.code_units = "binary";
  expect_says(error_of(ErrorKind::data, [&] { DeepAutoencoder(options, {}, counts); }),
              {"count", "column 0"});
}

}  // namespace
}  // namespace deepgen::deep_autoencoder_test
