// Runs, samples, codes and scores of the deep belief network, and what it refuses.
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/evaluate/normaliser.h"
#include "deepgen/tasks/sampling.h"
#include "deepgen/train/checkpoint.h"
#include "tests/library/runs.h"
#include "tests/library/small_dbns.h"
#include "tests/library/toy_models.h"

namespace deepgen::dbn_runs_test {
namespace {

using namespace small_dbns;

// ---------------------------------------------------------------- runs

struct TrainedInStages {
  TrainedInStages() {
    trainer = runs::trainer_for({"model.layers=4,7", "training.epochs=6", "training.shares=1,2",
                                 "training.batch=5", "training.chains=9"},
                                data, 3, "dbn");
    trainer->save = [&](const Checkpoint& c, bool) { saved.push_back(runs::frozen(c)); };
    runs::StopAfter never;
    trainer->run(never);
    end = runs::frozen(trainer->checkpoint());
  }
  const Checkpoint& end_of(std::int64_t stage) const {
    const Checkpoint* last = nullptr;
    for (const Checkpoint& c : saved)
      if (c.stage == stage) last = &c;
    return *last;
  }
  Dataset data = runs::random_bits(15, columns, 4);
  std::unique_ptr<Trainer> trainer;
  std::vector<Checkpoint> saved;
  Checkpoint end;
};

TEST(DbnRuns, TrainLayerAfterLayerAndLeaveTheLowerOnesAsTheyAre) {
  const TrainedInStages run;
  EXPECT_EQ(run.trainer->stage_names(), (std::vector<std::string>{"layer1", "layer2"}));
  const Checkpoint& first = run.end_of(0);
  EXPECT_EQ(first.step, 2 * 3) << "a third of six epochs of three batches";
  EXPECT_EQ(first.tensors.at("model.depth").item<float>(), 1);
  EXPECT_EQ(run.end.tensors.at("model.depth").item<float>(), 2);
  std::size_t lower = 0;
  for (const auto& [name, tensor] : first.tensors) {
    if (!name.starts_with("model.layer1.")) continue;
    expect_bit_equal(tensor, run.end.tensors.at(name), name);
    ++lower;
  }
  EXPECT_GE(lower, 4U);
  EXPECT_FALSE(
      at::equal(first.tensors.at("model.layer2.weights"), run.end.tensors.at("model.layer2.weights")));
}

TEST(DbnRuns, ACheckpointOfAnEarlierStageIsTheNetworkOfThen) {
  const TrainedInStages run;
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, run.end_of(0));
  const auto model = load_model(load_checkpoint(path), path);
  const auto& dbn = dynamic_cast<const Dbn&>(*model);
  EXPECT_EQ(dbn.depth(), 1U);
  Rng rng(1);
  const Tensor x = all_states(columns);
  expect_near(doubles(dbn.log_prob_bound(x, 2, rng)), doubles(-dbn.machine(0).free_energy(x)), 1e-9,
              "layer 1 alone");
  EXPECT_EQ(dbn.encode(x).size(1), 4);
}

// ---------------------------------------------------------------- samples and codes

TEST(Dbn, SamplesFollowTheProbabilities) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 0.7, 43);
    const Doubles p = probabilities(PlainDbn(*dbn).cases);
    Rng rng(47);
    Observer silent;
    EXPECT_TRUE(can_sample(*dbn));
    EXPECT_FALSE(samples_directly(*dbn));
    expect_drawn_from(sample_model(*dbn, {.count = 20000, .steps = 60}, rng, silent), p, wanted.layers);
    const Tensor means = sample_model(*dbn, {.count = 5000, .steps = 60, .means = true}, rng, silent);
    Doubles wanted_means(size(columns));
    for (std::size_t s = 0; s < p.size(); ++s)
      for (std::int64_t i = 0; i < columns; ++i)
        wanted_means[size(i)] += static_cast<double>(s >> i & 1) * p[s];
    Moments moments;
    for (std::int64_t r = 0; r < means.size(0); ++r) moments.add(doubles(means[r]));
    EXPECT_LT(moments.largest_z(wanted_means, 1e-6), 5.5) << wanted.layers;
  }
}

TEST(Dbn, CodesAreMeansOfTheUppermostLayer) {
  const auto dbn = random_dbn({.layers = "5,4,3"}, 1, 53);
  const Tensor x = some_rows(20, 5);
  Tensor h = x;
  for (std::size_t l = 0; l < 3; ++l)
    h = (h.mm(dbn->machine(l).weights) + dbn->machine(l).hidden_bias).sigmoid().detach();
  expect_near(doubles(dbn->encode(x)), doubles(h), 1e-5, "up");
  for (std::size_t l = 3; l > 0; --l)
    h = (h.mm(dbn->machine(l - 1).weights.t()) + dbn->machine(l - 1).visible_bias).sigmoid().detach();
  expect_near(doubles(dbn->decode(dbn->encode(x))), doubles(h), 1e-5, "down");
}

// ---------------------------------------------------------------- log Z

TEST(DbnScores, AreBoundsWhereLogZIsExact) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 59);
  Observer silent;
  EvaluationPlan plan;
  plan.samples = 5000;
  const auto scores = evaluate_model(*dbn, toys::bits_set(some_rows(200, 7)), "test", plan, Rng(3), silent);
  const PlainDbn plain(*dbn);
  std::map<std::string, Score> test;
  for (const Score& each : scores)
    if (each.split == "test") test[each.metric] = each;
  ASSERT_TRUE(test.contains("log_prob_bound_less_log_z") && test.contains("elbo_less_log_z"));
  const Score &many = test["log_prob_bound_less_log_z"], &one = test["elbo_less_log_z"];
  EXPECT_EQ(many.kind, ScoreKind::lower_bound);
  EXPECT_EQ(one.kind, ScoreKind::lower_bound);
  EXPECT_GT(many.value, one.value);
  EXPECT_NEAR(one.value, plain.mean_bound(some_rows(200, 7)), 0.6);  // one draw for each of 200 rows
  double truth = 0;
  for (const std::int64_t v : state_numbers(some_rows(200, 7))) truth += plain.cases[size(v)] / 200;
  EXPECT_NEAR(many.value, truth, 0.1);
}

// Without weights every annealed chain has the same weight, and log Z a closed form.
TEST(DbnScores, RestOnAnAnnealedLogZOfTheUppermostMachine) {
  Rng rng(61);
  const Tensor rows = bits_tensor(60, 30, rng, 0.3);
  const auto dbn = new_dbn({.layers = "27,26", .visible = 30}, rows, 67);
  ASSERT_FALSE(dbn->exact_log_partition());
  NoGradGuard no_graph;
  Tensor(dbn->machine(1).weights).zero_();
  Observer silent;
  const Normaliser z =
      normaliser_of(*dbn, {.schedule = "linear-20", .chains = 20, .burn_in = 5}, rows, rng, silent);
  const double wanted = at::softplus(dbn->machine(1).visible_bias).sum().item<double>() + 26 * std::log(2.0);
  EXPECT_EQ(z.kind, ScoreKind::estimate);
  EXPECT_NEAR(z.log_z, wanted, 1e-3);
  const auto judged = judge_model(*dbn, toys::bits_set(rows), 5);
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->name, "valid_log_prob_estimate");
  EXPECT_EQ(judged->diverged, "");
}

// ---------------------------------------------------------------- options and bad input

TEST(DbnOptions, HaveItemsForLayers) {
  DbnLearning learning;
  learning.gibbs_steps = "1..25,5";
  EXPECT_EQ(learning.machine(0).gibbs_steps, "1..25");
  EXPECT_EQ(learning.machine(1).gibbs_steps, "5");
  EXPECT_EQ(learning.machine(2).gibbs_steps, "5");
  DbnOptions options;
  options.layers = "7,9,8", options.hidden_units = "rectified,binary";
  EXPECT_EQ(options.machine(1).hidden, 9);
  EXPECT_EQ(options.machine(0).hidden_units, "rectified");
  EXPECT_EQ(options.machine(2).hidden_units, "binary");
  options.check();
  int steps = 0;
  for (const FieldText& field : describe_options(options)) EXPECT_NE(field.name, "hidden");
  for (const FieldText& field : describe_options(learning)) steps += field.name == "gibbs_steps" ? 1 : 0;
  EXPECT_EQ(steps, 1);
}

TEST(DbnOptions, ThatDoNotFitAreRefused) {
  const auto refused = [](const std::string& layers, const std::string& steps, const std::string& shares) {
    return error_of(ErrorKind::usage, [&] {
      DbnOptions options;
      options.layers = layers;
      DbnLearning learning;
      learning.gibbs_steps = steps, learning.shares = shares;
      Dbn(options, learning, bits_shape(columns));
    });
  };
  expect_says(refused("", "1", ""), {"model.layers"});
  expect_says(refused("4,x", "1", ""), {"model.layers", "4,x"});
  expect_says(refused("4,3", "1,2,3", ""), {"training.gibbs_steps", "2", "3"});
  expect_says(refused("4,3", "1,", ""), {"training.gibbs_steps"});
  for (const std::string kinds : {"binary,count", "binary,binary,binary", "binary,odd"})
    expect_says(error_of(ErrorKind::usage,
                         [&] {
                           DbnOptions options;
                           options.layers = "4,3", options.hidden_units = kinds;
                           Dbn(options, {}, bits_shape(columns));
                         }),
                {"model.hidden_units"});
  expect_says(refused("4,3", "1", "1"), {"training.shares", "2", "1"});
  expect_says(refused("4,3", "1", "1,0"), {"training.shares"});
}

TEST(Dbn, RefusesWhatItCannotTake) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 71);
  Tensor x = some_rows(5, 3);
  dbn->check_data(x, "rows");
  x[2][1] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { dbn->check_data(x, "rows", 10); }), {"row 12", "every cell"});
  x[2][1] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { dbn->check_data(x, "rows", 10); }), {"row 12"});
  expect_says(error_of(ErrorKind::usage, [&] { dbn->check_optimiser("adam", 0); }), {"centring"});
}

}  // namespace
}  // namespace deepgen::dbn_runs_test
