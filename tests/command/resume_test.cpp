// Killed, interrupted, resumed: the end is that of a run that was left alone, to the bit.
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <thread>

#include "small_runs.h"

namespace deepgen::command::resume_test {
namespace {

// Some 200 updates an epoch, so that a run lasts long enough to be killed at many places.
std::string training(int epochs, const std::string& more = "") {
  return "train rbm --quiet --threads 1 --seed 3 --out run --data "
         "bars_and_stripes:train=2000,valid=100,test=100 "
         "--set model.hidden=12 training.batch=10 training.momentum=0.5 training.average=0.99 "
         "training.schedule=linear "
         "training.epochs=" +
         std::to_string(epochs) + " " + more;
}

void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

std::size_t lines_in(const Workplace& place) {
  return place.has("run/metrics.jsonl") ? lines_of(place.read("run/metrics.jsonl")).size() : 0;
}

// Waits until the curve has this many lines; false when the process ended before.
bool wait_for_lines(Process& process, const Workplace& place, std::size_t count) {
  while (process.running()) {
    if (lines_in(place) >= count) return true;
    sleep_for(0.002);
  }
  return false;
}

// The learning curve without what a clock says.
std::vector<Json> curve_of(const Workplace& place) {
  std::vector<Json> lines = read_json_lines(place.read("run/metrics.jsonl"));
  for (Json& line : lines) line.erase("seconds");
  return lines;
}

void expect_every_epoch_once(const Workplace& place, std::size_t epochs) {
  std::vector<std::size_t> expected(epochs), found;
  std::iota(expected.begin(), expected.end(), 1U);
  for (const Json& line : read_json_lines(place.read("run/metrics.jsonl")))
    if (!line.contains("event")) found.push_back(line.at("epoch"));  // a rollback names an epoch too
  EXPECT_EQ(found, expected);
}

void expect_equal_runs(const Workplace& ours, const Workplace& whole) {
  EXPECT_EQ(differing_tensors(read_stored_run(ours.read("run/model.safetensors")),
                              read_stored_run(whole.read("run/model.safetensors"))),
            Words());
  ASSERT_EQ(ours.has("run/latest.safetensors"), whole.has("run/latest.safetensors"));
  if (whole.has("run/latest.safetensors")) {
    EXPECT_EQ(differing_tensors(read_stored_run(ours.read("run/latest.safetensors")),
                                read_stored_run(whole.read("run/latest.safetensors"))),
              Words());
  }
  EXPECT_TRUE(curve_of(ours) == curve_of(whole)) << "the learning curves differ";
  EXPECT_EQ(Json::parse(ours.read("run/run.json")).at("status"), "done");
  EXPECT_TRUE(ours.has("run/report.html"));
}

// Kills one sitting of a run; false when it ended by itself before.
bool kill_one_sitting(const Workplace& place, int epochs, const std::string& more, int number,
                      std::mt19937& random) {
  Process process(words(training(epochs, more + "--resume")), place.here());
  const std::size_t done = lines_in(place);
  if (number % 3 == 0) {  // at any time, the start included
    sleep_for(std::uniform_real_distribution<double>(0, 1)(random));
  } else {  // in the midst of training, at any place of an epoch
    if (!wait_for_lines(process, place, done + std::uniform_int_distribution<std::size_t>(1, 3)(random)))
      return false;
    sleep_for(std::uniform_real_distribution<double>(0, 0.02)(random));
  }
  process.send(SIGKILL);
  const Result result = process.wait();
  EXPECT_TRUE(result.signal == SIGKILL || result.code == 0) << result;
  return result.signal == SIGKILL;
}

void expect_kills_leave_no_trace(int kills, int epochs, unsigned seed, const std::string& more = "") {
  const Workplace killed, whole;
  std::mt19937 random(seed);
  int done = 0;
  for (int i = 0; i < kills; ++i)
    if (kill_one_sitting(killed, epochs, more, i, random)) ++done;
  EXPECT_EQ(done, kills) << "too few kills came before the end; seed " << seed;
  killed.must(training(epochs, more + "--resume"));
  whole.must(training(epochs, more));
  expect_every_epoch_once(killed, static_cast<std::size_t>(epochs));
  expect_equal_runs(killed, whole);
}

TEST(Resume, ThreeKillsLeaveNoTrace) { expect_kills_leave_no_trace(3, 100, 1); }

// The best state and the latest are two files, each of which may be the newer one at a kill.
TEST(ResumeWithPatience, ThreeKillsLeaveNoTrace) {
  expect_kills_leave_no_trace(3, 60, 2, "training.patience=1000 ");
}

TEST(ResumeSlow, TwentyKillsLeaveNoTrace) { expect_kills_leave_no_trace(20, 600, std::random_device()()); }

TEST(Resume, RareCheckpointsRepeatNoLine) {
  const Workplace killed, whole;
  const std::string rare = "training.checkpoint_every=25 ";
  for (const std::size_t lines :
       {5U, 33U}) {  // before the first checkpoint, and between the first and the second
    Process process(words(training(60, rare + "--resume")), killed.here());
    EXPECT_TRUE(wait_for_lines(process, killed, lines)) << process.wait();
    process.send(SIGKILL);
    process.wait();
  }
  killed.must(training(60, rare + "--resume"));
  whole.must(training(60, rare));
  expect_every_epoch_once(killed, 60);
  expect_equal_runs(killed, whole);
}

// A pipe in the place of the learning curve holds the program exactly where it writes a line.
TEST(Resume, AKillBetweenCheckpointAndCurveLosesNoLine) {
  const Workplace killed, whole;
  std::filesystem::create_directory(killed.path("run"));
  ASSERT_EQ(std::system(("mkfifo " + killed.path("run/metrics.jsonl")).c_str()), 0);
  Process process(words(training(4, "--resume")), killed.here());
  for (int i = 0; i < 40 && process.running() && !killed.has("run/model.safetensors"); ++i) sleep_for(0.05);
  sleep_for(0.1);
  process.send(SIGKILL);
  process.wait();
  std::filesystem::remove(killed.path("run/metrics.jsonl"));
  killed.must(training(4, "--resume"));
  whole.must(training(4));
  expect_every_epoch_once(killed, 4);
  expect_equal_runs(killed, whole);
}

TEST(Resume, ALineCutShortIsForgotten) {
  const Workplace place, whole;
  place.must(training(2));
  place.write("run/metrics.jsonl", place.read("run/metrics.jsonl") + "{\"stage\":0,\"epoch\":3,\"st");
  place.must(training(2, "--resume"));
  whole.must(training(2));
  expect_equal_runs(place, whole);
}

TEST(Resume, ADoneRunStaysAsItIs) {
  const Workplace place;
  place.must(training(2));
  const StoredRun before = read_stored_run(place.read("run/model.safetensors"));
  place.must(training(2, "--resume"));
  EXPECT_EQ(differing_tensors(before, read_stored_run(place.read("run/model.safetensors"))), Words());
  expect_every_epoch_once(place, 2);
}

TEST(Interrupt, WritesACheckpointFromWhichTheRunGoesOn) {
  const Workplace stopped, whole;
  const std::string rare = "training.checkpoint_every=1000 ";
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process(words(training(100, rare + "--resume")), stopped.here());
    ASSERT_TRUE(wait_for_lines(process, stopped, lines_in(stopped) + 3)) << process.wait();
    sleep_for(0.003);
    process.send(signal);
    const Result result = process.wait();
    EXPECT_EQ(result.code, 130) << result;
    EXPECT_EQ(lines_of(result.err).size(), 1U) << result;
    EXPECT_TRUE(contains(result.err, "checkpoint")) << result;
    ASSERT_TRUE(stopped.has("run/model.safetensors"));
    EXPECT_EQ(Json::parse(stopped.read("run/run.json")).at("status"), "interrupted");
  }
  stopped.must(training(100, rare + "--resume"));
  whole.must(training(100, rare));
  expect_every_epoch_once(stopped, 100);
  expect_equal_runs(stopped, whole);
}

TEST(Interrupt, LongWorkEndsWithoutAFile) {
  const Workplace& place = bars_run().place;
  Process process(words("sample run -n 1000 --steps 10000000 --quiet --threads 1 --out never.csv"),
                  place.here());
  for (int i = 0; i < 600 && process.running() && !process.catches(SIGINT); ++i) sleep_for(0.05);
  sleep_for(0.2);
  process.send(SIGINT);
  const Result result = process.wait();
  expect_refused(result, 130);
  EXPECT_FALSE(place.has("never.csv"));
}

}  // namespace
}  // namespace deepgen::command::resume_test
