// Runs that the first version of the program made (tests/fixtures/version_1, whose README has the commands)
// still open, score and resume.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/evaluate/validation.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/runs/train_into.h"
#include "deepgen/train/trainer.h"
#include "tests/library/runs.h"

namespace deepgen::previous_version_test {
namespace {

using namespace machines;

std::string folder_of(const std::string& model) {
  const std::filesystem::path here = __FILE__;
  return (here.parent_path().parent_path() / "fixtures" / "version_1" / model).string();
}

nlohmann::ordered_json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::ordered_json::parse(file);
}

class PreviousVersion : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Runs, PreviousVersion, ::testing::Values("rbm", "vae", "made", "gaussian_mixture"),
                         [](const auto& about) { return std::string(about.param); });

// The scores that it printed: sums of the same products, so equal but for the rounding of another processor.
TEST_P(PreviousVersion, OpensAndScoresAsItDid) {
  const std::string folder = folder_of(GetParam());
  const RunFolder run = RunFolder::open(folder);
  const std::string path = run.checkpoint_path();
  const Checkpoint checkpoint = load_checkpoint(path);
  const std::shared_ptr<Model> model = load_model(checkpoint, path);
  const nlohmann::ordered_json expected = read_json(folder + "/expected_scores.json");
  const Dataset data = load_dataset(expected.at("data").get<std::string>());
  Rng rng(3);
  Observer silent;
  const std::vector<Score> scores = evaluate_model(*model, data, "test", {}, rng, silent);
  std::size_t found = 0;
  for (const nlohmann::ordered_json& wanted : expected.at("scores")) {
    if (wanted.at("metric") == "reconstruction_error") continue;  // a table's has a name for each kind now
    for (const Score& score : scores) {
      if (wanted.at("metric") != score.metric || wanted.at("split") != score.split) continue;
      ++found;
      EXPECT_STREQ(kind_name(score.kind), wanted.at("kind").get<std::string>().c_str()) << score.metric;
      EXPECT_NEAR(score.value, wanted.at("value").get<double>(), 1e-4) << score.metric << " " << score.split;
    }
  }
  EXPECT_GE(found, 3U) << "scores that the first version had";
}

// To the end of a longer run, as the first version went on from the same place.
TEST_P(PreviousVersion, ResumesAsItDid) {
  const std::string path = folder_of(GetParam()) + "/model.safetensors";
  const Checkpoint from = load_checkpoint(path);
  const Dataset data = load_dataset(from.data.at("spec").get<std::string>());
  Settings settings(from.model), again(from.model);
  for (Settings* each : {&settings, &again}) {
    each->set_all(from.options);
    each->set("training.epochs=6");
  }
  Trainer trainer(make_model(settings, data), data, std::move(again), from.seed);
  trainer.resume(from, path);
  if (settings.training.patience > 0) trainer.validate = validation_score(data, from.seed);
  Observer silent;
  trainer.run(silent);
  const Checkpoint ended = trainer.checkpoint();
  const Checkpoint wanted = load_checkpoint(folder_of(GetParam()) + "/resumed.safetensors");
  EXPECT_EQ(ended.step, wanted.step);
  for (const auto& [name, tensor] : wanted.tensors) {
    ASSERT_TRUE(ended.tensors.contains(name)) << name;
    const Tensor difference = ended.tensors.at(name).to(at::kDouble) - tensor.to(at::kDouble);
    EXPECT_LT(difference.abs().max().item<double>(), 1e-3) << name;
  }
}

// A folder with a best state, by the way that `train --resume` goes. The score in the old file may be of
// another kind than today's: here no epoch could ever beat it.
TEST(PreviousVersionFolder, ResumesWithItsBestStateScoredAnew) {
  const fixtures::Folder place;
  const std::string folder = place.path("run");
  std::filesystem::copy(folder_of("rbm"), folder);
  for (const char* name : {"model.safetensors", "best.safetensors"}) {
    Checkpoint c = load_checkpoint(folder + "/" + name);
    c.state["best"] = 100.0;
    save_checkpoint(folder + "/" + name, c);
  }
  const Checkpoint from = load_checkpoint(folder + "/model.safetensors");
  TrainingPlan plan("rbm", from.data.at("spec").get<std::string>(), from.seed);
  plan.settings.set_all(from.options);
  plan.settings.set("training.epochs=6");
  const Dataset data = load_dataset(plan.data);
  Observer silent;
  const RunFolder run = RunFolder::create(folder, true, false);
  const TrainingResult result = train_into(run, plan, true, data, silent, 0, false);
  double best = -1e300;
  std::size_t epochs = 0;
  for (const nlohmann::ordered_json& line : run.metrics())
    if (line.contains("valid_log_prob"))
      ++epochs, best = std::max(best, line["valid_log_prob"].get<double>());
  EXPECT_EQ(epochs, 6U);
  EXPECT_NEAR(result.best_score, best, 1e-5);
  EXPECT_FALSE(run.has("best.safetensors"));
  const std::string used = run.checkpoint_path();
  EXPECT_EQ(std::filesystem::path(used).filename(), "model.safetensors");
  const auto score = judge_model(*load_model(load_checkpoint(used), used), data, from.seed);
  ASSERT_TRUE(score);
  EXPECT_NEAR(score->value, best, 1e-5) << "the file to use is the best epoch";
}

}  // namespace
}  // namespace deepgen::previous_version_test
