// A disk that is full: the error is told, what was there stays whole, and the run goes on when there is room
// again.
#include "small_runs.h"

namespace deepgen::command::full_disk_test {
namespace {

const std::string training = std::string("train rbm --quiet --threads 1 --out run --data ") + bars +
                             " --set model.hidden=8 training.batch=50 training.epochs=";

Result run_with(const Workplace& place, const std::string& line, std::uint64_t largest_file) {
  How how = place.here();
  how.largest_file = largest_file;
  return run(words(line), how);
}

std::vector<std::string> temporary_files(const Workplace& place, const std::string& folder) {
  std::vector<std::string> found;
  for (const std::string& name : place.names(folder))
    if (contains(name, "tmp")) found.push_back(name);
  return found;
}

TEST(FullDisk, KeepsTheOldCheckpointAndTheRunGoesOn) {
  const Workplace place;
  place.must(training + "2");
  const std::string before = place.read("run/model.safetensors");
  constexpr std::uint64_t no_checkpoint = 3000;  // bytes: run.json fits, the checkpoint does not
  ASSERT_GT(before.size(), no_checkpoint);
  expect_refused(run_with(place, training + "5 --resume", no_checkpoint), 3, {"model.safetensors"});
  EXPECT_EQ(place.read("run/model.safetensors"), before);
  EXPECT_EQ(temporary_files(place, "run"), Words());
  place.must("sample run -n 3 --out x.csv --threads 1");
  place.must(training + "5 --resume");
  const StoredRun resumed = read_stored_run(place.read("run/model.safetensors"));
  place.must(training + "5 --overwrite");
  EXPECT_EQ(differing_tensors(resumed, read_stored_run(place.read("run/model.safetensors"))), Words());
}

TEST(FullDisk, AReportThatDoesNotFitIsNamed) {
  const Workplace place;
  constexpr std::uint64_t no_report = 10000;  // bytes: the checkpoint fits, the report does not
  expect_refused(run_with(place, training + "2", no_report), 3, {"report.html"});
  EXPECT_EQ(read_stored_run(place.read("run/model.safetensors")).metadata.at("step"), "20");
  EXPECT_EQ(temporary_files(place, "run"), Words());
  place.must(training + "2 --resume");
  EXPECT_TRUE(place.has("run/report.html"));
  EXPECT_EQ(Json::parse(place.read("run/run.json")).at("status"), "done");
}

TEST(FullDisk, OutputsAreWholeOrNot) {
  const Workplace& place = bars_run().place;
  for (const char* name : {"full.csv", "full.npy", "full.png"}) {
    expect_refused(run_with(place, std::string("sample run -n 500 --quiet --threads 1 --out ") + name, 1000),
                   3, {name});
    EXPECT_FALSE(place.has(name)) << name;
  }
  expect_refused(run_with(place, "data make glyphs:train=50,valid=0,test=0 --out full.npz", 1000), 3,
                 {"full.npz"});
  EXPECT_FALSE(place.has("full.npz"));
  EXPECT_EQ(temporary_files(place, ""), Words());
  std::filesystem::create_symlink("/dev/full", place.path("device.csv"));
  expect_refused(place.run("sample run -n 500 --quiet --threads 1 --out device.csv"), 3, {"device.csv"});
}

TEST(FullDisk, LostOutputOnStdoutIsAnError) {
  const Workplace& place = bars_run().place;
  How how = place.here();
  how.output = "/dev/full";
  for (const std::string& line : {std::string("models --json"), std::string("data list"),
                                  std::string("evaluate run --json --quiet --threads 1 --data ") + bars})
    EXPECT_GT(run(words(line), how).code, 0) << line << " lost its output and said nothing";
}

}  // namespace
}  // namespace deepgen::command::full_disk_test
