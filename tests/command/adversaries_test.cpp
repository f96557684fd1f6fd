// Adversarial networks from the command line: no likelihood, so tests on samples by themselves.
#include "small_runs.h"

namespace deepgen::command::adversaries_test {
namespace {

const char* const grey_glyphs = "glyphs:train=500,valid=100,test=100,binarize=none";

const Workplace& plain() {
  static const Workplace place;
  static const Result training =
      place.must(std::string("train gan --out run --threads 1 --data ") + grey_glyphs +
                 " --set model.generator=50 model.discriminator=20 training.epochs=2");
  return place;
}

const Workplace& conditional() {
  static const Workplace place;
  static const Result training =
      place.must(std::string("train conditional_dcgan --out run --threads 1 --data ") + grey_glyphs +
                 " --set model.filters=4 model.units=20 training.epochs=2");
  return place;
}

const Json* score_of(const Json& result, const std::string& metric) {
  for (const Json& score : result.at("scores"))
    if (score.at("metric") == metric) return &score;
  return nullptr;
}

TEST(Adversaries, AreJudgedBySamplesUnasked) {
  const Json result =
      Json::parse(plain().must(std::string("evaluate run --json --threads 1 --data ") + grey_glyphs).out);
  for (const char* metric :
       {"parzen_log_density", "parzen_log_density_training_rows", "parzen_log_density_kmeans",
        "two_sample_accuracy", "two_sample_p_value", "mmd2", "mmd2_p_value", "nearest_training_distance"}) {
    const Json* score = score_of(result, metric);
    ASSERT_NE(score, nullptr) << metric;
    EXPECT_EQ(score->at("kind"), "proxy") << metric;
  }
  EXPECT_EQ(score_of(result, "log_prob"), nullptr);
  EXPECT_EQ(score_of(result, "label_recognition"), nullptr) << "no samples given a label";
}

TEST(Adversaries, SampleAndRefuseTheRest) {
  const Workplace& place = plain();
  place.must("sample run -n 12 --threads 1 --out samples.png");
  place.must("sample run -n 12 --threads 1 --out samples.csv");
  EXPECT_EQ(read_csv_table(place.read("samples.csv")).columns(), glyph_columns);
  const std::string data = std::string(" --threads 1 --data ") + grey_glyphs;
  expect_refused(place.run("sample run --given y=3 --threads 1 --out x.csv"), 2,
                 {"--given", "not conditional"});
  expect_refused(place.run("score run --out scores.csv" + data), 2, {"no likelihood"});
  expect_refused(place.run("evaluate run --sample-tests --split train" + data), 2,
                 {"--sample-tests", "valid or test"});
}

TEST(Adversaries, DrawTheClassThatIsAskedFor) {
  const Workplace& place = conditional();
  EXPECT_TRUE(place.has("run/samples-0001.png") && place.has("run/samples.png"));
  place.must("sample run --given y=3 -n 7 --threads 1 --out threes.csv");
  EXPECT_EQ(read_csv_table(place.read("threes.csv")).rows.size(), 7U);
  expect_refused(place.run("sample run --given y=10 -n 7 --threads 1 --out x.csv"), 2, {"--given", "y=9"});
  const Json result = Json::parse(
      place.must(std::string("evaluate run --json --split valid --threads 1 --data ") + grey_glyphs).out);
  ASSERT_NE(score_of(result, "label_recognition"), nullptr);
  EXPECT_EQ(score_of(result, "label_recognition")->at("unit"), "percent");
  EXPECT_GT(score_of(result, "label_recognition_rows")->at("value").get<double>(), 60);
}

TEST(Adversaries, TheConditionalOneWantsPicturesWithLabels) {
  const Workplace place;
  place.write("bits.csv", "a,b\n0,1\n1,1\n1,0\n");
  expect_refused(place.run("train conditional_dcgan --quiet --threads 1 --out none --data bits.csv"), 3,
                 {"conditional_dcgan", "multiples of 4"});
}

// Without rows that it did not learn from nothing is said of an adversarial network, and why.
TEST(Adversaries, WantRowsThatTheyDidNotLearnFrom) {
  const Workplace place;
  std::string rows = "a,b\n";
  for (int i = 0; i < 40; ++i) rows += i % 3 == 0 ? "0.5,1.5\n" : "2.5,-1.25\n";
  place.write("reals.csv", rows);
  const std::string run =
      " --quiet --threads 1 --set training.epochs=1 --set model.generator=5 --set model.discriminator=5";
  place.must("train gan --data reals.csv --out all" + run);
  expect_refused(place.run("evaluate all --threads 1 --data reals.csv"), 3, {"not learnt", ":test=0.2"});
  const auto later = place.must("evaluate all --threads 1 --data reals.csv:test=0.5");
  EXPECT_NE(later.err.find("may be among those that it learnt from"), std::string::npos) << later.err;
  place.must("train gan --data reals.csv:test=0.5 --out some" + run);
  const auto same = place.must("evaluate some --threads 1 --data reals.csv:test=0.5");
  EXPECT_EQ(same.err.find("may be among"), std::string::npos) << same.err;
  EXPECT_NE(same.out.find("two_sample_accuracy"), std::string::npos) << same.out;
  expect_refused(
      place.run("train gan --data reals.csv:valid=0.2 --out stops --set training.patience=2" + run), 2,
      {"training.patience", "no score"});
}

// A model's own name is the model, whatever recipes are called.
TEST(Adversaries, AModelsNameIsTheModelWithItsDefaults) {
  const Workplace place;
  place.write("recipes/gan.toml",
              "model = \"gan\"\ndata = \"glyphs:binarize=none\"\n[training]\nbatch = 77\n");
  place.write("reals.csv", "a,b\n0.5,1\n1,2\n1.5,3\n2.5,3\n");
  place.must("train gan --quiet --threads 1 --data reals.csv --out run --set training.epochs=1");
  EXPECT_EQ(Json::parse(place.read("run/run.json")).at("options").at("training").at("batch"), 100);
  expect_refused(place.run("train gan --quiet --threads 1 --out other"), 2, {"--data"});
}

TEST(Adversaries, AnyModelWithSamplesMayBeAsked) {
  const std::string line = std::string("evaluate run --json --threads 1 --data ") + bars;
  const Json plain = Json::parse(bars_run().place.must(line).out);
  EXPECT_EQ(score_of(plain, "mmd2"), nullptr);
  const Json asked = Json::parse(bars_run().place.must(line + " --sample-tests").out);
  EXPECT_NE(score_of(asked, "log_prob"), nullptr);
  EXPECT_NE(score_of(asked, "mmd2"), nullptr);
}

}  // namespace
}  // namespace deepgen::command::adversaries_test
