// train auto: what it tries, chooses and keeps; training of tables where nothing is said of its length.
#include <algorithm>

#include "program.h"
#include "run_files.h"

namespace deepgen::command::auto_train_test {
namespace {

// b says what a does, d follows both; c is free.
std::string survey(int rows) {
  std::string text = "a,b,c,d\n";
  for (int i = 0; i < rows; ++i) {
    const bool a = i * 7 % 3 == 0, c = i % 2 == 0;
    text += std::string(a ? "yes,ja," : "no,nein,") + (c ? "up," : "down,") + (a && c ? "x\n" : "y\n");
  }
  return text;
}

TEST(AutoTrain, KeepsTheModelWithTheBestValidationScoreAndSaysSo) {
  const Workplace place;
  place.write("survey.csv", survey(300));
  const Result done = place.must("train auto --data survey.csv --out run --budget 12s --threads 1 --seed 2");
  const Json run = Json::parse(place.read("run/run.json"));
  const Json& choice = run.at("auto");
  const std::string chosen = choice.at("chosen");
  EXPECT_TRUE(chosen.starts_with(run.at("model").get<std::string>())) << chosen;
  const bool refitted = choice.at("refitted");
  EXPECT_EQ(contains(run.at("data").get<std::string>(), "valid="), !refitted);
  EXPECT_TRUE(contains(done.err, "chosen: " + chosen)) << done;
  double kept = 0, best = -1e300;
  int scored = 0;
  for (const Json& each : choice.at("tries")) {
    EXPECT_TRUE(each.contains("score") || each.contains("reason")) << each.dump();
    if (!each.contains("score")) continue;
    ++scored;
    const double score = each.at("score");
    if (each.at("model") == chosen) kept = score;
    if (each.at("score_kind") != "estimate") best = std::max(best, score);
  }
  EXPECT_GE(scored, 2) << done;
  EXPECT_GE(kept, best) << done;
  EXPECT_TRUE(refitted || run.contains("baselines"));
  const Result scores =
      place.must("evaluate run --data survey.csv:valid=0.1 --split valid --threads 1 --json");
  for (const char* part : {"baseline_independent", "baseline_chow_liu"})
    EXPECT_TRUE(contains(scores.out, part)) << scores;
  place.must("sample run -n 5 --out samples.csv --threads 1");
}

// Every seventh b is missing.
TEST(AutoTrain, OfATableWithGapsKeepsTheModelThatFillsThemBest) {
  const Workplace place;
  std::string text = "a,b,c,d\n";
  auto rows = cells_of(survey(300));
  for (std::size_t i = 1; i < rows.size(); ++i)
    text += rows[i][0] + "," + (i % 7 == 0 ? "" : rows[i][1]) + "," + rows[i][2] + "," + rows[i][3] + "\n";
  place.write("holes.csv", text);
  const Result done = place.must("train auto --data holes.csv --out run --budget 12s --threads 1 --seed 2");
  const Json choice = Json::parse(place.read("run/run.json")).at("auto");
  double kept = -1, best = 1e300;
  for (const Json& each : choice.at("tries")) {
    if (!each.contains("gap_error")) continue;
    const double error = each.at("gap_error");
    if (each.at("model") == choice.at("chosen")) kept = error;
    best = std::min(best, error);
  }
  EXPECT_EQ(kept, best) << done;
  EXPECT_TRUE(contains(done.err, "the table has gaps")) << done;
}

TEST(AutoTrain, RefusesWhatItCannotChooseAmong) {
  const Workplace place;
  place.write("few.csv", survey(10));
  expect_refused(place.run("train auto --data few.csv --out run --quiet"), 2, {"train auto", "20"});
  expect_refused(place.run("train auto --out run --quiet"), 2, {"--data"});
  expect_refused(place.run("train auto --data few.csv --out run --quiet --set training.epochs=2"), 2,
                 {"--set"});
  expect_refused(place.run("train rbm --data few.csv --out run --quiet --choose gaps"), 2, {"--choose"});
  expect_refused(place.run("train auto --data few.csv --out run --quiet --choose best"), 2, {"likelihood"});
  expect_refused(place.run("train auto --data bars_and_stripes --out run --quiet"), 2, {"table"});
}

// The defaults of a table are recorded, and a run that is stopped by the time goes on under them.
TEST(TableTraining, GoesOnAsItBegan) {
  const Workplace place;
  place.write("survey.csv", survey(60));
  const std::string line =
      "train rbm --data survey.csv --threads 1 --set model.hidden=4 training.updates=1200 --out ";
  place.must(line + "whole");
  place.must(line + "parts --budget 0.2s");
  place.must(line + "parts --resume");
  EXPECT_EQ(differing_tensors(read_stored_run(place.read("parts/model.safetensors")),
                              read_stored_run(place.read("whole/model.safetensors"))),
            Words());
  const Json run = Json::parse(place.read("parts/run.json"));
  EXPECT_EQ(run.at("data"), "survey.csv:valid=0.1");
  EXPECT_EQ(run.at("train_rows"), 54);
  EXPECT_GT(run.at("options").at("training").at("passes"), 1);
  EXPECT_GE(run.at("options").at("training").at("patience"), 10);
}

}  // namespace
}  // namespace deepgen::command::auto_train_test
