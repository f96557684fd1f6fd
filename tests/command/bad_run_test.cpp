// Runs and outputs that are not what they should be: damaged or hostile checkpoints, places that cannot be
// written.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "small_runs.h"

namespace deepgen::command::bad_run_test {
namespace {

// A copy of the small run, to be damaged.
struct Copy {
  Workplace place;
  Copy() { std::filesystem::copy(bars_run().place.path("run"), place.path("run")); }
  void edit(const std::function<void(StoredRun&)>& change) const {
    StoredRun stored = bars_run().stored();
    change(stored);
    place.write("run/model.safetensors", encode_stored_run(stored));
  }
  void expect_unusable(const std::vector<std::string>& parts = {}) const {
    std::vector<std::string> all = parts;
    all.push_back("model.safetensors");
    expect_refused(place.run("sample run -n 2 --quiet --out no.csv --threads 1"), 3, all);
    EXPECT_FALSE(place.has("no.csv"));
    std::filesystem::remove(place.path("no.csv"));
  }
};

TEST(BadCheckpoint, TheTestsOwnEncodingIsReadable) {  // else what follows would prove nothing
  const Copy copy;
  copy.edit([](StoredRun&) {});
  copy.place.must("sample run -n 2 --out yes.csv --threads 1");
}

TEST(BadCheckpoint, DamagedFiles) {
  const Copy copy;
  const std::string whole = copy.place.read("run/model.safetensors");
  const std::string huge(8, '\x7f');
  for (const std::string& content :
       {std::string(), whole.substr(0, 7), whole.substr(0, 100), whole.substr(0, whole.size() - 1),
        whole + "x", std::string("PK\3\4 not a checkpoint"), huge + whole.substr(8)}) {
    copy.place.write("run/model.safetensors", content);
    copy.expect_unusable();
  }
}

TEST(BadCheckpoint, OfAnotherFormatOrModel) {
  const Copy copy;
  copy.edit([](StoredRun& run) { run.metadata["format_version"] = "99"; });
  copy.expect_unusable({"99"});
  copy.edit([](StoredRun& run) { run.metadata["format_version"] = "one"; });
  copy.expect_unusable({"format_version"});
  copy.edit([](StoredRun& run) { run.metadata.erase("options"); });
  copy.expect_unusable({"options"});
  copy.edit([](StoredRun& run) { run.metadata.clear(); });
  copy.expect_unusable();
  copy.edit([](StoredRun& run) { run.metadata["model"] = "nosuch"; });
  copy.expect_unusable({"nosuch"});
}

TEST(BadCheckpoint, TensorsThatDoNotFitAreListed) {
  const Copy copy;
  copy.edit([](StoredRun& run) {
    run.tensors.erase("model.hidden_bias");
    run.tensors["model.surplus"] = {"F32", {1}, std::string(4, '\0')};
    std::swap(run.tensors["model.weights"].shape[0], run.tensors["model.weights"].shape[1]);
  });
  copy.expect_unusable({"model.hidden_bias", "model.surplus", "model.weights", "[8, 16]", "[16, 8]"});
  copy.edit([](StoredRun& run) { run.tensors["average.weights"] = {"F32", {1}, std::string(4, '\0')}; });
  copy.expect_unusable({"average.weights"});
  copy.edit([](StoredRun& run) { run.tensors["average.nothing"] = {"F32", {1}, std::string(4, '\0')}; });
  copy.expect_unusable({"average.nothing"});
}

TEST(BadCheckpoint, HostileMetadata) {
  const Copy copy;
  for (const char* options :
       {"{", "[]", "{\"model\":{\"hidden\":-4}}", "{\"model\":{\"hidden\":[1]}}", "{\"nosuch\":{}}"}) {
    copy.edit([&](StoredRun& run) { run.metadata["options"] = options; });
    copy.expect_unusable();
  }
  for (const char* shape : {"[-1]", "\"x\"", "[1000000000000]", "[4611686018427387904,4]", "[]"}) {
    SCOPED_TRACE(shape);
    copy.edit([&](StoredRun& run) {
      Json data = Json::parse(run.metadata["data"]);
      data["shape"] = Json::parse(shape);
      run.metadata["data"] = data.dump();
    });
    copy.expect_unusable();
  }
  for (const char* data : {"[]", "{}", "7"}) {
    SCOPED_TRACE(data);
    copy.edit([&](StoredRun& run) { run.metadata["data"] = data; });
    copy.expect_unusable();
  }
  for (const char* key : {"columns", "transform", "classes", "spec"}) {
    SCOPED_TRACE(key);
    copy.edit([&](StoredRun& run) {
      Json changed = Json::parse(run.metadata["data"]);
      changed[key] = Json::array({-1, Json::object()});
      run.metadata["data"] = changed.dump();
    });
    const Result result = copy.place.run("sample run -n 2 --quiet --out perhaps.csv --threads 1");
    EXPECT_TRUE(result.code == 0 || result.code == 3) << result;
  }
}

TEST(BadCheckpoint, NonFiniteWeightsGiveNoNumbers) {
  const Copy copy;
  copy.edit([](StoredRun& run) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(run.tensors["model.weights"].bytes.data(), &nan, sizeof nan);
  });
  for (const std::string line : {"evaluate run --json --quiet --threads 1 --data ",
                                 "score run --quiet --threads 1 --out no.csv --data "}) {
    const Result result = copy.place.run(line + bars);
    EXPECT_TRUE(result.code == 3 || result.code == 4) << result;
    EXPECT_EQ(result.out, "") << result;
  }
  EXPECT_FALSE(copy.place.has("no.csv"));
}

TEST(BadCheckpoint, ResumeTrustsNoPlaceInTheRun) {
  const Copy copy;
  const std::string line = std::string("train rbm --quiet --resume --threads 1 --seed 5 --out run --data ") +
                           bars +
                           " --set model.hidden=8 training.epochs=22 training.rate=0.1 training.batch=50";
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"stage", "999"},
                                                        {"stage", "-1"},
                                                        {"step", "-5"},
                                                        {"step", "9000000000000000000"},
                                                        {"stage", "x"},
                                                        {"state", "[]"},
                                                        {"state", "{\"best\":\"x\"}"}}) {
    SCOPED_TRACE(key + "=" + value);
    copy.edit([&](StoredRun& run) { run.metadata[key] = value; });
    expect_refused(copy.place.run(line), 3, {"model.safetensors"});
  }
}

TEST(BadCheckpoint, ResumeRefusesAnotherRun) {
  const Copy copy;
  const std::string line =
      "train rbm --quiet --resume --threads 1 --out run --set training.epochs=22 training.batch=50 ";
  const std::string before = copy.place.read("run/model.safetensors");
  expect_refused(copy.place.run(line + "training.rate=0.1 model.hidden=8 --seed 6 --data " + bars), 2,
                 {"seed", "5", "6"});
  const Result other = copy.place.run(line + "training.rate=0.1 model.hidden=9 --seed 5 --data " + bars);
  EXPECT_TRUE(other.code == 2 || other.code == 3) << other;
  const Result data =
      copy.place.run(line + "training.rate=0.1 model.hidden=8 --seed 5 --data shifter:train=500");
  EXPECT_TRUE(data.code == 2 || data.code == 3) << data;
  EXPECT_EQ(copy.place.read("run/model.safetensors"), before);
  EXPECT_EQ(read_json_lines(copy.place.read("run/metrics.jsonl")).size(), 20U);
}

TEST(BadRun, FoldersThatAreNone) {
  const Workplace place;
  expect_refused(place.run("sample nowhere --out x.csv"), 3, {"nowhere"});
  std::filesystem::create_directory(place.path("empty"));
  expect_refused(place.run("sample empty --out x.csv"), 3, {"empty", "model.safetensors"});
  place.write("notes.txt", "nothing");
  expect_refused(place.run("sample notes.txt --out x.csv"), 3, {"notes.txt"});
  EXPECT_FALSE(place.has("x.csv"));
}

TEST(BadRun, RecordsThatAreDamaged) {
  const Copy copy;
  const std::string line = std::string("evaluate run --quiet --threads 1 --data ") + bars;
  for (const char* content :
       {"", "{\"model\":", "[1, 2]", "{\"evaluations\": 7}", "{\"model\": 3}", "{\"evaluations\": [3]}"}) {
    SCOPED_TRACE(content);
    copy.place.write("run/run.json", content);
    const Result result = copy.place.run(line);
    EXPECT_EQ(result.signal, 0) << result;
    EXPECT_TRUE(result.code == 0 || result.code == 3) << result;
    EXPECT_TRUE(result.code == 0 || contains(result.err, "run.json")) << result;
  }
}

TEST(BadOutput, PlacesThatCannotBeWritten) {
  const Workplace& place = bars_run().place;
  place.write("file", "in the way");
  std::filesystem::create_directories(place.path("folder.csv"));
  for (const char* out : {"nowhere/x.csv", "folder.csv", "file/x.csv", "/proc/x.csv"})
    expect_refused(place.run(std::string("sample run -n 2 --quiet --threads 1 --out ") + out), 3, {out});
  const std::string train = std::string("train rbm --quiet --threads 1 --data ") + bars + " --out ";
  for (const char* out : {"file", "file/run", "/proc/run"}) expect_refused(place.run(train + out), 3, {out});
  expect_refused(place.run("data make bars_and_stripes --out nowhere/x.npz"), 3, {"nowhere/x.npz"});
  EXPECT_EQ(place.read("file"), "in the way");
}

TEST(BadOutput, UnknownEndingsWriteNothing) {
  const Workplace& place = bars_run().place;
  const std::string data = std::string(" --quiet --threads 1 --data ") + bars;
  expect_refused(place.run("sample run --quiet --threads 1 --out x.gif"), 2, {".gif", ".npy"});
  expect_refused(place.run("score run --out x.png" + data), 2, {".png", ".csv"});
  expect_refused(place.run("encode run --out x" + data), 2, {".npy"});
  expect_refused(place.run("complete run --out x.txt" + data), 2, {".npy"});
  for (const char* name : {"x.gif", "x.png", "x", "x.txt"}) EXPECT_FALSE(place.has(name)) << name;
}

TEST(BadOutput, OverwriteKeepsTheOldRunUntilTheNewOneCanBegin) {
  const Copy copy;
  const std::string before = copy.place.read("run/model.safetensors");
  const std::string line = "train rbm --quiet --threads 1 --overwrite --out run --data ";
  expect_refused(copy.place.run(line + "glyphs:train=50,valid=10,test=10 --set model.visible_units=binary"),
                 3, {"binarize"});
  expect_refused(copy.place.run(line + bars + " --set training.gibbs_steps=many"), 2, {"gibbs_steps"});
  ASSERT_TRUE(copy.place.has("run/model.safetensors"));
  EXPECT_EQ(copy.place.read("run/model.safetensors"), before);
  EXPECT_TRUE(copy.place.has("run/run.json"));
}

}  // namespace
}  // namespace deepgen::command::bad_run_test
