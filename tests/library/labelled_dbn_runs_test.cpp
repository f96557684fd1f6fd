// Runs of the deep belief network with labels: stages, resume, threads, unlabelled rows, what it learns and
// what it refuses.
#include "deepgen/evaluate/validation.h"
#include "deepgen/train/checkpoint.h"
#include "tests/library/runs.h"
#include "tests/library/small_labelled_dbns.h"

namespace deepgen::labelled_dbn_runs_test {
namespace {

using namespace small_labelled_dbns;

constexpr std::int64_t block = 4, cells = block * classes;

// Three classes by which block of four bits is full and the others empty; a cell in twenty is wrong.
Dataset noisy_blocks() {
  Dataset data;
  data.spec = data.name = "blocks";
  data.shape = {cells}, data.values = ValueKind::binary, data.binarize = "none", data.classes = classes;
  Rng rng(3);
  Tensor x = at::zeros({90, cells});
  const Tensor y = at::arange(90, at::kLong).remainder(classes);
  for (std::int64_t r = 0; r < 90; ++r)
    for (std::int64_t i = 0; i < cells; ++i)
      x[r][i] = (i / block == r % classes) != (rng.uniform() < 0.05) ? 1 : 0;
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = x.narrow(0, 0, 60), data.train.y = y.narrow(0, 0, 60).clone();
  data.valid.x = x.narrow(0, 60, 30), data.valid.y = y.narrow(0, 60, 30).clone();
  return data;
}

double errors(const LabelledDbn& model, const Split& split) {
  return (model.log_class_probs(split.x).argmax(1) != split.y).sum().item<double>();
}

// ---------------------------------------------------------------- learning

TEST(LabelledDbnRuns, LearnTheClassesAndTheirCases) {
  const Dataset data = noisy_blocks();
  const runs::Assignments how = {"model.layers=12,10",    "model.weight_scale=0.1",     "training.batch=10",
                                 "training.epochs=120",   "training.up_down_steps=3,6", "training.rate=0.05",
                                 "training.momentum=0.9", "training.up_down=0.5"};
  const Settings settings = runs::settings_of(how, "labelled_dbn");
  const auto model = std::dynamic_pointer_cast<LabelledDbn>(make_model(settings, data));
  ASSERT_TRUE(model);
  Trainer trainer(model, data, runs::settings_of(how, "labelled_dbn"), 5);
  runs::StopAfter curve;
  trainer.run(curve);
  EXPECT_TRUE(model->untied());
  EXPECT_EQ(errors(*model, data.train), 0);
  EXPECT_LE(errors(*model, data.valid), 1);
  EXPECT_LT(runs::metric(curve.curve.back(), "train_classification_log_loss"), 0.3);
  EXPECT_LT(runs::metric(curve.curve.back(), "valid_classification_error"), 100.0 / 3 / 2);
  // log p of independent units is -12 H(1/3) = -7.6; of the set's own distribution about -3.5.
  Rng rng(7);
  const double bound = model->log_prob_bound(data.train.x, 50, rng).mean().item<double>();
  ASSERT_TRUE(model->exact_log_partition());
  EXPECT_GT(bound - *model->exact_log_partition(), -5.5);
  // What it imagines of a label has the label's block.
  for (std::int64_t label = 0; label < classes; ++label) {
    const Tensor means = model->cases_given(at::full({500}, label, at::kLong), 200, true, rng).mean(0);
    for (std::int64_t b = 0; b < classes; ++b) {
      const double on = means.narrow(0, b * block, block).mean().item<double>();
      if (b == label)
        EXPECT_GT(on, 0.75) << label;
      else
        EXPECT_LT(on, 0.25) << label << " " << b;
    }
  }
}

TEST(LabelledDbnRuns, AreJudgedByTheClassesOfTheValidationRows) {
  const Dataset data = noisy_blocks();
  const auto model = random_dbn({.layers = "4,3", .visible = cells}, 0.5, 9);
  const auto score = judge_model(*model, data, 5);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->name, "valid_log_class_prob");
  const Tensor logs = model->log_class_probs(data.valid.x);
  const double wanted = logs.gather(1, data.valid.y.unsqueeze(1)).mean().item<double>();
  EXPECT_NEAR(score->value, wanted, 1e-9);
}

// ---------------------------------------------------------------- stages

// 36 steps: 6 of layer 1, 6 of layer 2, 6 of the top, 18 of up-down.
runs::Assignments three_layers(const std::string& learning) {
  return {"model.layers=7,6,5",         "training.batch=10",          "training.epochs=6",
          "training.up_down=0.5",       "training.chains=7",          "training.rate=0.05",
          "training.up_down_steps=1,2", "training.up_down_rate=0.02", "training.learning=" + learning};
}

TEST(LabelledDbnRuns, TrainLayerAfterLayerAndThenAll) {
  const Dataset data = noisy_blocks();
  const auto trainer = runs::trainer_for(three_layers("cd"), data, 3, "labelled_dbn");
  std::vector<Checkpoint> ends(4);
  trainer->save = [&](const Checkpoint& c, bool) { ends.at(size(c.stage)) = runs::frozen(c); };
  runs::StopAfter never;
  trainer->run(never);
  EXPECT_EQ(trainer->stage_names(), (std::vector<std::string>{"layer1", "layer2", "top", "up_down"}));
  EXPECT_EQ(ends[0].step, 6);
  EXPECT_EQ(ends[3].step, 18);
  // Layers below the top know of no label, by which the score of the validation rows goes.
  const std::vector<Stage> stages = new_dbn({.layers = "4,4,3"}, 3)->stages();
  ASSERT_EQ(stages.size(), 4U);
  for (std::size_t s = 0; s < stages.size(); ++s)
    EXPECT_EQ(stages[s].training.contains("patience"), s < 2) << stages[s].name;
  const auto moves = [&](const std::string& name, std::size_t from, std::size_t to) {
    const std::string key = "model." + name;
    return !at::equal(ends[from].tensors.at(key), ends[to].tensors.at(key));
  };
  EXPECT_FALSE(moves("layer2.weights", 1, 2)) << "the top's turn";
  EXPECT_TRUE(moves("layer2.weights", 0, 1));
  EXPECT_TRUE(moves("top.joint.weights", 1, 2));
  for (const std::string name :
       {"layer1.weights", "layer1.hidden_bias", "layer1.visible_bias", "layer2.weights", "layer1_generative",
        "layer2_generative", "top.joint.weights", "top.joint.visible_bias", "top.joint.hidden_bias"})
    EXPECT_TRUE(moves(name, 2, 3)) << name;
  EXPECT_FALSE(
      at::equal(ends[3].tensors.at("model.layer1.weights"), ends[3].tensors.at("model.layer1_generative")));
}

TEST(LabelledDbnRuns, ACheckpointOfALayerIsTheTiedNetworkOfThen) {
  const Dataset data = noisy_blocks();
  const auto trainer = runs::trainer_for(three_layers("cd"), data, 3, "labelled_dbn");
  Checkpoint top;
  trainer->save = [&](const Checkpoint& c, bool) {
    if (c.stage == 2) top = runs::frozen(c);
  };
  runs::StopAfter never;
  trainer->run(never);
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, top);
  const auto model = load_model(load_checkpoint(path), path);
  const auto& dbn = dynamic_cast<const LabelledDbn&>(*model);
  EXPECT_FALSE(dbn.untied());
  EXPECT_TRUE(dbn.generative_weights(0).is_same(dbn.machine(0).weights));
}

TEST(LabelledDbnRuns, AreTheSameInSittingsOfAnyStage) {
  Dataset data = noisy_blocks();
  data.train.y.masked_fill_(at::arange(60, at::kLong).remainder(5) == 0, -1);
  for (const char* learning : {"cd", "pcd"}) {
    runs::Assignments how = three_layers(learning);
    how.emplace_back("training.average=0.9");
    const Checkpoint whole = runs::straight(how, data, 7, "labelled_dbn");
    EXPECT_EQ(whole.stage, 3);
    // In layer 1, in layer 2, in the top, and twice in up-down, the second time in its other part.
    runs::expect_equal_runs(whole, runs::in_sittings(how, data, {4, 5, 6, 7, 9}, 7, "labelled_dbn"),
                            learning);
    runs::expect_equal_runs(whole, runs::in_sittings(how, data, {6, 6, 6}, 7, "labelled_dbn"), "at the ends");
  }
}

// So many rows that the work is worth the wake-up of threads.
TEST(LabelledDbnRuns, GradientsOfEveryStageAreEqualOnAnyNumberOfThreads) {
  const Rows many = some_rows(20000, 11, true, cells);
  for (int stage = 0; stage < 3; ++stage) {
    std::vector<Tensor> one;
    for (const int count : {1, 4}) {
      const Threads threads(count);
      const auto dbn = random_dbn({.layers = "30,40", .visible = cells}, 0.3, 13);
      Rng rng(17);
      dbn->gradients(many, {.stage = stage, .step = 1, .steps = 2}, rng);
      std::vector<Tensor> now;
      for (const Tensor& p : dbn->parameters())
        if (p.grad().defined()) now.push_back(p.grad().clone());
      ASSERT_FALSE(now.empty());
      if (count == 1) one = now;
      ASSERT_EQ(one.size(), now.size());
      for (std::size_t i = 0; i < one.size(); ++i)
        expect_bit_equal(one[i], now[i], "stage " + std::to_string(stage));
    }
  }
}

// ---------------------------------------------------------------- rows without a label

std::vector<Tensor> gradients_in(LabelledDbn& dbn, const Rows& rows, int stage, std::uint64_t seed = 19) {
  Rng rng(seed);
  dbn.gradients(rows, {.stage = stage}, rng);
  const Stage trained = dbn.stages()[size(stage)];
  std::vector<Tensor> all;
  for (const Tensor& p : trained.phases[0].parameters) all.push_back(p.grad().clone());
  return all;
}

TEST(LabelledDbnLabels, PlayNoPartBelowTheTop) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 23);
  const Rows rows = some_rows(30, 29);
  const auto with = gradients_in(*dbn, rows, 0), without = gradients_in(*dbn, rows.x, 0);
  for (std::size_t i = 0; i < with.size(); ++i) expect_bit_equal(with[i], without[i], "layer 1");
}

// At the top a row without a label is one of log p(h_L-1): on average over labels drawn from p(y | h). With
// exact learning and the means of h nothing else is drawn.
TEST(LabelledDbnLabels, ThatAreUnknownAreSummedOutAtTheTopOnAverage) {
  const auto dbn = random_dbn({.layers = "4,3", .learning = "exact", .inputs = "means"}, 1, 31);
  const Rows rows = some_rows(8, 37);
  const Tensor h = dbn->machine(0).mean_h_given_v(rows.x).detach();
  const Tensor p = dbn->top().log_class_probs(h).exp();
  // The mean over all labels, by the gradients of rows that have them.
  Doubles wanted;
  for (std::int64_t r = 0; r < 8; ++r)
    for (std::int64_t y = 0; y < classes; ++y) {
      Doubles all;
      const Rows one(rows.x.narrow(0, r, 1), at::full({1}, y, at::kLong));
      for (const Tensor& g : gradients_in(*dbn, one, 1))
        for (const double each : doubles(g)) all.push_back(each * p[r][y].item<double>() / 8);
      if (wanted.empty()) wanted.resize(all.size());
      for (std::size_t i = 0; i < all.size(); ++i) wanted[i] += all[i];
    }
  Moments moments;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Doubles now;
    for (const Tensor& each : gradients_in(*dbn, rows.x, 1, seed))
      for (const double g : doubles(each)) now.push_back(g);
    moments.add(now);
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.9);  // 31 numbers
}

TEST(LabelledDbnLabels, ThatAreMissingAltogetherAreADataError) {
  const auto dbn = new_dbn({}, 41);
  Rng rng(43);
  const Rows rows = some_rows(6, 47);
  const auto refused = [](const std::function<void()>& act) { return error_of(ErrorKind::data, act); };
  expect_says(refused([&] { dbn->initialise(rows.x, rng); }), {"labelled_dbn", "label", "none among 6"});
  expect_says(refused([&] {
                dbn->initialise({rows.x, at::full({6}, -1, at::kLong)}, rng);
              }),
              {"label", "none among 6"});
  expect_says(refused([&] {
                dbn->initialise({rows.x, at::full({6}, classes, at::kLong)}, rng);
              }),
              {"labels from 0 to 2", "3"});
  expect_says(refused([&] { LabelledDbn({}, {}, bits_shape(columns, 0)); }), {"labelled_dbn", "labels"});
  Dataset data = noisy_blocks();
  data.train.y = Tensor();
  expect_says(refused([&] {
                runs::StopAfter never;
                runs::trainer_for({"model.layers=4,3"}, data, 3, "labelled_dbn")->run(never);
              }),
              {"labelled_dbn", "none among 60"});
}

// ---------------------------------------------------------------- options and bad input

TEST(LabelledDbnOptions, ThatDoNotFitAreRefused) {
  const auto refused = [](const std::string& layers, const std::string& steps, const std::string& learning) {
    return error_of(ErrorKind::usage, [&] {
      LabelledDbnOptions options;
      options.layers = layers;
      LabelledDbnLearning how;
      how.up_down_steps = steps, how.learning = learning;
      LabelledDbn(options, how, bits_shape(columns, classes));
    });
  };
  expect_says(refused("", "3", "cd"), {"model.layers"});
  expect_says(refused("4,x", "3", "cd"), {"model.layers", "4,x"});
  expect_says(refused("4,3", "", "cd"), {"training.up_down_steps"});
  expect_says(refused("4,3", "3,0", "cd"), {"training.up_down_steps"});
  expect_says(refused("4,40", "3", "exact"), {"training.learning", "40 hidden"});
  LabelledDbnOptions options;
  for (const FieldText& field : describe_options(options)) EXPECT_NE(field.name, "hidden");
  LabelledDbnLearning learning;
  for (const FieldText& field : describe_options(learning)) EXPECT_NE(field.name, "objective");
}

TEST(LabelledDbnOptions, WithoutUpDownNoWeightsAreUntied) {
  const auto dbn = new_dbn({.up_down = 0}, 53);
  EXPECT_EQ(dbn->stages().size(), 2U);
  EXPECT_FALSE(dbn->untied());
  for (const auto& item : dbn->named_parameters())
    EXPECT_EQ(item.key().find("generative"), std::string::npos) << item.key();
}

TEST(LabelledDbnData, IsRefusedWithTheReason) {
  const auto refused = [](const std::function<void()>& act) { return error_of(ErrorKind::data, act); };
  for (const std::string layers : {"4,3", "4"}) {
    const auto dbn = new_dbn({.layers = layers}, 59);
    const Tensor x = some_rows(6, 61).x;
    dbn->check_data(x, "rows");
    Tensor gaps = x.clone(), grey = x.clone();
    gaps[2][4] = std::nanf(""), grey[1][3] = 0.5;
    expect_says(refused([&] { dbn->check_data(gaps, "rows", 10); }), {"missing cell", "row 12", "column 4"});
    expect_says(refused([&] { dbn->check_data(grey, "rows"); }), {"0 or 1", "row 1", "column 3"});
    new_dbn({.layers = layers, .visible_units = "expected_bits", .values = ValueKind::grey}, 59)
        ->check_data(grey, "rows");
  }
  DataShape real = bits_shape(columns, classes);
  real.values = ValueKind::real;
  expect_says(refused([&] { LabelledDbn({}, {}, real); }), {"labelled_dbn", "binary", "column 0"});
}

}  // namespace
}  // namespace deepgen::labelled_dbn_runs_test
