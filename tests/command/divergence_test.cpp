// Training with settings that cannot work: it ends, it is finite, and it says what happened.
#include <algorithm>
#include <cmath>

#include "small_runs.h"

namespace deepgen::command::divergence_test {
namespace {

const std::string wild = std::string("train rbm --out run --threads 1 --data ") + glyphs +
                         " --set model.hidden=20 training.epochs=3 training.rate=1000 ";

std::vector<Json> events_in(const Workplace& place) {
  std::vector<Json> events;
  for (const Json& line : read_json_lines(place.read("run/metrics.jsonl")))
    if (line.contains("event")) events.push_back(line);
  return events;
}

TEST(Divergence, ARateThatIsFarTooHigh) {
  const Workplace place;
  const Result result = place.must(wild);
  for (const auto& [name, tensor] : read_stored_run(place.read("run/model.safetensors")).tensors)
    for (const float value : tensor.floats()) ASSERT_TRUE(std::isfinite(value)) << name;
  const std::vector<Json> events = events_in(place);
  ASSERT_GE(events.size(), 1U);
  const std::string first = events[0].at("message");
  EXPECT_TRUE(contains(first, "half the rate (500); 1 of 20 times")) << first;
  EXPECT_TRUE(contains(result.err, first)) << result;
  const Json run = Json::parse(place.read("run/run.json"));
  EXPECT_EQ(run.at("status"), "done");
  EXPECT_EQ(run.at("rollbacks"), Json(events));
  ASSERT_GE(run.at("findings").size(), 1U);
  const std::string finding = run.at("findings")[0];
  EXPECT_TRUE(contains(finding, "training.rate")) << finding;
  EXPECT_TRUE(contains(result.err, finding)) << result;
  const std::string page = place.read("run/report.html");
  EXPECT_TRUE(contains(page, "What was found in the training"));
  EXPECT_TRUE(contains(page, "class=\"mark\""));
  std::size_t lines = read_json_lines(place.read("run/metrics.jsonl")).size();
  EXPECT_EQ(lines - events.size(), 3U) << "every epoch once";
  const Json scores =
      Json::parse(place.must(std::string("evaluate run --json --quiet --threads 1 --data ") + glyphs).out);
  EXPECT_EQ(scores.at("scores")[0].at("kind"), "exact");
  double ours = 0, base = 0;
  for (const Json& score : scores.at("scores")) {
    if (score.at("split") != "test") continue;
    if (score.at("metric") == "log_prob") ours = score.at("value");
    if (score.at("metric") == "baseline_log_prob") base = score.at("value");
  }
  EXPECT_GT(ours, base) << "better than independent bits, for all that";
}

TEST(Divergence, NotWhereThatIsNotWanted) {
  const Workplace place;
  const Result result = place.run(wild + "training.rollbacks=0");
  EXPECT_EQ(result.code, 4) << result;
  EXPECT_TRUE(contains(result.err, "training.rate")) << result;
  EXPECT_EQ(Json::parse(place.read("run/run.json")).at("status"), "failed");
}

TEST(Divergence, SaysSoWhenNothingIsWrong) {
  const Workplace place;
  const Result result = place.must(std::string("train rbm --out run --threads 1 --data ") + bars +
                                   " --set model.hidden=8 training.epochs=2");
  EXPECT_TRUE(contains(result.err, "no problems found")) << result;
  EXPECT_EQ(Json::parse(place.read("run/run.json")).at("findings"), Json::array());
  EXPECT_TRUE(contains(place.read("run/report.html"), "No problems found"));
}

}  // namespace
}  // namespace deepgen::command::divergence_test
