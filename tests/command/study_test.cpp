// study cd-bias: the table, the files it writes, and what it refuses.
#include "small_runs.h"

namespace deepgen::command::study_test {
namespace {

const std::string small =
    "study cd-bias --quiet --visible 4 --hidden 3 --machines 2 --scales 0.25,1 --steps 1,5 ";

TEST(Study, PrintsTheTableAndJsonOfTheSameFigures) {
  const Workplace place;
  const Result text = place.must(small);
  for (const char* part : {"relative error", "lambda^k", "4 visible and 3 hidden units, 2 machines"})
    EXPECT_TRUE(contains(text.out, part)) << part << text;
  EXPECT_EQ(lines_of(text.out).size(), 6U) << text;
  const Json json = Json::parse(place.must(small + "--json").out);
  ASSERT_EQ(json.at("rows").size(), 4U);
  EXPECT_EQ(json.at("rows")[3].at("scale"), 1);
  EXPECT_EQ(json.at("rows")[3].at("steps"), 5);
  EXPECT_LT(json.at("rows")[1].at("relative_error"), json.at("rows")[0].at("relative_error"));
  EXPECT_TRUE(place.names().empty());
}

TEST(Study, HangsOnTheSeedAndNotOnThreads) {
  const Workplace place;
  const std::string first = place.must(small + "--json --threads 1").out;
  EXPECT_EQ(place.must(small + "--json --threads 3").out, first);
  EXPECT_NE(place.must(small + "--json --seed 2").out, first);
}

TEST(Study, WritesAPageOrAPicture) {
  const Workplace place;
  place.must(small + "--out study.html");
  place.must(small + "--out study.svg");
  const std::string page = place.read("study.html"), picture = place.read("study.svg");
  for (const char* part : {"<!DOCTYPE html>", "<svg class=\"chart\"", "<table>", "weights 0.25"})
    EXPECT_TRUE(contains(page, part)) << part;
  for (const char* part : {"xmlns=\"http://www.w3.org/2000/svg\"", "class=\"line series-1\"", "weights 1"})
    EXPECT_TRUE(contains(picture, part)) << part;
}

TEST(Study, RefusesWhatCannotBe) {
  const Workplace place;
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"study", "STUDY"},
      {"study cd-bais", "'cd-bias'"},
      {"study cd-bias --visible 11", "--visible"},
      {"study cd-bias --hidden 0", "--hidden"},
      {"study cd-bias --steps 5,2", "--steps"},
      {"study cd-bias --scales 1,x", "--scales"},
      {"study cd-bias --scales 0", "--scales"},
      {"study cd-bias --machines 0", "--machines"},
      {"study cd-bias --out x.png", ".svg"},
      {"study cd-bias --step 5", "'--steps'"},
  };
  for (const auto& [line, part] : lines) expect_refused(place.run(line), 2, {part});
  EXPECT_TRUE(place.names().empty());
}

}  // namespace
}  // namespace deepgen::command::study_test
