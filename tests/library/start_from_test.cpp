// Weights of another run as the start: which tensors are filled, what is refused, and that a run that began
// so needs the other one no more.
#include "deepgen/train/start_from.h"

#include <set>

#include "deepgen/train/norm.h"
#include "tests/library/runs.h"

namespace deepgen::start_from_test {
namespace {

using namespace machines;
using namespace runs;

// Weights [in, out], a bias and a running mean.
class Layer : public torch::nn::Module {
 public:
  Layer(std::int64_t in, std::int64_t out) {
    W = register_parameter("W", at::zeros({in, out}), false);
    b = register_parameter("b", at::zeros({out}), false);
    mean = register_buffer("mean", at::zeros({in}));
  }
  Tensor W, b, mean;
};

// Two layers; the first is drawn by initialise.
class Stacked : public Model {
 public:
  Stacked() {
    encoder = register_module("encoder", std::make_shared<Layer>(4, 3));
    encoder2 = register_module("encoder2", std::make_shared<Layer>(3, 2));
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }
  std::shared_ptr<Layer> encoder, encoder2;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

using Named = std::map<std::string, Tensor>;

Named tensors_of(Model& model) {
  Named all;
  collect_tensors(model, "", all);
  for (auto& [name, tensor] : all) tensor = tensor.clone();
  return all;
}

Checkpoint donor(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
  Checkpoint c;
  c.model = "donor", c.commit = "abc", c.stage = 1, c.step = 70;
  Rng rng(5);
  for (const auto& [name, shape] : tensors) c.tensors[name] = normal_tensor(shape, 1, rng);
  return c;
}

TEST(StartFrom, FillsWhatHasTheSameNameAndShape) {
  Stacked model;
  Checkpoint c = donor({{"model.encoder.W", {4, 3}},
                        {"model.encoder.mean", {4}},
                        {"model.other", {9}},
                        {"optimiser.all.momentum.encoder.b", {3}},
                        {"good.model.encoder.b", {3}}});
  const Named before = tensors_of(model);
  const StartReport report = start_from(model, c, "run/model.safetensors");
  expect_bit_equal(model.encoder->W, c.tensors.at("model.encoder.W"), "W");
  expect_bit_equal(model.encoder->mean, c.tensors.at("model.encoder.mean"), "mean");
  for (const auto& [name, tensor] : tensors_of(model))
    if (name != "encoder.W" && name != "encoder.mean") expect_bit_equal(tensor, before.at(name), name);
  EXPECT_EQ(report.names, (std::vector<std::string>{"encoder.W", "encoder.mean"}));
  EXPECT_EQ(report.left,
            (std::vector<std::string>{"encoder.b", "encoder2.W", "encoder2.b", "encoder2.mean"}));
  const nlohmann::ordered_json json = report.to_json();
  EXPECT_EQ(json.at("path"), "run/model.safetensors");
  EXPECT_EQ(json.at("model"), "donor");
  EXPECT_EQ(json.at("commit"), "abc");
  EXPECT_EQ(json.at("stage"), 1);
  EXPECT_EQ(json.at("step"), 70);
  EXPECT_EQ(json.at("names").size(), 2U);
}

TEST(StartFrom, TakesTheAveragedWeightsWhereThereAreAny) {
  Stacked model;
  const Checkpoint c =
      donor({{"model.encoder.W", {4, 3}}, {"average.encoder.W", {4, 3}}, {"model.encoder.mean", {4}}});
  start_from(model, c, "run");
  expect_bit_equal(model.encoder->W, c.tensors.at("average.encoder.W"), "W");
  expect_bit_equal(model.encoder->mean, c.tensors.at("model.encoder.mean"), "mean");
}

// "encoder" is not the beginning of a word: encoder2 stays.
TEST(StartFrom, APartIsWholeNamesAlone) {
  Stacked model;
  const Checkpoint c = donor({{"model.encoder.W", {4, 3}}, {"model.encoder2.W", {3, 2}}});
  EXPECT_EQ(start_from(model, c, "run", "encoder").names, (std::vector<std::string>{"encoder.W"}));
  EXPECT_EQ(doubles(model.encoder2->W), Doubles(6, 0.0));
  EXPECT_EQ(start_from(model, c, "run", "encoder2.W").names, (std::vector<std::string>{"encoder2.W"}));
}

TEST(StartFrom, APartMayHaveAnotherName) {
  const Checkpoint part = donor({{"model.rbm.W", {3, 2}}, {"model.rbm.b", {2}}, {"model.encoder2.b", {2}}});
  Stacked model;
  EXPECT_EQ(start_from(model, part, "run", "encoder2=rbm").names,
            (std::vector<std::string>{"encoder2.W", "encoder2.b"}));
  expect_bit_equal(model.encoder2->W, part.tensors.at("model.rbm.W"), "W");
  expect_bit_equal(model.encoder2->b, part.tensors.at("model.rbm.b"), "b");

  const Checkpoint whole = donor({{"model.W", {4, 3}}, {"model.b", {3}}});
  EXPECT_EQ(start_from(model, whole, "run", "encoder=").names,
            (std::vector<std::string>{"encoder.W", "encoder.b"}));
  expect_bit_equal(model.encoder->W, whole.tensors.at("model.W"), "W");

  const Checkpoint within = donor({{"model.stack.encoder.W", {4, 3}}});
  EXPECT_EQ(start_from(model, within, "run", "=stack").names, (std::vector<std::string>{"encoder.W"}));
}

TEST(StartFrom, ListsBothSidesWhenNothingFits) {
  Stacked model;
  const Checkpoint c = donor({{"model.weights", {4, 3}}, {"model.bias", {3}}});
  const auto message_of = [&](const std::string& part) {
    return error_of(ErrorKind::usage, [&] { start_from(model, c, "run/best", part); });
  };
  expect_says(message_of(""), {"encoder.W", "encoder2.mean", "weights", "bias", "run/best", "new=old"});
  expect_says(message_of("encoder"), {"'encoder'", "weights"});
  expect_says(message_of("enc"), {"'enc'"});
  expect_says(message_of("encoder=weights"), {"weights"});
}

TEST(StartFrom, RefusesAnotherShapeAndChangesNothing) {
  Stacked model;
  const Checkpoint c = donor({{"model.encoder.W", {3, 4}}, {"model.encoder.b", {3}}});
  const Named before = tensors_of(model);
  expect_says(error_of(ErrorKind::data, [&] { start_from(model, c, "run/best"); }),
              {"run/best", "encoder.W", "[3, 4]", "[4, 3]"});
  for (const auto& [name, tensor] : tensors_of(model)) expect_bit_equal(tensor, before.at(name), name);
  start_from(model, c, "run/best", "encoder.b");
  Checkpoint broken = c;
  broken.tensors["model.encoder.b"] = at::full({3}, std::nanf(""));
  expect_says(error_of(ErrorKind::data, [&] { start_from(model, broken, "run/best", "encoder.b"); }),
              {"encoder.b", "finite"});
}

// ---------------------------------------------------------------- dense layers that begin as machines

Settings small_vae(const std::string& hidden) {
  return settings_of({"model.hidden=" + hidden, "model.latent=2", "model.activation=sigmoid",
                      "training.epochs=2", "training.batch=20"},
                     "vae");
}

std::shared_ptr<Model> vae_of(const std::string& hidden) {
  return make_model(small_vae(hidden), random_bits(60, 5));
}

// A machine of 5 columns and 4 units, or the layers of a stack, with names that begin so.
Checkpoint machine_of(const std::string& prefix = "") {
  return donor({{"model." + prefix + "weights", {5, 4}},
                {"model." + prefix + "hidden_bias", {4}},
                {"model." + prefix + "visible_bias", {5}}});
}

TEST(StartFrom, AnEncoderBeginsAsAMachineUpwardsAndADecoderDownwards) {
  const Checkpoint machine = straight({"model.hidden=4", "training.epochs=2"}, random_bits(60, 5));
  const std::shared_ptr<Model> vae = vae_of("4");
  const Named before = tensors_of(*vae);
  EXPECT_EQ(start_from(*vae, machine, "run", "encoder.body.layer0=").names,
            (std::vector<std::string>{"encoder.body.layer0.bias", "encoder.body.layer0.weight"}));
  EXPECT_EQ(start_from(*vae, machine, "run", "decoder.output=down").names,
            (std::vector<std::string>{"decoder.output.bias", "decoder.output.weight"}));
  Named wanted = before;
  const Tensor weights = machine.tensors.at("model.weights");
  wanted["encoder.body.layer0.weight"] = weights;
  wanted["encoder.body.layer0.bias"] = machine.tensors.at("model.hidden_bias");
  wanted["decoder.output.weight"] = weights.t().contiguous();
  wanted["decoder.output.bias"] = machine.tensors.at("model.visible_bias");
  for (const auto& [name, tensor] : tensors_of(*vae)) expect_bit_equal(tensor, wanted.at(name), name);
}

TEST(StartFrom, LayersOfAStackAreNamedOneByOne) {
  Checkpoint stack = machine_of("layer1.");
  Rng rng(6);
  stack.tensors["model.layer2.weights"] = normal_tensor({4, 3}, 1, rng);
  stack.tensors["model.layer2.hidden_bias"] = normal_tensor({3}, 1, rng);
  stack.tensors["model.layer2.visible_bias"] = normal_tensor({4}, 1, rng);
  const std::shared_ptr<Model> vae = vae_of("4,3");
  for (const char* part : {"encoder.body.layer0=layer1", "encoder.body.layer1=layer2",
                           "decoder.body.layer1=layer2.down", "decoder.output=layer1.down"})
    EXPECT_EQ(start_from(*vae, stack, "run", part).names.size(), 2U) << part;
  const Named now = tensors_of(*vae);
  const auto expect_from = [&](const std::string& ours, const std::string& theirs) {
    const Tensor value = stack.tensors.at("model." + theirs);
    expect_bit_equal(now.at(ours), ours.starts_with("decoder") ? value.t().contiguous() : value, ours);
  };
  expect_from("encoder.body.layer0.weight", "layer1.weights");
  expect_from("encoder.body.layer1.weight", "layer2.weights");
  expect_from("encoder.body.layer1.bias", "layer2.hidden_bias");
  expect_from("decoder.body.layer1.weight", "layer2.weights");
  expect_from("decoder.body.layer1.bias", "layer2.visible_bias");
  expect_from("decoder.output.weight", "layer1.weights");
}

TEST(StartFrom, RefusesAMachineThatDoesNotFitALayer) {
  const std::shared_ptr<Model> vae = vae_of("3");
  const Named before = tensors_of(*vae);
  const auto message_of = [&](const Checkpoint& from, const std::string& part) {
    return error_of(ErrorKind::data, [&] { start_from(*vae, from, "run/best", part); });
  };
  expect_says(message_of(machine_of(), "encoder.body.layer0="),
              {"run/best", "weights", "[5, 4]", "[5, 3]", "encoder.body.layer0.weight"});
  expect_says(message_of(machine_of(), "decoder.output=down"), {"weights", "[4, 5]", "[3, 5]"});
  Checkpoint broken = machine_of();
  broken.tensors["model.weights"] = at::full({5, 3}, std::nanf(""));
  broken.tensors["model.hidden_bias"] = at::zeros({3});
  expect_says(message_of(broken, "encoder.body.layer0="), {"weights", "finite"});
  expect_says(message_of(broken, "decoder.output="), {"[5, 3]", "[3, 5]", "NAME.down"});
  broken.tensors["model.weights"] = at::zeros({5, 3});
  broken.tensors["model.data_variance"] = at::ones({5});
  expect_says(message_of(broken, "encoder.body.layer0="), {"scaled", "bits"});
  Checkpoint half = machine_of();
  half.tensors.erase("model.visible_bias");
  expect_says(error_of(ErrorKind::usage, [&] { start_from(*vae, half, "run", "encoder.body.layer0="); }),
              {"encoder.body.layer0.weight", "weights", "new=old"});
  for (const auto& [name, tensor] : tensors_of(*vae)) expect_bit_equal(tensor, before.at(name), name);
}

// ---------------------------------------------------------------- in a run

// One layer whose weights are pulled to zero, by steps that overshoot when `strength` is high, and a bias
// that keeps its size: it makes the usual norm 173, so that weights of some thousands are no reason to go
// back.
class Pupil : public Model, public HasGradients {
 public:
  Pupil() { layer = register_module("layer", std::make_shared<Layer>(4, 3)); }
  void initialise(const Rows&, Rng& rng) override {
    layer->W.copy_(normal_tensor({4, 3}, 0.1, rng));
    layer->b.fill_(100);
  }
  void begin_stage(const Turn&, const Rows&, Rng&) override { began_with.push_back(layer->W.clone()); }
  Metrics gradients(const Rows&, const Turn&, Rng& rng) override {
    layer->W.mutable_grad().copy_(strength * layer->W + normal_tensor({4, 3}, 0.01, rng));
    layer->b.mutable_grad().zero_();
    const double largest = layer->W.abs().max().item<double>();
    return {{"size", largest > 1000 ? std::nan("") : largest}};
  }
  Options& options() override { return rbm_options; }
  Options& learning() override { return rbm_learning; }

  std::shared_ptr<Layer> layer;
  double strength = 1;
  std::vector<Tensor> began_with;
  RbmOptions rbm_options;
  RbmLearning rbm_learning;
};

struct PupilRun {
  explicit PupilRun(double strength = 1, const Assignments& more = {}) {
    model->strength = strength;
    Assignments all = {"training.epochs=6", "training.batch=4", "training.rate=0.1"};
    all.insert(all.end(), more.begin(), more.end());
    trainer = std::make_unique<Trainer>(model, data, settings_of(all), 3);
  }
  Dataset data = random_bits(13, 4);
  std::shared_ptr<Pupil> model = std::make_shared<Pupil>();
  std::unique_ptr<Trainer> trainer;
};

Checkpoint teacher() {
  Checkpoint c = donor({{"model.rbm.W", {4, 3}}});
  c.tensors["model.rbm.W"].sign_();  // 1 and -1
  return c;
}

TEST(StartedRun, BeginsItsFirstStageWithTheOtherWeights) {
  PupilRun run(1, {"training.average=0.9"});
  const StartReport report = run.trainer->start_from(teacher(), "other", "layer=rbm");
  EXPECT_EQ(report.names, (std::vector<std::string>{"layer.W"}));
  expect_bit_equal(run.trainer->checkpoint().tensors.at("average.layer.W"),
                   teacher().tensors.at("model.rbm.W"), "average");
  StopAfter one(1);
  run.trainer->run(one);
  ASSERT_EQ(run.model->began_with.size(), 1U);
  expect_bit_equal(run.model->began_with[0], teacher().tensors.at("model.rbm.W"), "W");
  expect_says(error_of(ErrorKind::usage, [&] { run.trainer->start_from(teacher(), "other", "layer=rbm"); }),
              {"--start", "begun"});
}

TEST(StartedRun, AnAutoencoderLearnsOnFromAMachine) {
  const Dataset data = random_bits(60, 5);
  const std::shared_ptr<Model> vae = vae_of("4");
  Trainer trainer(vae, data, small_vae("4"), 3);
  trainer.start_from(machine_of(), "other", "encoder.body.layer0=");
  trainer.start_from(machine_of(), "other", "decoder.output=down");
  const Tensor weights = machine_of().tensors.at("model.weights");
  expect_bit_equal(tensors_of(*vae).at("encoder.body.layer0.weight"), weights, "weights");
  StopAfter never;
  EXPECT_EQ(trainer.run(never).epochs, 2);
  const Named after = tensors_of(*vae);
  for (const auto& [name, tensor] : after) EXPECT_TRUE(all_finite(tensor)) << name;
  const double moved = (after.at("encoder.body.layer0.weight") - weights).abs().max().item<double>();
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, 0.5) << "the machine is where it learns on from";
  EXPECT_EQ(trainer.checkpoint().state.at("started_from").size(), 2U);
}

TEST(StartedRun, RemembersWhereItsPartsCameFrom) {
  PupilRun before, after;
  before.trainer->start_from(teacher(), "other", "layer=rbm");
  StopAfter some(3);
  before.trainer->run(some);
  after.trainer->resume(frozen(before.trainer->checkpoint()), "memory");
  StopAfter never;
  after.trainer->run(never);
  const Checkpoint end = after.trainer->checkpoint();
  ASSERT_EQ(end.state.at("started_from").size(), 1U);
  EXPECT_EQ(end.state.at("started_from")[0].at("path"), "other");
  EXPECT_EQ(end.state.at("started_from")[0].at("part"), "layer=rbm");
  EXPECT_EQ(after.trainer->started_from().size(), 1U);
  for (const auto& [name, tensor] : end.tensors)
    EXPECT_FALSE(name.starts_with("start.")) << "the run is over";
  PupilRun plain;
  EXPECT_FALSE(plain.trainer->checkpoint().state.contains("started_from"));
}

// Steps multiply by -7: at the end of the first epoch weights are 2401, all is finite, and the next step
// fails at any rate. Nothing helps but the start, which is the other run's weights, also for a sitting that
// never saw that run.
TEST(StartedRun, ReturnsToTheOtherWeightsAlsoAfterAResume) {
  PupilRun whole(80);
  whole.trainer->start_from(teacher(), "other", "layer=rbm");
  StopAfter never;
  whole.trainer->run(never);
  ASSERT_EQ(whole.trainer->rollbacks().size(), 2U);
  EXPECT_EQ(whole.trainer->rollbacks()[1].at("to_step"), 0);
  ASSERT_EQ(whole.model->began_with.size(), 2U) << "the run began again";
  expect_bit_equal(whole.model->began_with[1], whole.model->began_with[0], "W");
  const Checkpoint wanted = frozen(whole.trainer->checkpoint());
  for (std::int64_t stop = 1; stop < 30; ++stop) {
    PupilRun before(80), after(80);
    before.trainer->start_from(teacher(), "other", "layer=rbm");
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    before.trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    StopAfter observer(stop), rest;
    if (!before.trainer->run(observer).interrupted) continue;
    after.trainer->resume(load_checkpoint(path), path);
    after.trainer->run(rest);
    expect_equal_runs(frozen(after.trainer->checkpoint()), wanted, "stopped after " + std::to_string(stop));
    EXPECT_EQ(after.trainer->rollbacks().size(), 2U);
  }
}

// The buffers of a mixture are sums of passes over the other run's rows: taken over, they would end the
// training after one pass, or count the other rows.
TEST(StartFrom, OfAModelFittedInPassesTakesItsWeightsAlone) {
  const Assignments settings = {"model.components=3", "training.epochs=4", "training.tolerance=0"};
  const Checkpoint other = straight(settings, random_bits(60, 5, 9), 7, "bernoulli_mixture");
  const Dataset data = random_bits(80, 5);
  const Settings made = settings_of(settings, "bernoulli_mixture");
  const std::shared_ptr<Model> model = make_model(made, data);
  Trainer trainer(model, data, settings_of(settings, "bernoulli_mixture"), 3);
  const Named before = tensors_of(*model);
  const StartReport report = trainer.start_from(other, "run/model.safetensors");
  std::set<std::string> weights;
  for (const auto& item : model->named_parameters()) weights.insert(item.key());
  EXPECT_EQ(std::set<std::string>(report.names.begin(), report.names.end()), weights);
  for (const auto& [name, tensor] : tensors_of(*model))
    if (weights.contains(name))
      expect_bit_equal(tensor, other.tensors.at("model." + name), name);
    else
      expect_bit_equal(tensor, before.at(name), name);
  StopAfter never;
  EXPECT_EQ(trainer.run(never).epochs, 4);
}

}  // namespace
}  // namespace deepgen::start_from_test
