// The class of a row: probabilities as files, with names where there are any, and how they are judged.
#include <cmath>
#include <map>

#include "small_runs.h"

namespace deepgen::command::classify_test {
namespace {

const std::string one_thread = " --threads 1";

// Bars and stripes told apart by naive Bayes, in the folder `run`.
const Workplace& trained() {
  static const Workplace place;
  static const Result training =
      place.must(std::string("train naive_bayes --out run --data ") + bars + one_thread);
  return place;
}

TEST(Classify, GivesEachClassItsProbability) {
  const Workplace& place = trained();
  const Result result = place.must(std::string("classify run --out classes.csv --data ") + bars + one_thread);
  EXPECT_EQ(result.out, "") << result;
  EXPECT_TRUE(contains(result.err, "2 classes for 100 rows") && contains(result.err, "deepgen evaluate"))
      << result;
  const Table table = read_csv_table(place.read("classes.csv"));
  EXPECT_EQ(table.names, (Words{"p_0", "p_1", "class", "label"}));
  ASSERT_EQ(table.rows.size(), 100U);
  for (const auto& row : table.rows) {
    EXPECT_NEAR(row[0] + row[1], 1, 1e-9);
    EXPECT_EQ(row[2], row[1] > row[0] ? 1 : 0);
    EXPECT_TRUE(row[3] == 0 || row[3] == 1) << row[3];
  }
}

TEST(Classify, WritesTheSameNumbersAsAnArray) {
  const Workplace& place = trained();
  place.must(std::string("classify run --out classes.csv --data ") + bars + one_thread);
  place.must(std::string("classify run --out classes.npy --data ") + bars + one_thread);
  EXPECT_EQ(read_npy_table(place.read("classes.npy")).rows, read_csv_table(place.read("classes.csv")).rows);
}

TEST(Classify, EvaluateCountsHowOftenItIsRight) {
  const Workplace& place = trained();
  place.must(std::string("classify run --out classes.csv --data ") + bars + one_thread);
  double wrong = 0, loss = 0;
  for (const auto& row : read_csv_table(place.read("classes.csv")).rows) {
    wrong += row[2] != row[3] ? 1 : 0;
    loss -= std::log(row[static_cast<std::size_t>(row[3])]) / 100;
  }
  const Json result =
      Json::parse(place.must(std::string("evaluate run --json --data ") + bars + one_thread).out);
  std::map<std::string, double> values;
  for (const Json& score : result.at("scores")) values[score.at("metric")] = score.at("value");
  EXPECT_NEAR(values["classification_error"], wrong, 1e-9) << "percent of 100 rows";
  EXPECT_NEAR(values["classification_log_loss"], loss, 1e-6);
  EXPECT_TRUE(values.contains("calibration_error")) << result.dump(1);
}

// 200 rows of three bits; the land follows the first of them, and of every tenth row it is not known.
std::string lands() {
  std::string text = "a,b,c,land\n";
  for (int i = 0; i < 200; ++i) {
    const bool north = i * 7 % 3 == 0;
    text += std::string(north ? "1," : "0,") + (i % 2 ? "1," : "0,") + (i % 5 ? "1," : "0,") +
            (i % 10 == 9 ? ""
             : north     ? "north"
                         : "\"so, south\"") +
            "\n";
  }
  return text;
}

TEST(Classify, NamesTheClassesAsTheTableDoes) {
  const Workplace place;
  place.write("lands.csv", lands());
  place.must("train naive_bayes --out run --data lands.csv:labels=land" + one_thread);
  const std::string line = "classify run --data lands.csv:labels=land --out ";
  place.must(line + "classes.csv" + one_thread), place.must(line + "classes.npy" + one_thread);
  const std::vector<std::string> lines = lines_of(place.read("classes.csv"));
  ASSERT_EQ(lines.size(), 201U);
  EXPECT_EQ(lines[0], "p_north,\"p_so, south\",class,label");
  EXPECT_TRUE(lines[1].ends_with(",north,north")) << lines[1];
  EXPECT_TRUE(lines[2].ends_with(",\"so, south\",\"so, south\"")) << lines[2];
  EXPECT_TRUE(lines[10].ends_with(",north,")) << lines[10] << ": its label is not known";
  EXPECT_TRUE(std::isnan(read_npy_table(place.read("classes.npy")).rows.at(9).back()));
  // Rows without any label: the question is the same.
  place.write("new.csv", "a,b,c\n1,0,1\n0,0,1\n");
  place.must("classify run --data new.csv --out new_classes.csv" + one_thread);
  const std::vector<std::string> fresh = lines_of(place.read("new_classes.csv"));
  ASSERT_EQ(fresh.size(), 3U);
  EXPECT_EQ(fresh[0], "p_north,\"p_so, south\",class");
  EXPECT_TRUE(fresh[1].ends_with(",north") && fresh[2].ends_with(",\"so, south\"")) << fresh[1] << fresh[2];
}

TEST(Classify, SaysWhichModelsCan) {
  expect_refused(bars_run().place.run(std::string("classify run --out no.csv --quiet --data ") + bars), 2,
                 {"rbm", "naive_bayes", "conditional_pixelcnn"});
  EXPECT_FALSE(bars_run().place.has("no.csv"));
}

TEST(PartlyLabelled, DataSayHowManyLabelsAreKnown) {
  const Workplace place;
  place.write("lands.csv", lands());
  const Result table = place.must("data info lands.csv:labels=land");
  EXPECT_TRUE(contains(table.out, "180 known (2 classes), 20 unknown")) << table;
  const Result made = place.must(std::string("data info ") + bars);
  EXPECT_TRUE(contains(made.out, "500 known (2 classes), 0 unknown")) << made;
  std::string numbers = "a,b,y\n";
  for (int i = 0; i < 40; ++i)
    numbers += std::string(i % 3 ? "1,0," : "0,1,") + (i < 10 ? "-1" : i % 3 ? "1" : "0") + "\n";
  place.write("numbers.csv", numbers);
  const Result array = place.must("data info numbers.csv:labels=y");
  EXPECT_TRUE(contains(array.out, "30 known (2 classes), 10 unknown")) << array;
}

TEST(PartlyLabelled, TrainsWhatCanDoWithoutThem) {
  const Workplace place;
  place.write("lands.csv", lands());
  place.must("train bernoulli_mixture --out mixture --data lands.csv:labels=land --set training.epochs=2" +
             one_thread);
  place.must("train naive_bayes --out bayes --data lands.csv:labels=land,test=0.2" + one_thread);
  place.must("evaluate bayes --data lands.csv:labels=land,test=0.2" + one_thread);
}

}  // namespace
}  // namespace deepgen::command::classify_test
