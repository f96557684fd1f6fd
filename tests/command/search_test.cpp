// A search: complete in its record, blind to the test rows, the same however often it was interrupted.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

#include "deepgen/data/files/npz.h"
#include "small_runs.h"

namespace deepgen::command::search_test {
namespace {

// At most 12 hidden units, so that every score is exact.
std::string search_of(const std::string& data, const std::string& more = "") {
  return "search rbm --out found --threads 1 --seed 2 --data " + data +
         " --try model.hidden=6|12 training.rate=0.3|0.1|0.03 --set training.batch=50 " + more;
}

std::string small_search(const std::string& more = "") {
  return search_of(bars, "training.epochs=8 --trials 6 --quiet " + more);
}

Json record_in(const Workplace& place) { return Json::parse(place.read("found/search.json")); }

// What a search has found, without what a clock says.
Json findings(const Workplace& place) {
  Json record = record_in(place);
  for (Json& trial : record["trials"]) {
    trial.erase("seconds");
    trial.erase("probed_epoch_seconds");
  }
  record["best"].erase("seconds");
  return {{"rounds", record["rounds"]}, {"trials", record["trials"]}, {"best", record["best"]}};
}

void expect_equal_searches(const Workplace& ours, const Workplace& whole) {
  EXPECT_EQ(findings(ours).dump(1), findings(whole).dump(1));
  EXPECT_EQ(differing_tensors(read_stored_run(ours.read("found/best/model.safetensors")),
                              read_stored_run(whole.read("found/best/model.safetensors"))),
            Words());
}

const Workplace& whole_search() {
  static const Workplace place;
  static const Result done = place.must(small_search("--json"));
  return place;
}

double score_in_round(const Json& record, const Json& number, std::size_t round) {
  return record["trials"][number.get<std::size_t>() - 1]["rounds"][round]["score"];
}

TEST(Search, RecordsEveryTrial) {
  const Json record = record_in(whole_search());
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["asked"]["seed"], 2);
  EXPECT_EQ(record["asked"]["space"]["model.hidden"], Json({6, 12}));
  EXPECT_FALSE(record["asked"]["space"].contains("training.batch"));
  ASSERT_EQ(record["trials"].size(), 6U);
  for (const Json& trial : record["trials"]) {
    EXPECT_EQ(trial["status"], "done") << trial;
    EXPECT_EQ(trial["score_name"], "valid_log_prob");
    EXPECT_EQ(trial["score_kind"], "exact");
    EXPECT_GT(trial["seconds"], 0.0);
    const std::string folder = "found/" + trial["folder"].get<std::string>();
    const Json run = Json::parse(whole_search().read(folder + "/run.json"));
    EXPECT_EQ(run["options"]["training"]["rate"], trial["settings"]["training.rate"]);
    EXPECT_EQ(run["options"]["model"]["hidden"], trial["settings"]["model.hidden"]);
    const Json last = read_json_lines(whole_search().read(folder + "/metrics.jsonl")).back();
    EXPECT_EQ(last["epoch"], trial["epochs"]);
  }
}

TEST(Search, HalvesRoundByRound) {
  const Json record = record_in(whole_search());
  ASSERT_EQ(record["rounds"].size(), 3U);
  std::vector<std::size_t> sizes, epochs;
  for (const Json& round : record["rounds"]) {
    sizes.push_back(round["entrants"].size());
    epochs.push_back(round["epochs"]);
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{6, 3, 2}));
  EXPECT_EQ(epochs, (std::vector<std::size_t>{2, 4, 8}));
  for (std::size_t r = 0; r + 1 < 3; ++r) {  // nobody who stayed behind was better than one who went on
    const Json &now = record["rounds"][r]["entrants"], &next = record["rounds"][r + 1]["entrants"];
    for (const Json& number : now) {
      if (std::find(next.begin(), next.end(), number) != next.end()) continue;
      for (const Json& other : next)
        EXPECT_LE(score_in_round(record, number, r), score_in_round(record, other, r));
    }
  }
  const Json& last = record["rounds"][2]["entrants"];
  for (const Json& number : last)
    EXPECT_GE(score_in_round(record, record["best"]["trial"], 2), score_in_round(record, number, 2));
}

TEST(Search, LeavesARunToUse) {
  const Workplace& place = whole_search();
  const Json best = record_in(place)["best"];
  EXPECT_EQ(best["status"], "done");
  EXPECT_GT(best["patience"], 0);
  const Json scores = Json::parse(
      place.must(std::string("evaluate found/best --threads 1 --json --split valid --data ") + bars).out);
  EXPECT_NEAR(scores["scores"][0]["value"].get<double>(), best["score"].get<double>(), 1e-6);
  EXPECT_TRUE(place.has("found/best/model.safetensors"));
  EXPECT_TRUE(contains(place.read("found/report.html"), "trials/001/report.html"));
}

TEST(Search, PrintsItsRecord) {
  const Workplace place;
  const Result done = place.must(search_of(bars, "training.epochs=1 --trials 2 --json"));
  EXPECT_EQ(Json::parse(done.out), record_in(place));
  EXPECT_TRUE(contains(done.err, "trial 2 of 2")) << done;
  EXPECT_TRUE(contains(done.err, "hidden=")) << done;
}

// Sixteen columns of bits: bars and stripes as the program makes them, with a test part of one's own.
void write_set(const Workplace& place, const std::string& name, bool poisoned) {
  place.must(std::string("data make ") + bars + " --out made.npz");
  NamedArrays arrays = read_npz(place.path("made.npz"));
  NamedArrays kept;
  for (const char* part : {"train", "valid", "test"}) kept[part] = arrays.at(part);
  if (poisoned) {
    Array& test = kept.at("test");
    const std::vector<std::int64_t> shape = test.shape;
    test = make_array(DType::f32, shape);
    for (std::int64_t i = 0; i < test.items(); ++i) test.as<float>()[i] = i % 3 == 0 ? std::nanf("") : 7;
  }
  write_npz(place.path(name), kept);
}

TEST(Search, NeverLooksAtTestRows) {
  const Workplace clean, poisoned;
  write_set(clean, "set.npz", false);
  write_set(poisoned, "set.npz", true);
  const std::string line = search_of("set.npz", "training.epochs=2 --trials 3 --quiet");
  expect_refused(poisoned.run("train rbm --data set.npz --out run --quiet"), 3,
                 {"test"});  // the poison works
  clean.must(line);
  poisoned.must(line);
  expect_equal_searches(poisoned, clean);
}

// The lengths of the test part go with it; an epoch is as many batches of cases as there are cases.
TEST(Search, TakesSequences) {
  const Workplace place;
  NamedArrays arrays;
  for (const char* part : {"train", "valid", "test"}) {
    Array rows = make_array(DType::u8, {60, 4});
    for (std::int64_t i = 0; i < rows.items(); ++i) rows.as<std::uint8_t>()[i] = i / 4 % 3 == i % 2 ? 1 : 0;
    arrays[part] = rows;
    Array lengths = make_array(DType::i64, {20});
    for (std::int64_t i = 0; i < 20; ++i) lengths.as<std::int64_t>()[i] = 3;
    arrays[std::string(part) + "_lengths"] = lengths;
  }
  write_npz(place.path("set.npz"), arrays);
  place.must(
      "search rbm --out found --threads 1 --seed 2 --data set.npz --try training.rate=0.1|0.03 "
      "--set training.epochs=2 model.hidden=4 --trials 2 --quiet");
  EXPECT_TRUE(place.has("found/best/model.safetensors"));
}

TEST(Search, HoldsRowsOutWhereThereAreNone) {
  const Workplace place;
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 100; ++i)
    rows.push_back({i % 2 ? "1" : "0", i % 3 ? "1" : "0", i % 5 ? "1" : "0", "1"});
  place.write("table.csv", encode_csv_table(rows));
  const Result done = place.must(search_of("table.csv", "training.epochs=1 --trials 2"));
  EXPECT_TRUE(contains(done.err, "tenth")) << done;
  const Json facts = record_in(place)["facts"];
  EXPECT_EQ(facts["train_rows"], 90);
  EXPECT_EQ(facts["valid_rows"], 10);
  EXPECT_EQ(facts["data_used"], "table.csv:valid=0.1");
}

TEST(Search, AllRowsTrainTheBest) {
  const Workplace place;
  place.must(search_of(bars, "training.epochs=2 --trials 2 --quiet --all-rows"));
  EXPECT_EQ(Json::parse(place.read("found/best/run.json"))["train_rows"], 600);
  EXPECT_EQ(Json::parse(place.read("found/trials/001/run.json"))["train_rows"], 500);
  EXPECT_FALSE(record_in(place)["best"].contains("score")) << "no row is left to score it on";
}

TEST(Search, FailuresAreRecordedAndTheRestGoesOn) {
  const Workplace place;
  // A decay of 1000 at a rate of 1 multiplies the weights by -999 an update: beyond float32 within an epoch.
  // And 2^40 states are too many for exact learning.
  place.must("search rbm --out found --threads 1 --quiet --data " + std::string(glyphs) +
             " --try model.hidden=6|40 training.learning=pcd|exact training.decay=0|1000 --trials 8 "
             "--set training.rate=1 training.batch=20 training.gibbs_steps=1 training.epochs=2 "
             "training.rollbacks=0");
  const Json record = record_in(place);
  int numerical = 0, impossible = 0;
  for (const Json& trial : record["trials"]) {
    const Json& settings = trial["settings"];
    const bool too_large = settings["model.hidden"] == 40 && settings["training.learning"] == "exact";
    const bool diverges = settings["training.decay"] == 1000.0;
    EXPECT_EQ(trial["status"] == "failed", too_large || diverges) << trial;
    EXPECT_EQ(trial.contains("error"), too_large || diverges) << trial;
    numerical += diverges && !too_large, impossible += too_large;
  }
  EXPECT_EQ(numerical, 3);
  EXPECT_EQ(impossible, 2);
  EXPECT_EQ(record["best"]["status"], "done");
  EXPECT_EQ(record["best"]["settings"]["training.decay"], 0.0);
}

TEST(Search, NothingThatSucceedsIsAnError) {
  const Workplace place;
  expect_refused(
      place.run("search rbm --out found --threads 1 --quiet --trials 2 --data " + std::string(bars) +
                " --set training.rate=1 training.decay=1000 training.batch=20 training.rollbacks=0 --try "
                "model.hidden=6|7"),
      4, {"smaller training.rate"});
}

std::size_t lines_in(const Workplace& place, const std::string& file) {
  return place.has(file) ? lines_of(place.read(file)).size() : 0;
}

// Sends a signal once the curve of a trial has so many lines; whether it came before the end.
bool stop_at(const Workplace& place, const std::string& line, const std::string& curve, std::size_t lines,
             int signal) {
  Process process(words(line), place.here());
  while (process.running() && lines_in(place, curve) < lines)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(signal);
  const Result result = process.wait();
  if (signal == SIGINT && result.code != 0) {
    EXPECT_EQ(result.code, 130) << result;
    EXPECT_TRUE(contains(result.err, "--resume")) << result;
    EXPECT_EQ(record_in(place)["status"], "interrupted");
  }
  return result.code != 0;
}

TEST(SearchResume, AfterKillsAndInterruptsTheEndIsTheSame) {
  const Workplace broken;
  const std::string line = small_search("--resume");
  int stopped = 0;
  stopped += stop_at(broken, line, "found/trials/002/metrics.jsonl", 1, SIGINT);
  stopped += stop_at(broken, line, "found/trials/004/metrics.jsonl", 1, SIGKILL);
  stopped += stop_at(broken, line, "found/trials/006/metrics.jsonl", 2, SIGINT);
  stopped += stop_at(broken, line, "found/best/metrics.jsonl", 1, SIGKILL);
  EXPECT_GE(stopped, 3) << "too few stops came before the end";
  broken.must(line);
  expect_equal_searches(broken, whole_search());
}

TEST(SearchResume, ADoneSearchIsNotRunAgain) {
  const Workplace place;
  const std::string line = search_of(bars, "training.epochs=1 --trials 2 --quiet");
  place.must(line);
  const std::string before = place.read("found/trials/001/run.json");
  const Json found = findings(place);
  place.must(line + " --resume");
  EXPECT_EQ(findings(place), found);
  EXPECT_EQ(place.read("found/trials/001/run.json"), before);
}

TEST(SearchResume, OtherSettingsAreRefused) {
  const Workplace place;
  const std::string line = search_of(bars, "training.epochs=1 --trials 2 --quiet");
  place.must(line);
  expect_refused(place.run(line), 2, {"--resume"});
  expect_refused(place.run(line + " --resume --all-rows"), 2, {"all_rows was false, is true"});
  expect_refused(place.run(search_of(bars, "training.epochs=2 --trials 2 --quiet --resume")), 2,
                 {"options.training.epochs was 1, is 2"});
  expect_refused(place.run(line + " --resume --try training.decay=0|1"), 2, {"training.decay"});
  place.write("found/search.json", "{\"status\":");
  expect_refused(place.run(line + " --resume"), 3, {"search.json"});
}

TEST(SearchBudget, TooLittleSaysWhatAnEpochTakes) {
  const Workplace place;
  const Result result = place.run(
      search_of("glyphs:train=5000,binarize=threshold", "training.gibbs_steps=200 --budget 1s --quiet"));
  expect_refused(result, 2, {"--budget", "one takes about"});
  EXPECT_FALSE(place.has("found/search.json"));
}

TEST(SearchBudget, IsKeptRoughly) {
  const Workplace place;
  const Result result = place.must(search_of(bars, "training.epochs=2000 --budget 6s --quiet"));
  EXPECT_LT(result.seconds, 20) << "the start, the pictures of the best and a busy machine come on top";
  const Json record = record_in(place);
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["budget_seconds"], 6.0);
  EXPECT_GE(record["trials"].size(), 2U);
  EXPECT_TRUE(place.has("found/best/model.safetensors"));
}

TEST(SearchData, WhatCannotBeChosenByIsRefused) {
  const Workplace place;
  place.write("tiny.csv", "0,1\n1,0\n1,1\n");
  expect_refused(place.run(search_of("tiny.csv", "--trials 2 --quiet")), 3, {"10 rows"});
  place.write("table.csv", encode_csv_table(std::vector<std::vector<std::string>>(40, {"0", "1"})));
  expect_refused(place.run(search_of("table.csv:valid=0", "--trials 2 --quiet")), 2, {"valid=0"});
  place.write("file", "x");
  expect_refused(place.run("search rbm --out file --trials 2 --quiet --data " + std::string(bars)), 3,
                 {"file"});
}

}  // namespace
}  // namespace deepgen::command::search_test
