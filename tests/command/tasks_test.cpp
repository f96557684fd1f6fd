// What is done with a run: sample, score, evaluate, complete, encode, reconstruct; shapes, values, seeds,
// honesty.
#include <algorithm>
#include <cmath>

#include "small_runs.h"

namespace deepgen::command::tasks_test {
namespace {

const std::string one_thread = " --threads 1";

Table table_of(const Workplace& place, const std::string& name) {
  const std::string content = place.read(name);
  return name.ends_with(".npy") ? read_npy_table(content) : read_csv_table(content);
}

double mean_of(const Table& table) {
  double sum = 0;
  for (const auto& row : table.rows) sum += row.at(0);
  return sum / static_cast<double>(table.rows.size());
}

Json evaluation(const Workplace& place, const std::string& line) {
  const Result result = place.must("evaluate run --json --threads 1 --data " + line);
  return Json::parse(result.out);  // throws when there is anything beside the object
}

TEST(Sample, ToEachFormat) {
  const Workplace& place = bars_run().place;
  place.must("sample run -n 12 --seed 4 --out a.csv" + one_thread);
  place.must("sample run -n 12 --seed 4 --out a.npy" + one_thread);
  place.must("sample run -n 12 --seed 4 --out a.png" + one_thread);
  const Table csv = table_of(place, "a.csv"), npy = table_of(place, "a.npy");
  EXPECT_EQ(npy.rows.size(), 12U);
  EXPECT_EQ(npy.columns(), bars_columns);
  EXPECT_TRUE(only_bits(npy));
  EXPECT_EQ(csv.rows, npy.rows);
  const PictureSize size = read_png_size(place.read("a.png"));
  EXPECT_GE(size.width * size.height, 12 * bars_columns);
}

// More rows than are drawn or written at a time: both files have them all, in one order, and nothing beside them.
TEST(Sample, InSeveralBlocksIsOneFile) {
  const Workplace& place = bars_run().place;
  for (const char* name : {"many.csv", "many.npy"})
    place.must(std::string("sample run -n 10050 --rows 2 --between 1 --steps 1 --out ") + name + one_thread);
  const Table csv = table_of(place, "many.csv"), npy = table_of(place, "many.npy");
  EXPECT_EQ(npy.rows.size(), 20100U);
  EXPECT_TRUE(only_bits(npy));
  EXPECT_EQ(csv.rows, npy.rows);
  place.must("complete run --hide 0.3 --steps 1 --draws 2 --out all.csv --spread doubt.npy --data many.npy" +
             one_thread);
  EXPECT_EQ(table_of(place, "all.csv").rows.size(), 20100U);
  EXPECT_EQ(table_of(place, "doubt.npy").rows.size(), 20100U);
  for (const std::string& name : place.names())
    EXPECT_FALSE(contains(name, ".tmp")) << "a temporary file is left: " << name;
}

TEST(Sample, SeedsDecide) {
  const Workplace& place = bars_run().place;
  for (const char* end : {"csv", "npy", "png"}) {
    const std::string kind = end;
    place.must("sample run -n 20 --seed 1 --out first." + kind + one_thread);
    place.must("sample run -n 20 --seed 1 --out same." + kind + " --threads 2");
    place.must("sample run -n 20 --seed 2 --out other." + kind + one_thread);
    EXPECT_EQ(place.read("first." + kind), place.read("same." + kind)) << kind;
    EXPECT_NE(place.read("first." + kind), place.read("other." + kind)) << kind;
  }
}

TEST(Sample, SaysNothingOnStdout) {
  const Workplace& place = bars_run().place;
  const Result result = place.must("sample run -n 3 --out quiet.csv" + one_thread);
  EXPECT_EQ(result.out, "") << result;
  EXPECT_EQ(result.err.find_first_of("\r\x1b"), std::string::npos) << result;
}

TEST(Sample, ReadsARunByItsCheckpointToo) {
  const Workplace& place = bars_run().place;
  place.must("sample run -n 5 --out by_folder.csv" + one_thread);
  place.must("sample run/model.safetensors -n 5 --out by_file.csv" + one_thread);
  EXPECT_EQ(place.read("by_folder.csv"), place.read("by_file.csv"));
}

TEST(Sample, AConditionNeedsAConditionalModel) {
  expect_refused(bars_run().place.run("sample run -n 3 --out x.csv --given y=3"), 2, {"given"});
}

TEST(Evaluate, JsonIsOneObject) {
  const Json result = evaluation(bars_run().place, bars + std::string(" --split test"));
  EXPECT_EQ(result.at("model"), "rbm");
  EXPECT_EQ(result.at("data"), bars);
  EXPECT_EQ(result.at("split"), "test");
  ASSERT_FALSE(result.at("scores").empty());
  for (const Json& score : result.at("scores"))
    for (const char* key : {"metric", "kind", "value", "standard_error", "unit", "rows", "how"})
      EXPECT_TRUE(score.contains(key)) << key << " in " << score;
  const Json& first = result.at("scores").at(0);
  EXPECT_EQ(first.at("metric"), "log_prob");
  EXPECT_EQ(first.at("kind"), "exact");
  EXPECT_EQ(first.at("unit"), "nats");
  EXPECT_EQ(first.at("rows"), 100);
  EXPECT_LT(first.at("value").get<double>(), 0);
  EXPECT_GT(first.at("standard_error").get<double>(), 0);
}

TEST(Evaluate, SaysHowMuchMemoryItTook) {
  const Workplace& place = bars_run().place;
  const double most = evaluation(place, bars).at("peak_memory_bytes");
  EXPECT_GT(most, 20 << 20) << "torch alone takes more";
  const Result shown = place.must(std::string("evaluate run --threads 1 --data ") + bars);
  EXPECT_TRUE(contains(shown.out, "peak memory")) << shown;
  EXPECT_TRUE(contains(place.read("run/report.html"), "): peak memory "));
  EXPECT_GT(Json::parse(place.read("run/run.json")).at("peak_memory_bytes").get<double>(), 20 << 20);
}

TEST(Evaluate, ProxiesAreNotCalledLikelihood) {
  for (const Json& score : evaluation(bars_run().place, bars).at("scores")) {
    if (score.at("kind") == "proxy") {
      EXPECT_NE(score.at("metric"), "log_prob");
      continue;
    }
    EXPECT_EQ(score.at("metric"), "log_prob");
  }
}

TEST(Evaluate, ManyUnitsGiveAnEstimateWithItsBracket) {
  const Json score = evaluation(glyphs_run().place, glyphs).at("scores").at(0);
  EXPECT_EQ(score.at("metric"), "log_prob");
  EXPECT_EQ(score.at("kind"), "estimate");
  EXPECT_LE(score.at("lower").get<double>(), score.at("value").get<double>() + 1e-9);
  EXPECT_GE(score.at("upper").get<double>(), score.at("value").get<double>() - 1e-9);
  EXPECT_TRUE(contains(score.at("how").get<std::string>(), "annealed"));
}

TEST(Evaluate, FeaturesStandBesideTheOtherScores) {
  const Json plain = evaluation(glyphs_run().place, glyphs + std::string(" --ais quick"));
  const Json scores =
      evaluation(glyphs_run().place, glyphs + std::string(" --ais quick --features --feature-rows 200"))
          .at("scores");
  ASSERT_EQ(scores.size(), plain.at("scores").size() + 4);
  for (std::size_t i = 0; i < plain.at("scores").size(); ++i)
    EXPECT_EQ(scores.at(i), plain.at("scores").at(i));
  std::vector<std::string> names;
  for (std::size_t i = scores.size() - 4; i < scores.size(); ++i) {
    const Json& score = scores.at(i);
    names.push_back(score.at("metric"));
    EXPECT_EQ(score.at("kind"), "proxy");
    EXPECT_EQ(score.at("unit"), "percent");
    EXPECT_EQ(score.at("rows"), 100);
    EXPECT_LT(score.at("value"), 60) << score;  // of ten digits chance leaves 90
    EXPECT_TRUE(contains(score.at("how").get<std::string>(), "200 of 500 training rows")) << score;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"linear_error_code", "linear_error_raw",
                                             "nearest_neighbour_error_code", "nearest_neighbour_error_raw"}));
}

TEST(Evaluate, FeaturesThatCannotBeJudged) {
  const Workplace& place = bars_run().place;
  const std::string line = "evaluate run --threads 1 --data " + std::string(bars);
  expect_refused(place.run(line + " --features --split train"), 2, {"--features", "valid or test"});
  expect_refused(place.run(line + " --feature-rows 100"), 2, {"--feature-rows", "--features"});
  expect_refused(place.run(line + " --features --feature-rows 9"), 2, {"--feature-rows"});
  place.must("sample run -n 40 --out rows.npy --threads 1");
  expect_refused(place.run("evaluate run --threads 1 --features --data rows.npy:test=0.5"), 3, {"no labels"});
}

TEST(Evaluate, RemembersTheScoresInTheRun) {
  const Workplace& place = bars_run().place;
  const Json result = evaluation(place, bars);
  const Json kept = Json::parse(place.read("run/run.json")).at("evaluations");
  EXPECT_NE(std::find(kept.begin(), kept.end(), result), kept.end());
  const std::string text = place.must(std::string("evaluate run --threads 1 --data ") + bars).out;
  EXPECT_TRUE(contains(text, "exact") && contains(text, "nats")) << text;
}

TEST(Evaluate, EachSplitIsItsOwn) {
  const Workplace& place = bars_run().place;
  const Json train = evaluation(place, bars + std::string(" --split train")).at("scores").at(0);
  EXPECT_EQ(train.at("rows"), 500);
  expect_refused(
      place.run("evaluate run --quiet --split valid --data bars_and_stripes:train=50,valid=0,test=20"), 3,
      {"valid"});
}

// log p of each row by enumeration of the hidden states, from the tensors of the file alone.
std::vector<double> log_probs_by_enumeration(const StoredRun& run, const Table& rows) {
  const std::vector<float> w = run.tensors.at("model.weights").floats(),
                           b = run.tensors.at("model.visible_bias").floats(),
                           c = run.tensors.at("model.hidden_bias").floats();
  double z = 0;
  for (std::size_t state = 0; state < (std::size_t{1} << c.size()); ++state) {
    double energy = 0;
    for (std::size_t j = 0; j < c.size(); ++j) energy += (state >> j & 1) != 0 ? c[j] : 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      double input = b[i];
      for (std::size_t j = 0; j < c.size(); ++j) input += (state >> j & 1) != 0 ? w[i * c.size() + j] : 0;
      energy += std::log1p(std::exp(input));
    }
    z += std::exp(energy);
  }
  std::vector<double> result;
  for (const auto& v : rows.rows) {
    double energy = 0;
    for (std::size_t i = 0; i < b.size(); ++i) energy += v[i] * b[i];
    for (std::size_t j = 0; j < c.size(); ++j) {
      double input = c[j];
      for (std::size_t i = 0; i < b.size(); ++i) input += v[i] * w[i * c.size() + j];
      energy += std::log1p(std::exp(input));
    }
    result.push_back(energy - std::log(z));
  }
  return result;
}

TEST(Score, IsTheLogProbabilityOfEachRow) {
  const Workplace& place = bars_run().place;
  place.must("sample run -n 50 --out rows.csv" + one_thread);
  place.must("score run --data rows.csv --out scores.csv" + one_thread);
  place.must("score run --data rows.csv --out scores.npy" + one_thread);
  const Table csv = table_of(place, "scores.csv"), npy = table_of(place, "scores.npy");
  const std::vector<double> expected =
      log_probs_by_enumeration(bars_run().stored(), table_of(place, "rows.csv"));
  ASSERT_EQ(csv.rows.size(), 50U);
  ASSERT_EQ(npy.rows.size(), 50U);
  for (std::size_t r = 0; r < 50; ++r) {
    ASSERT_EQ(csv.rows[r].size(), 1U);
    EXPECT_NEAR(csv.rows[r][0], expected[r], 1e-4) << r;
    EXPECT_NEAR(npy.rows[r][0], expected[r], 1e-4) << r;
  }
}

TEST(Score, MeanIsTheEvaluatedValue) {
  const Workplace& place = bars_run().place;
  place.must(std::string("score run --out all.npy --data ") + bars + one_thread);
  EXPECT_NEAR(mean_of(table_of(place, "all.npy")), evaluation(place, bars).at("scores").at(0).at("value"),
              1e-6);
}

TEST(Score, MeanIsTheEvaluatedValueOfAnEstimateToo) {
  const Workplace& place = glyphs_run().place;
  place.must(std::string("score run --seed 6 --out all.npy --data ") + glyphs + one_thread);
  const Json score = evaluation(place, glyphs + std::string(" --seed 6")).at("scores").at(0);
  EXPECT_NEAR(mean_of(table_of(place, "all.npy")), score.at("value"), 1e-6);
}

// What is written of a row is a draw of an estimator, and is called so; its mean is what is bounded.
TEST(Score, OfABoundIsAnEstimateRowByRow) {
  const Workplace place;
  place.must(std::string("train vae --out run --data ") + bars +
             " --set model.hidden=8 model.latent=2 training.epochs=1" + one_thread);
  const Result result =
      place.must(std::string("score run --samples 5 --out scores.csv --data ") + bars + one_thread);
  EXPECT_TRUE(contains(result.err, "100 estimates of log-probabilities")) << result;
  EXPECT_TRUE(contains(result.err, "their mean is a lower bound")) << result;
  EXPECT_FALSE(contains(result.err, "lower bounds")) << result;
  const Table scores = table_of(place, "scores.csv");
  EXPECT_EQ(scores.names, Words{"log_prob_estimate"});
  EXPECT_EQ(scores.rows.size(), 100U);
}

TEST(Score, NamesItsColumnByWhatItProves) {
  bars_run().place.must(std::string("score run --out column.csv --data ") + bars + one_thread);
  EXPECT_EQ(table_of(bars_run().place, "column.csv").names, Words{"log_prob"});
  glyphs_run().place.must(std::string("score run --ais quick --out column.csv --data ") + glyphs +
                          one_thread);
  EXPECT_EQ(table_of(glyphs_run().place, "column.csv").names, Words{"log_prob_estimate"});
}

// Rows of bars with every third cell missing.
std::vector<std::vector<std::string>> rows_with_holes() {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t r = 0; r < 6; ++r) {
    rows.emplace_back();
    for (std::size_t j = 0; j < bars_columns; ++j)
      rows.back().push_back((r + j) % 3 == 0 ? "" : (j / 4 + r) % 2 == 0 ? "1" : "0");
  }
  return rows;
}

void expect_completed(const std::vector<std::vector<std::string>>& holes, const Table& completed) {
  ASSERT_EQ(completed.rows.size(), holes.size());
  EXPECT_TRUE(only_bits(completed));
  for (std::size_t r = 0; r < holes.size(); ++r) {
    ASSERT_EQ(completed.rows[r].size(), holes[r].size());
    for (std::size_t j = 0; j < holes[r].size(); ++j) {
      if (holes[r][j].empty()) continue;
      EXPECT_EQ(completed.rows[r][j], std::stod(holes[r][j])) << r << ", " << j;
    }
  }
}

TEST(Complete, FillsEmptyCellsOfATable) {
  const Workplace& place = bars_run().place;
  auto holes = rows_with_holes();
  holes.emplace_back(bars_columns, "");   // nothing known
  holes.emplace_back(bars_columns, "1");  // everything known
  std::vector<std::string> names;
  for (std::size_t j = 0; j < bars_columns; ++j) names.push_back("pixel" + std::to_string(j));
  place.write("holes.csv", encode_csv_table({names}) + encode_csv_table(holes));
  const Result result = place.must("complete run --data holes.csv --out filled.csv" + one_thread);
  EXPECT_EQ(result.out, "") << result;
  const Table filled = table_of(place, "filled.csv");
  EXPECT_EQ(filled.names, names);
  expect_completed(holes, filled);
  place.must("complete run --data holes.csv --out again.csv" + one_thread);
  EXPECT_EQ(place.read("filled.csv"), place.read("again.csv"));
}

TEST(Complete, FillsNaNOfAnArray) {
  const Workplace& place = bars_run().place;
  const auto holes = rows_with_holes();
  std::vector<std::vector<float>> numbers;
  for (const auto& row : holes) {
    numbers.emplace_back();
    for (const std::string& cell : row) numbers.back().push_back(cell.empty() ? NAN : std::stof(cell));
  }
  place.write("holes.npy", encode_npy_table(numbers));
  place.must("complete run --data holes.npy --out filled.npy" + one_thread);
  expect_completed(holes, table_of(place, "filled.npy"));
  place.must("complete run --data holes.npy --out filled.png" + one_thread);
  EXPECT_GT(read_png_size(place.read("filled.png")).width, 0U);
}

TEST(Complete, DrawsGiveTheMostFrequentValueAndItsShare) {
  const Workplace& place = bars_run().place;
  const auto holes = rows_with_holes();
  place.write("holes.csv", encode_csv_table(holes));
  const std::string line = "complete run --data holes.csv --steps 20 --out ";
  place.must(line + "one.npy --draws 1" + one_thread);
  place.must(line + "plain.npy" + one_thread);
  EXPECT_EQ(place.read("one.npy"), place.read("plain.npy"));
  place.must(line + "many.csv --draws 9 --spread spread.npy" + one_thread);
  expect_completed(holes, table_of(place, "many.csv"));
  const Table spread = table_of(place, "spread.npy");
  ASSERT_EQ(spread.rows.size(), holes.size());
  for (std::size_t r = 0; r < holes.size(); ++r)
    for (std::size_t j = 0; j < holes[r].size(); ++j) {
      const double value = spread.rows[r][j];
      EXPECT_EQ(std::isnan(value), !holes[r][j].empty()) << r << ", " << j;
      if (std::isnan(value)) continue;
      EXPECT_NEAR(9 * value, std::round(9 * value), 1e-5) << "a share of nine";
      EXPECT_LT(value, 0.5);
    }
}

TEST(Encode, GivesAFeatureAHiddenUnit) {
  const Workplace& place = bars_run().place;
  for (const char* name : {"codes.npy", "codes.csv"}) {
    const Result result =
        place.must(std::string("encode run --data ") + bars + " --out " + name + one_thread);
    EXPECT_EQ(result.out, "") << result;
    const Table codes = table_of(place, name);
    EXPECT_EQ(codes.rows.size(), 100U);
    EXPECT_EQ(codes.columns(), bars_hidden);
    for (const auto& row : codes.rows)
      for (const double value : row) EXPECT_TRUE(value >= 0 && value <= 1) << value;
  }
}

TEST(Reconstruct, GivesRowsOfTheDatasShape) {
  const Workplace& place = bars_run().place;
  place.must(std::string("reconstruct run --out back.npy --split train --data ") + bars + one_thread);
  place.must(std::string("reconstruct run --out back.png --data ") + bars + one_thread);
  const Table back = table_of(place, "back.npy");
  EXPECT_EQ(back.rows.size(), 500U);
  EXPECT_EQ(back.columns(), bars_columns);
  for (const auto& row : back.rows)
    for (const double value : row) EXPECT_TRUE(value >= 0 && value <= 1) << value;
  EXPECT_GT(read_png_size(place.read("back.png")).width, 0U);
}

}  // namespace
}  // namespace deepgen::command::tasks_test
