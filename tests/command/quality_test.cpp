// deepgen quality: of files and of runs, what it prints, writes and refuses.
#include "small_runs.h"

namespace deepgen::command::quality_test {
namespace {

const std::string one_thread = " --threads 1";

// Rows whose grade follows their size; `twist` breaks that. Sizes have gaps.
std::string rows(int count, int shift, bool twist) {
  std::string text = "size,colour,grade\n";
  for (int i = 0; i < count; ++i) {
    const int size = (i * 37 + shift) % 101;
    const bool high = twist ? i % 2 == 0 : size > 50;
    text += (i % 9 == 0 ? "" : std::to_string(size) + ".5") + (i % 3 ? ",red," : ",blue,") +
            (high ? "high\n" : "low\n");
  }
  return text;
}

const Workplace& with_tables() {
  static const Workplace place;
  static const bool written = [] {
    place.write("train.csv", rows(300, 0, false)), place.write("test.csv", rows(150, 5, false));
    place.write("good.csv", rows(300, 11, false)), place.write("bad.csv", rows(300, 11, true));
    return true;
  }();
  EXPECT_TRUE(written);
  return place;
}

Json judged(const std::string& line) {
  return Json::parse(with_tables().must("quality " + line + " --json --quiet" + one_thread).out);
}

TEST(Quality, JudgesAFile) {
  const std::string real = " --real train.csv --test test.csv";
  const Json good = judged("good.csv" + real), bad = judged("bad.csv" + real);
  EXPECT_EQ(good.at("rows").at("training"), 300);
  EXPECT_EQ(good.at("usefulness").at("target"), "grade");
  EXPECT_GT(good.at("shapes").at("mean").get<double>(), 0.9);
  EXPECT_GT(bad.at("shapes").at("mean").get<double>(), 0.9) << "its columns are alike, one by one";
  EXPECT_LT(bad.at("trends").at("associated_mean").get<double>(),
            good.at("trends").at("associated_mean").get<double>() - 0.1);
  // Half of its grades are as they should be: no classifier could get below 1/2.
  EXPECT_LT(bad.at("detection")[0].at("boosted_trees").at("score").get<double>(), 0.75);
  EXPECT_GT(good.at("usefulness").at("from_synthetic").at("AUC").get<double>(), 0.9);
  EXPECT_LT(bad.at("usefulness").at("from_synthetic").at("AUC").get<double>(),
            good.at("usefulness").at("from_synthetic").at("AUC").get<double>());
}

TEST(Quality, SaysTheSameForAnyThreads) {
  const std::string line = "quality good.csv --real train.csv --test test.csv --json --quiet --threads ";
  EXPECT_EQ(with_tables().must(line + "1").out, with_tables().must(line + "3").out);
}

TEST(Quality, PrintsATableAndWritesAPage) {
  const Workplace& place = with_tables();
  const Result result =
      place.must("quality good.csv --real train.csv:test=0.2 --out page.html -n 100" + one_thread);
  for (const char* part :
       {"column shapes", "pair trends", "boosted trees", "held-out", "independent", "grade",
        "100 synthetic rows", "240 training rows", "60 held-out rows", "worst columns"})
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result;
  EXPECT_TRUE(contains(result.err, "page.html")) << result;
  EXPECT_TRUE(contains(place.read("page.html"), "<svg") && contains(place.read("page.html"), "colour"));
}

TEST(Quality, SamplesARunAndKeepsThePageInIt) {
  const Workplace& place = with_tables();
  place.must("train rbm --out run --data train.csv --set model.hidden=4 training.epochs=2 --quiet" +
             one_thread);
  const std::string line =
      "quality run --real train.csv --test test.csv --json --quiet --steps 20" + one_thread;
  const Json first = Json::parse(place.must(line).out);
  EXPECT_EQ(first.at("rows").at("synthetic"), 300) << "as many as were learnt from";
  EXPECT_EQ(first.at("synthetic"), "run");
  EXPECT_EQ(Json::parse(place.read("run/quality.json")), first);
  EXPECT_TRUE(contains(place.read("run/quality.html"), "<svg"));
  EXPECT_TRUE(contains(place.read("run/report.html"), "Quality of the synthetic rows"));
  EXPECT_EQ(Json::parse(place.must(line).out), first) << "equal seeds, equal samples";
  const Json& gaps = first.at("gaps");
  EXPECT_EQ(gaps.at("held_out_rows"), 150);
  EXPECT_EQ(gaps.at("draws"), 50);
  EXPECT_EQ(gaps.at("cells").get<int>(),
            gaps.at("numbers").at("cells").get<int>() + gaps.at("categories").at("cells").get<int>());
  EXPECT_GT(gaps.at("categories").at("accuracy").get<double>(), 0.3);
  EXPECT_TRUE(contains(place.read("run/report.html"), "held-out rows hidden"));
}

TEST(Quality, HidesAsManyCellsAsAsked) {
  const Workplace& place = with_tables();
  place.must(
      "train latent_class --out gaps_run --data train.csv --set model.components=4 training.epochs=20 "
      "--quiet" +
      one_thread);
  const std::string line = "quality gaps_run --real train.csv --test test.csv --quiet" + one_thread;
  const Json gaps = Json::parse(place.must(line + " --json --gaps 0.5 --draws 20").out).at("gaps");
  // Of 450 cells 17 sizes are missing anyway: half of the others, within five deviations.
  EXPECT_NEAR(gaps.at("cells").get<double>(), 216.5, 52);
  EXPECT_EQ(gaps.at("draws"), 20);
  EXPECT_GT(gaps.at("columns").size(), 2U);
  EXPECT_EQ(gaps.at("columns")[0].at("column"), "size");
  EXPECT_LT(gaps.at("columns")[0].at("error").get<double>(), 0.5);
  EXPECT_LT(gaps.at("columns")[2].at("log_prob").get<double>(), 0) << "of a category";
  const Result text = place.must(line + " --gaps 0.5 --draws 20");
  for (const char* part : {"50 % of the cells", "all numbers", "all categories", "in 90 %", "log p"})
    EXPECT_TRUE(contains(text.out, part)) << part << "\n" << text;
  EXPECT_FALSE(Json::parse(place.must(line + " --json --gaps 0").out).contains("gaps"));
}

TEST(Quality, RefusesWhatItCannotJudge) {
  const Workplace& place = with_tables();
  place.write("other.csv", "a,b\n1,2\n3,4\n"),
      place.write("text.csv", "size,colour,grade\n1,red,low\nbig,red,low\n");
  const std::string real = " --real train.csv --test test.csv --quiet";
  expect_refused(place.run("quality other.csv" + real), 3, {"other.csv", "a, b"});
  expect_refused(place.run("quality text.csv" + real), 3, {"line 3", "size", "big"});
  expect_refused(place.run("quality good.csv --real train.csv --quiet"), 3, {"--test", "test=0.2"});
  expect_refused(place.run("quality good.csv --target grad" + real), 2, {"grade"});
  expect_refused(place.run("quality good.csv --out page.pdf" + real), 2, {".html"});
  expect_refused(place.run("quality good.csv"), 2, {"--real"});
  expect_refused(place.run("quality good.csv --gaps 0.2" + real), 2, {"--gaps", "run"});
}

}  // namespace
}  // namespace deepgen::command::quality_test
