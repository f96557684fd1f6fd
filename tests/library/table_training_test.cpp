// How long training is where nothing is said of it, and the choice among models.
#include "deepgen/runs/table_training.h"

#include <fstream>

#include "deepgen/runs/auto_train.h"
#include "deepgen/runs/table_baselines.h"
#include "deepgen/runs/train_into.h"
#include "tests/library/runs.h"

namespace deepgen::table_training_test {
namespace {

using namespace machines;
using namespace runs;

// A row number, and two columns of which one follows the other.
std::string write_table(const fixtures::Folder& folder, int rows) {
  std::string text = "a,b,c\n";
  for (int i = 0; i < rows; ++i)
    text += std::string(i * 7 % 3 == 0 ? "yes,ja," : "no,nein,") + (i % 2 ? "up" : "down") + "\n";
  std::ofstream(folder.path("table.csv")) << text;
  return folder.path("table.csv");
}

TrainingPlan plan_for(const std::string& spec, const Assignments& assignments) {
  return {settings_of(assignments), spec, 1};
}

TEST(TableTraining, CountsUpdatesWhereNothingIsStated) {
  const fixtures::Folder folder;
  TrainingPlan plan = plan_for(write_table(folder, 300), {"model.hidden=4", "training.batch=50"});
  Observer silent;
  const Dataset data = load_for_training(plan, silent);
  EXPECT_EQ(data.valid.rows(), 30);
  EXPECT_EQ(parse_data_spec(plan.data).options.at("valid"), "0.1");
  const TrainingOptions& training = plan.settings.training;
  const std::int64_t pass = (270 + 49) / 50;
  EXPECT_GE(training.passes * pass, 100) << "an epoch is no handful of updates";
  EXPECT_GE(training.epochs * training.passes * pass, training.updates);
  EXPECT_LT((training.epochs - 1) * training.passes * pass, training.updates);
  EXPECT_GE(training.patience, 10);
}

TEST(TableTraining, KeepsWhatIsStated) {
  const fixtures::Folder folder;
  const std::string file = write_table(folder, 300);
  Observer silent;
  TrainingPlan epochs = plan_for(file, {"training.epochs=7"});
  EXPECT_EQ(load_for_training(epochs, silent).valid.rows(), 0);
  EXPECT_EQ(epochs.data, file);
  EXPECT_EQ(epochs.settings.training.epochs, 7);
  EXPECT_EQ(epochs.settings.training.passes, 1);
  EXPECT_EQ(epochs.settings.training.patience, 0);
  TrainingPlan whole = plan_for(file + ":valid=0", {});
  EXPECT_EQ(load_for_training(whole, silent).valid.rows(), 0);
  EXPECT_EQ(whole.settings.training.patience, 0);
  TrainingPlan impatient = plan_for(file, {"training.patience=0"});
  EXPECT_EQ(load_for_training(impatient, silent).valid.rows(), 0);
  TrainingPlan both = plan_for(file, {"training.epochs=7", "training.updates=100"});
  expect_says(error_of(ErrorKind::usage, [&] { load_for_training(both, silent); }), {"training.updates"});
}

// The patience that is planned is one that training takes.
TEST(TableTraining, ModelsThatOnlyReconstructHavePatienceToo) {
  const fixtures::Folder folder;
  TrainingPlan plan(settings_of({"model.layers=4,2", "training.updates=60"}, "deep_autoencoder"),
                    write_table(folder, 100));
  Observer silent;
  const Dataset data = load_for_training(plan, silent);
  EXPECT_EQ(data.valid.rows(), 10);
  EXPECT_GE(plan.settings.training.patience, 10);
  const RunFolder run = RunFolder::create(folder.path("run"), false, true);
  EXPECT_LT(train_into(run, plan, false, data, silent, 0, false).best_score, 0) << "minus an error";
}

TEST(TableTraining, LeavesOtherDataAlone) {
  TrainingPlan plan = plan_for("bars_and_stripes:train=300,valid=20,test=20", {});
  Observer silent;
  load_for_training(plan, silent);
  EXPECT_EQ(plan.settings.training.epochs, TrainingOptions().epochs);
  EXPECT_EQ(plan.settings.training.passes, 1);
  EXPECT_EQ(plan.settings.training.patience, 0);
  TrainingPlan told = plan_for("bars_and_stripes:train=300,valid=20,test=20", {"training.updates=900"});
  load_for_training(told, silent);
  EXPECT_EQ(told.settings.training.epochs * told.settings.training.passes * 3, 2 * 501);
}

TEST(TableTraining, SmallTablesSpareNoRow) {
  const fixtures::Folder folder;
  TrainingPlan plan = plan_for(write_table(folder, 19), {});
  Observer silent;
  EXPECT_EQ(load_for_training(plan, silent).valid.rows(), 0);
}

TEST(Passes, AStoppedRunEndsAsOneThatWasNot) {
  const Dataset data = random_bits(23, 5);
  const Assignments settings = {"model.hidden=3",    "training.epochs=3",        "training.batch=5",
                                "training.passes=4", "training.schedule=linear", "training.momentum=0.5"};
  const Checkpoint whole = straight(settings, data);
  EXPECT_EQ(whole.step, 3 * 4 * 5);
  expect_equal_runs(in_sittings(settings, data, {1, 6, 17, 5}), whole, "stopped within passes and epochs");
}

// The rows and the updates are those of as many epochs: an epoch is only how often there is a look at it.
TEST(Passes, AreTheEpochsOfARunWithoutThem) {
  const Dataset data = random_bits(23, 5);
  const Assignments common = {"model.hidden=3", "training.batch=5"};
  Assignments passes = common, epochs = common;
  passes.insert(passes.end(), {"training.epochs=2", "training.passes=3"});
  epochs.push_back("training.epochs=6");
  const Checkpoint a = straight(passes, data), b = straight(epochs, data);
  EXPECT_EQ(a.step, b.step);
  for (const auto& [name, tensor] : a.tensors)
    if (name.starts_with("model.")) expect_bit_equal(tensor, b.tensors.at(name), name);
}

TEST(SpecWith, SetsAndTakesOut) {
  EXPECT_EQ(spec_with("a.csv", "valid", "0.1"), "a.csv:valid=0.1");
  EXPECT_EQ(spec_with("a.csv:numbers=bins,test=0.2", "numbers", "gaussian"),
            "a.csv:numbers=gaussian,test=0.2");
  EXPECT_EQ(spec_with("a.csv:numbers=bins", "numbers", ""), "a.csv");
}

AutoTry tried(const std::string& model, const std::string& kind, double score) {
  AutoTry made;
  made.model = model, made.status = "done";
  if (!kind.empty()) made.score_name = "valid_log_prob", made.score_kind = kind, made.score = score;
  return made;
}

TEST(AutoTrain, PrefersWhatIsExactUnlessAnEstimateIsClearlyBetter) {
  EXPECT_EQ(best_try({tried("a", "exact", -3), tried("b", "exact", -2), tried("c", "", 0)}), 1);
  EXPECT_EQ(best_try({tried("a", "exact", -3), tried("b", "estimate", -2.6)}), 0);
  EXPECT_EQ(best_try({tried("a", "exact", -3), tried("b", "estimate", -2.4)}), 1);
  EXPECT_EQ(best_try({tried("a", "", 0), tried("b", "estimate", -9)}), 1);
  EXPECT_EQ(best_try({tried("a", "", 0)}), -1);
}

TEST(AutoTries, FillersAreComparedByTheirErrors) {
  std::vector<AutoTry> tries = {tried("a", "exact", -3), tried("b", "exact", -2), tried("c", "exact", -1)};
  EXPECT_EQ(best_filler(tries), -1);
  tries[0].gap_error = 0.2, tries[1].gap_error = 0.1;
  EXPECT_EQ(best_filler(tries), 1) << "the third cannot fill";
}

TEST(MakeModel, RefusesAColumnByItsNameAndSaysWhoTakesIt) {
  const fixtures::Folder folder;
  std::ofstream(folder.path("kinds.csv")) << "a,colour\n1,red\n0,green\n1,blue\n0,red\n1,green\n";
  const Dataset data = load_dataset(folder.path("kinds.csv") + ":categorical=colour,binary=a");
  const std::string said =
      error_of(ErrorKind::data, [&] { make_model(settings_of({}, "bernoulli_mixture"), data); });
  expect_says(said, {"bernoulli_mixture", "'colour'", "kinds.csv", "categorical", "rbm"});
}

}  // namespace
}  // namespace deepgen::table_training_test
