// Draws of a table under conditions, gaps in samples, and fills that leave what is known alone.
#include <cmath>
#include <cstdlib>

#include "program.h"
#include "run_files.h"

namespace deepgen::command::table_conditions_test {
namespace {

const std::string one_thread = " --threads 1";

using Lines = std::vector<std::vector<std::string>>;

// 600 rows: the kind decides the size almost wholly and the price in part; every fifth note is not known.
std::string shop() {
  std::string text = "kind,size,price,note\n";
  for (int i = 0; i < 600; ++i) {
    const int kind = i * 7 % 3;
    const char* names[] = {"A<=1", "B, large", "C"};
    text += std::string(kind == 1 ? "\"" : "") + names[kind] + (kind == 1 ? "\"," : ",") +
            std::to_string(10 * kind + i % 4) + "," + std::to_string(100 * kind + i % 50) + ".5," +
            (i % 5 == 0   ? "?"
             : i % 2 == 0 ? "yes"
                          : "no") +
            "\n";
  }
  return text;
}

const Workplace& shop_run() {
  static const Workplace* const place = [] {
    auto* made = new Workplace;  // kept to the end: other tests look at it
    made->write("shop.csv", shop());
    made->must("train latent_class --data shop.csv --out run --seed 3 --set model.components=12" +
               one_thread);
    return made;
  }();
  return *place;
}

TEST(TableConditions, AValueThatIsGivenIsInEveryRowAndBringsItsCompany) {
  const Workplace& place = shop_run();
  place.must("sample run -n 200 --out c.csv --seed 5 --given kind=C" + one_thread);
  const Lines rows = cells_of(place.read("c.csv"));
  ASSERT_EQ(rows.size(), 201U);
  int fitting = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i][0], "C");
    fitting += std::atoi(rows[i][1].c_str()) >= 20 ? 1 : 0;
  }
  EXPECT_GT(fitting, 180);
}

TEST(TableConditions, SignsAndCommasOfAValueAreItsOwn) {
  const Workplace& place = shop_run();
  const Result done = place.run(Words{"sample", "run", "-n", "20", "--out", "d.csv", "--given",
                                      "kind=B, large,note=no", "--threads", "1"});
  ASSERT_EQ(done.code, 0) << done;
  EXPECT_EQ(place.read("d.csv").find("\"A"), std::string::npos);
  for (const std::string& line : lines_of(place.read("d.csv")))
    EXPECT_TRUE(line.starts_with("kind,") || (line.starts_with("\"B, large\",") && line.ends_with(",no")))
        << line;
  ASSERT_EQ(
      place
          .run(Words{"sample", "run", "-n", "20", "--out", "e.csv", "--given", "kind=A<=1", "--threads", "1"})
          .code,
      0);
}

TEST(TableConditions, RangesHoldAndTheirPriceIsTold) {
  const Workplace& place = shop_run();
  const Result done = place.run(Words{"sample", "run", "-n", "100", "--out", "f.csv", "--given",
                                      "price>=150,size=8..21", "--threads", "1"});
  ASSERT_EQ(done.code, 0) << done;
  EXPECT_TRUE(contains(done.err, "% of")) << done;
  const Lines rows = cells_of(place.read("f.csv"));
  ASSERT_GE(rows.size(), 101U);
  for (const std::string& line : lines_of(place.read("f.csv"))) {
    if (line.starts_with("kind")) continue;
    const std::string rest = line.substr(line.starts_with('"') ? line.rfind('"') + 2 : line.find(',') + 1);
    const int size = std::atoi(rest.c_str());
    const double price = std::atof(rest.substr(rest.find(',') + 1).c_str());
    EXPECT_TRUE(size >= 8 && size <= 21) << line;
    EXPECT_GE(price, 150) << line;
  }
}

TEST(TableConditions, ANumberThatIsGivenComesBackAsItIs) {
  const Workplace& place = shop_run();
  place.must("sample run -n 50 --out g.csv --given price=117.5" + one_thread);
  for (const std::string& line : lines_of(place.read("g.csv")))
    EXPECT_TRUE(line.starts_with("kind") || contains(line, ",117.5,")) << line;
}

TEST(TableConditions, WhatCannotBeGivenIsSaid) {
  const Workplace& place = shop_run();
  const std::vector<std::pair<std::string, std::string>> wrong = {{"size=?", "'?'"},
                                                                  {"note=?", "'?'"},
                                                                  {"size=many", "number"},
                                                                  {"knd=C", "kind"},
                                                                  {"kind=D", "'D'"},
                                                                  {"kind>=C", "number"},
                                                                  {"size=1,size=2", "size=LOW..HIGH"}};
  for (const auto& [given, says] : wrong) {
    const Result result =
        place.run(Words{"sample", "run", "-n", "5", "--out", "h.csv", "--given", given, "--threads", "1"});
    EXPECT_NE(result.code, 0) << given;
    EXPECT_TRUE(contains(result.err, says)) << result;
  }
}

TEST(TableConditions, SamplesHaveGapsAsTheDataDoAndFillsHaveNone) {
  const Workplace& place = shop_run();
  place.must("sample run -n 3000 --out i.csv" + one_thread);
  int gaps = 0;
  for (const std::string& line : lines_of(place.read("i.csv"))) gaps += line.ends_with(",?") ? 1 : 0;
  EXPECT_NEAR(gaps, 600, 150);
  place.must("complete run --data shop.csv --out filled.csv" + one_thread);
  const auto before = lines_of(shop()), after = lines_of(place.read("filled.csv"));
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::size_t note = before[i].rfind(',') + 1;
    EXPECT_EQ(before[i].substr(0, note), after[i].substr(0, note));
    if (before[i].substr(note) != "?") {
      EXPECT_EQ(before[i], after[i]);
    } else {
      EXPECT_TRUE(after[i].ends_with(",yes") || after[i].ends_with(",no")) << after[i];
    }
  }
}

}  // namespace
}  // namespace deepgen::command::table_conditions_test
