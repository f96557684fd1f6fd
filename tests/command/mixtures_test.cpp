// Models with an exact log-probability from the command line: every verb, no chain and no annealing.
#include "small_runs.h"

namespace deepgen::command::mixtures_test {
namespace {

// bars and stripes by a mixture of eight components, in the folder `run`.
const Workplace& trained() {
  static const Workplace place;
  static const Result training =
      place.must(std::string("train bernoulli_mixture --out run --threads 1 --seed 5 --data ") + bars +
                 " --set model.components=8 training.epochs=30 training.batch=200");
  return place;
}

double mean_of(const Table& table) {
  double sum = 0;
  for (const auto& row : table.rows) sum += row.at(0);
  return sum / static_cast<double>(table.rows.size());
}

TEST(Mixture, ScoresExactlyAndTheSameEverywhere) {
  const Workplace& place = trained();
  const std::string data = std::string(" --threads 1 --data ") + bars;
  const Json result = Json::parse(place.must("evaluate run --json" + data).out);
  const Json& score = result.at("scores").at(0);
  EXPECT_EQ(score.at("metric"), "log_prob");
  EXPECT_EQ(score.at("kind"), "exact");
  const Result scored = place.must("score run --out scores.csv" + data);
  EXPECT_TRUE(contains(scored.err, "exact")) << scored;
  EXPECT_NEAR(mean_of(read_csv_table(place.read("scores.csv"))), score.at("value").get<double>(), 1e-6);
}

TEST(Mixture, SamplesCompletesAndEncodes) {
  const Workplace& place = trained();
  const std::string data = std::string(" --threads 1 --data ") + bars;
  place.must("sample run -n 30 --seed 4 --threads 1 --out samples.csv");
  EXPECT_TRUE(only_bits(read_csv_table(place.read("samples.csv"))));
  EXPECT_EQ(read_csv_table(place.read("samples.csv")).rows.size(), 30U);
  const Result picture = place.must("sample run -n 30 --threads 1 --out samples.png");
  EXPECT_FALSE(contains(picture.err, "Gibbs")) << picture;
  place.must("complete run --hide 0.4 --out whole.csv" + data);
  EXPECT_EQ(read_csv_table(place.read("whole.csv")).columns(), bars_columns);
  place.must("encode run --out codes.csv" + data);
  for (const auto& row : read_csv_table(place.read("codes.csv")).rows) {
    double sum = 0;
    for (const double each : row) sum += each;
    ASSERT_NEAR(sum, 1, 1e-5);
  }
}

TEST(Mixture, ARowWithGapsHasItsMarginal) {
  const Workplace& place = trained();
  std::string header, known, gap;
  for (std::size_t j = 0; j < bars_columns; ++j) {
    header += (j ? ",v" : "v") + std::to_string(j);
    known += j ? ",0" : "0";
    gap += j ? "," : "";
  }
  place.write("gaps.csv", header + "\n" + known + "\n" + gap + "\n");
  place.must("score run --threads 1 --out gaps_scores.csv --data gaps.csv");
  const Table scores = read_csv_table(place.read("gaps_scores.csv"));
  EXPECT_LT(scores.rows.at(0).at(0), 0);
  EXPECT_NEAR(scores.rows.at(1).at(0), 0, 1e-6);
  place.must("encode run --threads 1 --out gaps_codes.csv --data gaps.csv");  // p(k | known cells)
  const Table codes = read_csv_table(place.read("gaps_codes.csv"));
  for (const auto& row : codes.rows) {
    double sum = 0;
    for (const double each : row) sum += each;
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  EXPECT_NE(codes.rows.at(0), codes.rows.at(1));
}

TEST(Mixture, ResumesToTheSameBytes) {
  const Workplace place;
  const std::string rest =
      std::string(" --threads 1 --seed 5 --data ") + bars +
      " --set model.components=4 training.batch=200 training.tolerance=0 training.epochs=";
  place.must("train bernoulli_mixture --out whole" + rest + "6");
  place.must("train bernoulli_mixture --out parts" + rest + "2");
  place.must("train bernoulli_mixture --out parts --resume" + rest + "6");
  const StoredRun whole = read_stored_run(place.read("whole/model.safetensors"));
  const StoredRun parts = read_stored_run(place.read("parts/model.safetensors"));
  EXPECT_EQ(whole.tensors, parts.tensors);
}

TEST(Mixture, IsSearchedByItsExactScore) {
  const Workplace place;
  place.must(std::string("search bernoulli_mixture --threads 1 --trials 2 --out choice --data ") + bars +
             " --set training.epochs=4");
  const Json result =
      Json::parse(place.must(std::string("evaluate choice/best --json --threads 1 --data ") + bars).out);
  EXPECT_EQ(result.at("scores").at(0).at("kind"), "exact");
}

TEST(Mixture, NaiveBayesWantsLabels) {
  const Workplace place;
  place.write("bits.csv", "a,b\n0,1\n1,1\n1,0\n");
  expect_refused(place.run("train naive_bayes --quiet --threads 1 --out none --data bits.csv"), 3,
                 {"naive_bayes", "labels"});
  place.must(std::string("train naive_bayes --threads 1 --out run --data ") + bars);
  expect_refused(place.run(std::string("encode run --threads 1 --out codes.csv --data ") + bars), 2,
                 {"encode"});
  place.must("sample run -n 5 --threads 1 --out samples.csv");
}

}  // namespace
}  // namespace deepgen::command::mixtures_test
