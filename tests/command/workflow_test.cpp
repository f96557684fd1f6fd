// From data to a run: train, the folder it leaves, the checkpoint, settings, and what informs about the
// program.
#include <algorithm>
#include <set>

#include "small_runs.h"

namespace deepgen::command::workflow_test {
namespace {

bool is_text_for_files(const std::string& text) {
  return text.find('\r') == std::string::npos && text.find('\x1b') == std::string::npos;
}

TEST(Train, LeavesAFolderThatExplainsItself) {
  const Workplace& place = glyphs_run().place;
  for (const char* name : {"model.safetensors", "run.json", "metrics.jsonl", "report.html"})
    EXPECT_TRUE(place.has(std::string("run/") + name)) << name;
  std::size_t pictures = 0;
  for (const std::string& name : place.names("run")) {
    EXPECT_FALSE(contains(name, "tmp")) << name;
    if (!name.starts_with("samples") || !name.ends_with(".png")) continue;
    ++pictures;
    EXPECT_GT(read_png_size(place.read("run/" + name)).width, 28U) << name;
  }
  EXPECT_GE(pictures, 1U);
  const Json run = Json::parse(place.read("run/run.json"));
  EXPECT_EQ(run.at("model"), "rbm");
  EXPECT_EQ(run.at("data"), glyphs);
  EXPECT_EQ(run.at("binarize"), "threshold");
  EXPECT_EQ(run.at("status"), "done");
  EXPECT_EQ(run.at("seed"), 1);
}

TEST(Train, ReportIsOnePageThatNeedsNoNetwork) {
  const std::string page = glyphs_run().place.read("run/report.html");
  EXPECT_TRUE(page.starts_with("<!doctype html") || page.starts_with("<!DOCTYPE html"));
  for (const char* outside : {"src=\"http", "href=\"http", "src='http", "@import", "<script"})
    EXPECT_FALSE(contains(page, outside)) << outside;
  EXPECT_TRUE(contains(page, "data:image/png;base64,"));
  EXPECT_TRUE(contains(page, "hidden"));
}

TEST(Train, LearningCurveHasOneLineAnEpoch) {
  const std::vector<Json> lines = read_json_lines(bars_run().place.read("run/metrics.jsonl"));
  ASSERT_EQ(lines.size(), 20U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("epoch"), i + 1);
    EXPECT_EQ(lines[i].at("step"), 10 * (i + 1));  // 500 rows in batches of 50
  }
}

TEST(Train, CheckpointHasWhatTheContractNames) {
  const StoredRun stored = bars_run().stored();
  const auto shape = [&](const char* name) {
    const auto found = stored.tensors.find(name);
    return found == stored.tensors.end() ? std::vector<std::int64_t>{-1} : found->second.shape;
  };
  EXPECT_EQ(shape("model.weights"), (std::vector<std::int64_t>{bars_columns, bars_hidden}));
  EXPECT_EQ(shape("model.visible_bias"), (std::vector<std::int64_t>{bars_columns}));
  EXPECT_EQ(shape("model.hidden_bias"), (std::vector<std::int64_t>{bars_hidden}));
  for (const char* key : {"format_version", "model", "options", "data", "stage", "step", "seed"})
    EXPECT_TRUE(stored.metadata.contains(key)) << key;
  EXPECT_EQ(stored.metadata.at("format_version"), "1");
  EXPECT_EQ(stored.metadata.at("model"), "rbm");
  EXPECT_EQ(stored.metadata.at("step"), "200");
  EXPECT_EQ(stored.metadata.at("seed"), "5");
  EXPECT_EQ(Json::parse(stored.metadata.at("options")).at("model").at("hidden"), bars_hidden);
  EXPECT_EQ(Json::parse(stored.metadata.at("data")).at("spec"), bars);
  for (const auto& [name, tensor] : stored.tensors)
    EXPECT_TRUE(name.starts_with("model.") || name.starts_with("average.") || name.starts_with("optimiser."))
        << name;
}

TEST(Train, AverageAndOptimiserStateAreInTheCheckpoint) {
  const Workplace place;
  place.must(std::string("train rbm --out run --threads 1 --data ") + bars +
             " --set training.epochs=1 training.average=0.9 training.momentum=0.5 model.hidden=3");
  const StoredRun stored = read_stored_run(place.read("run/model.safetensors"));
  EXPECT_TRUE(stored.tensors.contains("average.weights"));
  EXPECT_TRUE(std::any_of(stored.tensors.begin(), stored.tensors.end(), [](const auto& each) {
    return each.first.starts_with("optimiser.") && each.first.ends_with(".weights");
  }));
}

TEST(Train, SpeaksPlainlyWhereThereIsNoTerminal) {
  const Result& result = glyphs_run().training;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(is_text_for_files(result.err)) << result;
  EXPECT_LE(lines_of(result.err).size(), 5U) << result;
  EXPECT_TRUE(contains(result.err, "500 rows")) << result;
}

TEST(Train, QuietSaysNothing) {
  const Workplace place;
  const Result result = place.must(
      std::string("train rbm --quiet --threads 1 --out run --set training.epochs=1 --data ") + bars);
  EXPECT_EQ(result.out + result.err, "") << result;
}

TEST(Train, SettingsReachTheRun) {
  const Workplace place;
  place.must(
      std::string("train rbm --out run --threads 1 --seed 9 --data ") + bars +
      " --set model.hidden=7 model.weight_scale=0.02 --set training.epochs=2 --set training.learning=cd "
      "training.gibbs_steps=1..3 training.centring=false training.optimiser=adam training.rate=0.001 "
      "training.schedule=linear training.batch=50");
  const Json run = Json::parse(place.read("run/run.json")), &options = run.at("options");
  EXPECT_EQ(run.at("seed"), 9);
  EXPECT_EQ(options.at("model").at("hidden"), 7);
  EXPECT_EQ(options.at("model").at("weight_scale"), 0.02);
  EXPECT_EQ(options.at("training").at("epochs"), 2);
  EXPECT_EQ(options.at("training").at("learning"), "cd");
  EXPECT_EQ(options.at("training").at("gibbs_steps"), "1..3");
  EXPECT_EQ(options.at("training").at("centring"), false);
  EXPECT_EQ(options.at("training").at("optimiser"), "adam");
  EXPECT_EQ(options.at("training").at("rate"), 0.001);
  EXPECT_EQ(options.at("training").at("batch"), 50);
  const StoredRun stored = read_stored_run(place.read("run/model.safetensors"));
  EXPECT_EQ(Json::parse(stored.metadata.at("options")), options);
  EXPECT_EQ(stored.tensors.at("model.weights").shape.at(1), 7);
  const std::vector<Json> lines = read_json_lines(place.read("run/metrics.jsonl"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LT(lines[1].at("rate"), lines[0].at("rate"));
}

TEST(Train, RefusesAFolderThatHoldsARun) {
  const Workplace& place = bars_run().place;
  const std::string line = std::string("train rbm --quiet --threads 1 --out run --data ") + bars;
  const std::string before = place.read("run/model.safetensors");
  expect_refused(place.run(line), 2, {"run", "--resume", "--overwrite"});
  EXPECT_EQ(place.read("run/model.safetensors"), before);
}

TEST(Train, OverwriteReplacesARun) {
  const Workplace place;
  const std::string line =
      std::string("train rbm --threads 1 --out run --data ") + bars + " --set training.epochs=";
  place.must(line + "3 model.hidden=4");
  place.must(line + "1 model.hidden=5 --overwrite");
  EXPECT_EQ(read_stored_run(place.read("run/model.safetensors")).tensors.at("model.weights").shape.at(1), 5);
  EXPECT_EQ(read_json_lines(place.read("run/metrics.jsonl")).size(), 1U);
}

TEST(Train, EqualSeedsGiveEqualRunsWhateverTheThreads) {
  const Workplace place;
  const std::string line =
      std::string("train rbm --data ") + glyphs + " --set training.epochs=2 model.hidden=100";
  place.must(line + " --out a --seed 3 --threads 1");
  place.must(line + " --out b --seed 3 --threads 2");
  place.must(line + " --out c --seed 4 --threads 1");
  const auto stored = [&](const std::string& run) {
    return read_stored_run(place.read(run + "/model.safetensors"));
  };
  EXPECT_EQ(differing_tensors(stored("a"), stored("b")), Words());
  EXPECT_NE(differing_tensors(stored("a"), stored("c")), Words());
}

TEST(Train, ARecipeBringsItsOwnSettings) {
  const Workplace place;
  place.write("small.toml",
              std::string("title = \"t\"\nmodel = \"rbm\"\nseed = 7\ndata = \"") + bars +
                  "\"\n[model_options]\nhidden = 6\n[training]\nepochs = 2\ncentring = false\n");
  place.must("train small.toml --out run --threads 1");
  const Json run = Json::parse(place.read("run/run.json"));
  EXPECT_EQ(run.at("data"), bars);
  EXPECT_EQ(run.at("seed"), 7);
  EXPECT_EQ(run.at("options").at("model").at("hidden"), 6);
  EXPECT_EQ(run.at("options").at("training").at("epochs"), 2);
  place.must(
      "train small.toml --out other --threads 1 --seed 8 --set training.epochs=1 --data shifter:train=100");
  const Json other = Json::parse(place.read("other/run.json"));
  EXPECT_EQ(other.at("data"), "shifter:train=100");
  EXPECT_EQ(other.at("seed"), 8);
  EXPECT_EQ(other.at("options").at("training").at("epochs"), 1);
}

// The file to use is model.safetensors, by the folder and by its own name, in the folder and elsewhere.
TEST(Train, PatienceLeavesTheBestAsTheFileToUse) {
  const Workplace place;
  place.must(std::string("train rbm --out run --threads 1 --data ") + bars +
             " --set training.epochs=200 training.patience=2 training.rate=0.5 model.hidden=4");
  double best = -1e300;
  std::size_t best_epoch = 0, epochs = 0;
  for (const Json& line : read_json_lines(place.read("run/metrics.jsonl"))) {
    if (line.contains("event")) continue;
    epochs = line.at("epoch").get<std::size_t>();
    if (line.at("valid_log_prob").get<double>() > best)
      best = line.at("valid_log_prob").get<double>(), best_epoch = epochs;
  }
  ASSERT_EQ(epochs, best_epoch + 2) << "patience was never at its end";
  const StoredRun used = read_stored_run(place.read("run/model.safetensors"));
  EXPECT_EQ(used.metadata.at("step"), std::to_string(5 * best_epoch)) << "500 rows in batches of 100";
  const StoredRun latest = read_stored_run(place.read("run/latest.safetensors"));
  EXPECT_EQ(latest.metadata.at("step"), std::to_string(5 * epochs));
  const auto value = [&](const std::string& run) {
    const std::string line = "evaluate " + run + " --json --threads 1 --split valid --data " + bars;
    return Json::parse(place.must(line).out).at("scores").at(0).at("value").get<double>();
  };
  place.write("elsewhere.safetensors", place.read("run/model.safetensors"));
  EXPECT_NEAR(value("run"), best, 1e-6);
  EXPECT_EQ(value("run/model.safetensors"), value("run"));
  EXPECT_EQ(value("elsewhere.safetensors"), value("run"));
  const Result other = place.must("sample run/latest.safetensors -n 3 --out x.csv --threads 1");
  EXPECT_TRUE(contains(other.err, "the one to use is model.safetensors")) << other;
}

// The latest state and the best one, named as the first version named them.
TEST(Train, ARunOfTheFirstVersionOpensAndGoesOn) {
  const Workplace ours, theirs;
  const std::string rest = std::string(" --threads 1 --data ") + bars +
                           " --set training.patience=2 training.rate=0.5 model.hidden=4 training.epochs=";
  for (const Workplace* place : {&ours, &theirs}) place->must("train rbm --out run" + rest + "200");
  const auto rename = [&](const char* from, const char* to) {
    std::filesystem::rename(theirs.path(from), theirs.path(to));
  };
  rename("run/model.safetensors", "run/best.safetensors");
  rename("run/latest.safetensors", "run/model.safetensors");
  const std::string sample = " -n 20 --threads 1 --out x.csv";
  ours.must("sample run" + sample);
  for (const char* run : {"run", "run/model.safetensors"}) {
    const Result told = theirs.must("sample " + std::string(run) + sample);
    EXPECT_TRUE(contains(told.err, "best.safetensors")) << told;
    EXPECT_EQ(theirs.read("x.csv"), ours.read("x.csv")) << run;
  }
  // More patience: both go on, to the same bits.
  const std::string longer =
      std::string("train rbm --resume --out run --threads 1 --data ") + bars +
      " --set training.patience=5 training.rate=0.5 model.hidden=4 training.epochs=200";
  ours.must(longer), theirs.must(longer);
  EXPECT_FALSE(theirs.has("run/best.safetensors")) << "the folder has the new form";
  for (const char* file : {"run/model.safetensors", "run/latest.safetensors"})
    EXPECT_EQ(differing_tensors(read_stored_run(ours.read(file)), read_stored_run(theirs.read(file))),
              Words())
        << file;
}

TEST(Models, JsonIsAnArrayOfModels) {
  const Workplace place;
  const Result result = place.must("models --json");
  EXPECT_EQ(result.err, "") << result;
  const Json models = Json::parse(result.out);
  ASSERT_TRUE(models.is_array());
  std::set<std::string> names;
  for (const Json& model : models) {
    for (const char* key : {"name", "title", "source", "capabilities", "abilities", "recipe", "options"})
      EXPECT_TRUE(model.contains(key)) << key;
    EXPECT_TRUE(model.at("abilities").is_array() && !model.at("abilities").empty()) << model.at("name");
    names.insert(model.at("name").get<std::string>());
    EXPECT_TRUE(model.at("capabilities").is_array() && !model.at("capabilities").empty()) << model.at("name");
    EXPECT_TRUE(model.at("options").is_array() && !model.at("options").empty()) << model.at("name");
  }
  EXPECT_TRUE(names.contains("rbm"));
  EXPECT_EQ(Json::parse(place.must("models rbm --json").out).size(), 1U);
}

TEST(Models, OptionsAreThoseThatSetTakes) {
  const Workplace place;
  const Json model = Json::parse(place.must("models rbm --json").out).at(0);
  std::set<std::string> names;
  for (const Json& option : model.at("options")) names.insert(option.at("name").get<std::string>());
  for (const char* name : {"epochs", "batch", "optimiser", "rate", "momentum", "decay", "schedule", "average",
                           "patience", "checkpoint_every"})
    EXPECT_TRUE(names.contains(std::string("training.") + name)) << name;
  EXPECT_TRUE(names.contains("model.hidden"));
  const std::string page = place.must("models rbm").out;
  for (const std::string& name : names) EXPECT_TRUE(contains(page, name)) << name;
}

// What a person can do, in words; the names of classes are for programs.
TEST(Models, AreListedByWhatTheyCanDo) {
  const Workplace place;
  for (const char* line : {"models", "models rbm", "models naive_bayes", "models --markdown"}) {
    const std::string page = place.must(line).out;
    for (const char* name : {"HasFreeEnergy", "CanSample", "HasLogProb", "IsConditional", "CanClassify"})
      EXPECT_FALSE(contains(page, name)) << name << " in: deepgen " << line;
  }
  EXPECT_TRUE(contains(place.must("models rbm").out, "complete by a chain"));
  EXPECT_TRUE(contains(place.must("models naive_bayes").out, "classify"));
  EXPECT_FALSE(contains(place.must("models rbm").out, "classify"));
  EXPECT_TRUE(contains(place.must("models bernoulli_mixture").out, "takes: binary columns"));
}

TEST(Data, ListInfoAndMake) {
  const Workplace place;
  EXPECT_TRUE(contains(place.must("data list").out, "bars_and_stripes"));
  const std::string info = place.must(std::string("data info ") + bars).out;
  for (const char* part : {"train", "valid", "test", "500", "100", "binary"})
    EXPECT_TRUE(contains(info, part)) << part;
  place.must(std::string("data make ") + bars + " --out made.npz");
  place.must(std::string("data make ") + bars + " --out again.npz");
  EXPECT_EQ(place.read("made.npz"), place.read("again.npz"));
  EXPECT_TRUE(contains(place.must("data info made.npz").out, "500"));
}

TEST(Data, AMadeFileTrainsLikeTheSetItself) {
  const Workplace place;
  place.must(std::string("data make ") + bars + " --out made.npz");
  const std::string rest = " --threads 1 --set training.epochs=2 model.hidden=4";
  place.must("train rbm --data made.npz --out file" + rest);
  place.must(std::string("train rbm --data ") + bars + " --out set" + rest);
  EXPECT_EQ(differing_tensors(read_stored_run(place.read("file/model.safetensors")),
                              read_stored_run(place.read("set/model.safetensors"))),
            Words());
  place.must("evaluate file --data made.npz --threads 1");
}

TEST(Data, GreyFilesSayHowToBeBinary) {
  const Workplace place;
  place.must("data make glyphs:train=50,valid=10,test=10 --out grey.npz");
  EXPECT_TRUE(contains(place.must("data info grey.npz").out + place.must("data info glyphs:train=5").out,
                       "binarize="));
  for (const char* how : {"static", "dynamic", "threshold"}) {
    place.must(std::string(
                   "train rbm --threads 1 --set training.epochs=1 model.hidden=3 --data grey.npz:binarize=") +
               how + " --out " + how);
    EXPECT_EQ(Json::parse(place.read(std::string(how) + "/run.json")).at("binarize"), how);
  }
}

TEST(Doctor, SaysWhatIsInstalled) {
  const Workplace place;
  const std::string page = place.must("doctor").out;
  for (const char* part : {"torch", "threads", "BLAS", "kernels"}) EXPECT_TRUE(contains(page, part)) << part;
}

TEST(Doctor, ForcedKernelsRun) {
  How how;
  how.environment["DEEPGEN_KERNELS"] = "reference";
  const Result reference = run({"doctor"}, how);
  expect_done(reference);
  EXPECT_TRUE(contains(reference.out, "kernels     reference")) << reference;
  how.environment["DEEPGEN_KERNELS"] = "avx1024";
  expect_refused(run({"doctor"}, how), 2, {"avx1024"});
}

}  // namespace
}  // namespace deepgen::command::workflow_test
