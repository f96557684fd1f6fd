// study cd-bias: the table, the files it writes, and what it refuses.
#include "small_runs.h"

namespace deepgen::command::study_test {
namespace {

const std::string small =
    "study cd-bias --quiet --visible 4 --hidden 3 --machines 2 --scales 0.25,1 --steps 1,5 ";

TEST(Study, PrintsTheTableAndJsonOfTheSameFigures) {
  const Workplace place;
  const Result text = place.must(small);
  for (const char* part : {"relative error", "lambda^k", "4 visible and 3 hidden units, 2 machines"})
    EXPECT_TRUE(contains(text.out, part)) << part << text;
  EXPECT_EQ(lines_of(text.out).size(), 6U) << text;
  const Json json = Json::parse(place.must(small + "--json").out);
  ASSERT_EQ(json.at("rows").size(), 4U);
  EXPECT_EQ(json.at("rows")[3].at("scale"), 1);
  EXPECT_EQ(json.at("rows")[3].at("steps"), 5);
  EXPECT_LT(json.at("rows")[1].at("relative_error"), json.at("rows")[0].at("relative_error"));
  EXPECT_TRUE(place.names().empty());
}

TEST(Study, HangsOnTheSeedAndNotOnThreads) {
  const Workplace place;
  const std::string first = place.must(small + "--json --threads 1").out;
  EXPECT_EQ(place.must(small + "--json --threads 3").out, first);
  EXPECT_NE(place.must(small + "--json --seed 2").out, first);
}

TEST(Study, WritesAPageOrAPicture) {
  const Workplace place;
  place.must(small + "--out study.html");
  place.must(small + "--out study.svg");
  const std::string page = place.read("study.html"), picture = place.read("study.svg");
  for (const char* part : {"<!DOCTYPE html>", "<svg class=\"chart\"", "<table>", "weights 0.25"})
    EXPECT_TRUE(contains(page, part)) << part;
  for (const char* part : {"xmlns=\"http://www.w3.org/2000/svg\"", "class=\"line series-1\"", "weights 1"})
    EXPECT_TRUE(contains(picture, part)) << part;
}

TEST(Study, RefusesWhatCannotBe) {
  const Workplace place;
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"study", "STUDY"},
      {"study cd-bais", "'cd-bias'"},
      {"study cd-bias --visible 11", "--visible"},
      {"study cd-bias --hidden 0", "--hidden"},
      {"study cd-bias --steps 5,2", "--steps"},
      {"study cd-bias --scales 1,x", "--scales"},
      {"study cd-bias --scales 0", "--scales"},
      {"study cd-bias --machines 0", "--machines"},
      {"study cd-bias --out x.png", ".svg"},
      {"study cd-bias --step 5", "'--steps'"},
  };
  for (const auto& [line, part] : lines) expect_refused(place.run(line), 2, {part});
  EXPECT_TRUE(place.names().empty());
}

// Two runs for each number of labels, from each kind of machine; a second time nothing is trained.
TEST(LabelEfficiency, ComparesStartsAndGoesOnWhereItWas) {
  const Workplace place;
  const std::string data = "glyphs:binarize=threshold,train=120,valid=30,test=40 ";
  for (const std::string model : {"rbm", "dbn", "dbm"}) {
    SCOPED_TRACE(model);
    const std::string layers = model == "rbm"   ? "model.hidden=8"
                               : model == "dbn" ? "model.layers=8,6"
                                                : "model.hidden=8,6";
    place.must("train " + model + " --quiet --data " + data + "--out " + model + " --set training.epochs=2 " +
               layers);
    const std::string study = "study label-efficiency " + model + " --quiet --labels 20,all --out of-" +
                              model + " --set training.epochs=2 training.passes=1 --json";
    const Json json = Json::parse(place.must(study).out);
    EXPECT_EQ(json.at("data"), "glyphs:binarize=threshold,train=120,valid=30,test=40");
    EXPECT_EQ(json.at("test_rows"), 40);
    ASSERT_EQ(json.at("rows").size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(json.at("rows")[i].at("labels"), i < 2 ? 20 : 120);
      EXPECT_EQ(json.at("rows")[i].at("start"), i % 2 == 0 ? "random" : "machine");
      EXPECT_GE(json.at("rows")[i].at("accuracy"), 0);
      EXPECT_LE(json.at("rows")[i].at("accuracy"), 100);
    }
    EXPECT_TRUE(contains(place.read("of-" + model + "/index.html"), "<svg"));
    EXPECT_EQ(Json::parse(place.read("of-" + model + "/table.json")), json);
    const std::string curve = "of-" + model + "/labels-20/machine-1/metrics.jsonl",
                      before = place.read(curve);
    EXPECT_EQ(Json::parse(place.must(study).out), json);
    EXPECT_EQ(place.read(curve), before);
    EXPECT_NE(place.read("of-" + model + "/labels-20/random-1/metrics.jsonl"), before);
  }
  expect_refused(place.run("study label-efficiency rbm"), 2, {"--out"});
  expect_refused(place.run("study label-efficiency --out x"), 2, {"RUN"});
  expect_refused(place.run("study label-efficiency rbm --out x --labels 0"), 2, {"--labels"});
  expect_refused(place.run("study cd-bias rbm"), 2, {"cd-bias"});
  place.must("train naive_bayes --quiet --data " + data + "--out other");
  expect_refused(place.run("study label-efficiency other --out x"), 2, {"naive_bayes"});
}

}  // namespace
}  // namespace deepgen::command::study_test
