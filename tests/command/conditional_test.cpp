// A model of cases given their label, from the command line: labels are read beside the rows.
#include "deepgen/data/files/npz.h"
#include "small_runs.h"

namespace deepgen::command::conditional_test {
namespace {

// Labelled training rows, and test rows with and without labels.
const Workplace& trained() {
  static const Workplace place;
  static const Result training = [] {
    place.must("data make glyphs:train=300,test=60 --out labelled.npz");
    NamedArrays arrays = read_npz(place.path("labelled.npz"));
    for (const char* part : {"train", "test"}) arrays[part].shape = {arrays[part].rows(), 28, 28};
    write_npz(place.path("labelled.npz"), arrays);
    arrays.erase("test_labels");
    write_npz(place.path("unlabelled.npz"), arrays);
    return place.must(
        "train cvae --out run --threads 1 --data unlabelled.npz:binarize=threshold --set model.hidden=20 "
        "model.latent=3 training.epochs=2 model.completion_steps=5");
  }();
  return place;
}

TEST(Conditional, TrainingDrawsCompletionsOfRowsThatHaveLabels) {
  EXPECT_TRUE(trained().has("run/completions.png"));
  EXPECT_TRUE(trained().has("run/report.html"));
}

TEST(Conditional, CompletesEncodesAndReconstructsGivenTheLabels) {
  const Workplace& place = trained();
  const std::string data = " --threads 1 --data labelled.npz:binarize=threshold --out ";
  place.must("complete run --hide bottom -n 7" + data + "done.csv");
  EXPECT_EQ(read_csv_table(place.read("done.csv")).rows.size(), 7U);
  place.must("encode run" + data + "codes.csv");
  EXPECT_EQ(read_csv_table(place.read("codes.csv")).columns(), 3U);
  place.must("reconstruct run" + data + "means.csv");
  EXPECT_EQ(read_csv_table(place.read("means.csv")).rows.size(), 60U);
  const Json result =
      Json::parse(place.must("evaluate run --json --threads 1 --data labelled.npz:binarize=threshold").out);
  bool found = false;
  for (const Json& score : result.at("scores")) found = found || score.at("metric") == "reconstruction_error";
  EXPECT_TRUE(found);
}

TEST(Conditional, SaysWhatLabelsAreMissingFor) {
  const Workplace& place = trained();
  for (const char* task : {"complete run --hide bottom", "encode run", "reconstruct run"})
    expect_refused(
        place.run(std::string(task) + " --threads 1 --data unlabelled.npz:binarize=threshold --out no.csv"),
        3, {"label", "labels"});
  expect_refused(place.run("evaluate run --features --threads 1 --data labelled.npz:binarize=threshold"), 2,
                 {"given the label"});
}

}  // namespace
}  // namespace deepgen::command::conditional_test
