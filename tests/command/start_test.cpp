// Weights of another run as the start of a new one: train --start.
#include <cmath>

#include "small_runs.h"

namespace deepgen::command::start_test {
namespace {

// With rate 0 a run ends with the weights it started from.
std::string training(const std::string& model, const std::string& more) {
  return "train " + model + " --threads 1 --data " + bars + " --set training.epochs=1 model.hidden=6 " + more;
}

const Workplace& first() {
  static const Workplace place;
  static const Result done = place.must(training("nade", "training.rate=0.01 --seed 4 --out run"));
  return place;
}

TEST(Start, TakesTheWeightsOfAnotherRun) {
  const Workplace& place = first();
  place.must(training("nade", "training.rate=0 --seed 5 --out alone --overwrite"));
  const Result result =
      place.must(training("nade", "training.rate=0 --seed 5 --out started --overwrite --start run"));
  EXPECT_TRUE(contains(result.err, "tensors") && contains(result.err, "run/model.safetensors")) << result;
  const StoredRun from = read_stored_run(place.read("run/model.safetensors")),
                  alone = read_stored_run(place.read("alone/model.safetensors")),
                  started = read_stored_run(place.read("started/model.safetensors"));
  std::size_t differ = 0;
  for (const auto& [name, tensor] : from.tensors) {
    if (!name.starts_with("model.")) continue;
    EXPECT_EQ(started.tensors.at(name), tensor) << name;
    differ += alone.tensors.at(name) == tensor ? 0 : 1;
  }
  EXPECT_GE(differ, 1U) << "without a start the weights are others";
}

TEST(Start, IsWrittenDownAndRemembered) {
  const Workplace& place = first();
  const std::string line = training("nade", "training.rate=0.01 --seed 6 --out kept");
  place.must(line + " --overwrite --start run");
  const auto sources = [&] { return Json::parse(place.read("kept/run.json")).at("started_from"); };
  const Json before = sources();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].at("model"), "nade");
  EXPECT_TRUE(contains(before[0].dump(), "run/model.safetensors")) << before;
  place.must("train nade --threads 1 --data " + std::string(bars) +
             " --set training.epochs=2 model.hidden=6 training.rate=0.01 --seed 6 --out kept --resume");
  EXPECT_EQ(sources(), before) << "what a resumed run started from is still known";
}

TEST(Start, RefusesWhatDoesNotFit) {
  const Workplace& place = first();
  const Result other = place.run("train bernoulli_mixture --quiet --threads 1 --out no --start run --data " +
                                 std::string(bars));
  EXPECT_TRUE(other.code == 2 || other.code == 3) << other;
  const Result wider = place.run(
      "train nade --quiet --threads 1 --out no --start run --set model.hidden=7 --data " + std::string(bars));
  expect_refused(wider, 3, {"run/model.safetensors", "6", "7"});
  expect_refused(place.run(training("nade", "--quiet --out no --start run:nothing")), 2, {"nothing"});
  expect_refused(place.run(training("nade", "--quiet --out no --start nowhere")), 3, {"nowhere"});
  EXPECT_FALSE(place.has("no")) << "nothing is made by an error";
}

}  // namespace
}  // namespace deepgen::command::start_test
