// Tables with texts from CSV to a run and back: info, training, samples, completion, its spread.
#include <cmath>
#include <set>

#include "program.h"
#include "run_files.h"

namespace deepgen::command::tables_test {
namespace {

const std::string one_thread = " --threads 1";

using Lines = std::vector<std::vector<std::string>>;

// 300 rows of columns with two texts each: b and d say the same as a and are its opposite, c is free.
std::string survey() {
  std::string text = "id,a,b,c,d,land\n";
  for (int i = 0; i < 300; ++i) {
    const bool a = i * 7 % 3 == 0, c = i % 2 == 0;
    text += std::to_string(i) + (a ? ",yes,ja," : ",no,nein,") + (c ? "1" : "0") + (a ? ",nie" : ",oft") +
            ",DE\n";
  }
  return text;
}

const Workplace& table_run() {
  static const Workplace* const place = [] {
    auto* made = new Workplace;  // kept to the end: other tests look at it
    made->write("survey.csv", survey());
    made->must(
        "train rbm --data survey.csv:ignore=id --out run --seed 3 --set model.hidden=6 training.epochs=60 "
        "training.rate=0.1 training.batch=20" +
        one_thread);
    return made;
  }();
  return *place;
}

TEST(Tables, InfoSaysWhatEachColumnIs) {
  const Result info = table_run().must("data info survey.csv:ignore=id,test=0.1");
  for (const char* part :
       {"270 train, 0 valid, 30 test", "values binary", "'no', 'yes'", "constant", "ignore"})
    EXPECT_TRUE(contains(info.out, part)) << part << info;
  const Result people = table_run().must("data info people:missing=0.25,rows=2000");
  for (const char* part :
       {"age", "number", "whole numbers", "else state", "categorical", "(6)", "% missing", "values mixed"})
    EXPECT_TRUE(contains(people.out, part)) << part << people;
}

TEST(Tables, SamplesAreTheTableAgain) {
  const Workplace& place = table_run();
  place.must("sample run -n 200 --steps 50 --out samples.csv" + one_thread);
  const Lines lines = cells_of(place.read("samples.csv"));
  ASSERT_EQ(lines.size(), 201U);
  EXPECT_EQ(lines[0], (std::vector<std::string>{"a", "b", "c", "d", "land"}));
  int agree = 0;
  for (std::size_t r = 1; r < lines.size(); ++r) {
    ASSERT_EQ(lines[r].size(), 5U);
    EXPECT_TRUE(lines[r][0] == "yes" || lines[r][0] == "no") << lines[r][0];
    EXPECT_TRUE(lines[r][2] == "0" || lines[r][2] == "1") << lines[r][2];
    EXPECT_EQ(lines[r][4], "DE");
    agree += (lines[r][0] == "yes") == (lines[r][1] == "ja") ? 1 : 0;
  }
  EXPECT_GT(agree, 150) << "a and b say the same";
  place.must("score run --data samples.csv --out scores.npy" + one_thread);
  EXPECT_EQ(read_npy_table(place.read("scores.npy")).rows.size(), 200U);
  place.must("sample run -n 5 --steps 5 --out samples.npy" + one_thread);
  EXPECT_EQ(read_npy_table(place.read("samples.npy")).columns(), 5U);
  place.must("reconstruct run --data samples.csv --out back.csv" + one_thread);
  EXPECT_EQ(cells_of(place.read("back.csv"))[0], lines[0]);
}

TEST(Tables, CompletionLeavesWhatIsKnownAsItIsWritten) {
  const Workplace& place = table_run();
  place.write("holes.csv", "d,note,b,c,a\nnie,\"x; y\",,1.0,yes\n,,ja,,\noft, q,nein,?,no\noft,,nein,1,no\n");
  place.must("complete run --data holes.csv --out filled.csv --steps 100 --draws 30 --spread spread.csv" +
             one_thread);
  const Lines filled = cells_of(place.read("filled.csv")), spread = cells_of(place.read("spread.csv"));
  ASSERT_EQ(filled.size(), 5U);
  ASSERT_EQ(spread.size(), 5U);
  EXPECT_EQ(filled[0], (std::vector<std::string>{"d", "note", "b", "c", "a"}));
  EXPECT_EQ(spread[0], filled[0]);
  EXPECT_EQ(filled[1], (std::vector<std::string>{"nie", "\"x; y\"", "ja", "1.0", "yes"}));
  EXPECT_EQ(filled[2][0], "nie");
  EXPECT_EQ(filled[2][4], "yes");
  EXPECT_EQ(filled[3][1], " q") << "blanks of a known cell are kept";
  EXPECT_EQ(filled[4], (std::vector<std::string>{"oft", "", "nein", "1", "no"}));
  for (const auto& [row, column] : std::vector<std::pair<int, int>>{{1, 0}, {1, 1}, {2, 1}, {2, 2}, {4, 3}})
    EXPECT_EQ(spread[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)], "");
  const double sure = std::stod(spread[1][2]), unsure = std::stod(spread[3][3]);
  EXPECT_LT(sure, 0.25);
  EXPECT_GT(unsure, 0.2) << "c depends on nothing";
  EXPECT_LE(unsure, 0.5);
  place.must("complete run --data holes.csv --out filled.npy --steps 20 --draws 3 --spread spread.npy" +
             one_thread);
  EXPECT_EQ(read_npy_table(place.read("filled.npy")).columns(), 5U) << "a, b, c, d, land";
  const Table numbers = read_npy_table(place.read("spread.npy"));
  EXPECT_TRUE(std::isnan(numbers.rows[0][0]) && !std::isnan(numbers.rows[0][1]));
}

TEST(Tables, HiddenCellsAreCompletedToo) {
  const Workplace& place = table_run();
  place.must("complete run --data survey.csv -n 50 --hide 0.5 --steps 20 --out hidden.csv" + one_thread);
  const Lines filled = cells_of(place.read("hidden.csv")), truth = cells_of(survey());
  ASSERT_EQ(filled.size(), 51U);
  int same = 0;
  for (std::size_t r = 1; r < filled.size(); ++r) {
    EXPECT_EQ(filled[r][0], truth[r][0]) << "the id is no column of the model";
    same += filled[r] == truth[r] ? 1 : 0;
  }
  EXPECT_LT(same, 50);
}

TEST(Tables, FilesThatDoNotFitTheRun) {
  const Workplace& place = table_run();
  // A cell that the run does not know is missing, which is said; asked to be strict, it is refused.
  const auto refused = [&](const std::string& content, const std::vector<std::string>& parts) {
    place.write("wrong.csv", content);
    expect_refused(place.run("score run --data wrong.csv:strict=true --quiet --out no.csv"), 3, parts);
    if (contains(parts[0], "line")) {
      const Result lenient = place.must("score run --data wrong.csv --out some.csv");
      EXPECT_TRUE(contains(lenient.err, parts[1].substr(1, parts[1].size() - 2))) << lenient;
    }
  };
  refused("a,b,c\nyes,ja,1\n", {"wrong.csv", "missing: d"});
  refused("a,b,c,d\nyes,ja,1,nie\nno,oui,1,oft\n", {"line 3", "'b'", "oui", "nein"});
  refused("a,b,c,d\nyes,ja,2,nie\n", {"line 2", "'c'", "'2'"});
  refused("a,b,c,d,land\nyes,ja,1,nie,FR\n", {"line 2", "'land'", "DE", "FR"});
  expect_refused(place.run("score run --data bars_and_stripes --quiet --out no.csv"), 3, {"CSV"});
}

TEST(Tables, SpreadNeedsDrawsAndAFileOfItsOwn) {
  const Workplace& place = table_run();
  const std::string complete = "complete run --data survey.csv --out x.csv ";
  expect_refused(place.run(complete + "--spread s.csv"), 2, {"--draws"});
  expect_refused(place.run(complete + "--draws 3 --spread s.png"), 2, {".csv", ".npy"});
  expect_refused(place.run(complete + "--draws 3 --spread x.csv"), 2, {"--out"});
  expect_refused(place.run(complete + "--draws 0"), 2, {"draws"});
}

TEST(Tables, SpecsAreCheckedByName) {
  const Workplace& place = table_run();
  expect_refused(place.run("data info survey.csv:binary=A"), 2, {"'A'"});
  expect_refused(place.run("data info survey.csv:categoric=a"), 2, {"categorical"});
  expect_refused(place.run("data info survey.csv:real=a"), 3, {"line 2", "'a'", "yes"});
  expect_refused(place.run("data make people --out people.npz"), 2, {".csv"});
  place.must("data make people:rows=20,missing=0.3 --out people.csv");
  EXPECT_EQ(cells_of(place.read("people.csv")).size(), 21U);
}

}  // namespace
}  // namespace deepgen::command::tables_test
