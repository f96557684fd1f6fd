// Sequences from the command: trained on rolls of bits, drawn and continued, as music, pictures and numbers.
#include "small_runs.h"

namespace deepgen::command::music_test {
namespace {

// Sequences of two to five rows of six notes, named by a column.
std::string tunes() {
  std::string text = "tune,a,b,c,d,e,f\n";
  for (int tune = 0; tune < 30; ++tune)
    for (int row = 0; row < 2 + tune % 4; ++row) {
      text += std::to_string(tune);
      for (int note = 0; note < 6; ++note) text += (tune + row) % 6 == note ? ",1" : ",0";
      text += "\n";
    }
  return text;
}

const Workplace& tunes_run() {
  static const Workplace place;
  static const bool made = [] {
    place.write("tunes.csv", tunes());
    place.must(
        "train rnn_nade --data tunes.csv:sequence=tune --out run --threads 1 --set model.hidden=8 "
        "model.recurrent=8 training.epochs=5");
    return true;
  }();
  EXPECT_TRUE(made);
  return place;
}

TEST(Music, IsAFileOfMidi) {
  const Workplace& place = tunes_run();
  place.must("sample run --length 12 -n 3 --out a.mid --threads 1");
  const std::string file = place.read("a.mid");
  EXPECT_EQ(file.substr(0, 4), "MThd");
  EXPECT_EQ(file.substr(14, 4), "MTrk");
  EXPECT_TRUE(contains(file, "sequence 2"));
  EXPECT_EQ(file.substr(file.size() - 3), std::string("\xFF\x2F\x00", 3));
  place.must("sample run --length 12 -n 3 --out b.mid --threads 2");
  EXPECT_EQ(file, place.read("b.mid")) << "threads";
  place.must("sample run --length 12 -n 3 --frame-seconds 0.25 --out c.mid --threads 1");
  EXPECT_NE(file, place.read("c.mid")) << "tempo";
}

TEST(Music, IsShownAsARoll) {
  const Workplace& place = tunes_run();
  place.must("sample run --length 12 -n 3 --out roll.png --threads 1");
  const PictureSize size = read_png_size(place.read("roll.png"));
  EXPECT_EQ(size.width, 12U * 3);
  EXPECT_GE(size.height, 3U * 6 * 3);
}

// Joints of walks: values about 1000 and about 5.
std::string walks() {
  std::string text = "walk,knee,hip\n";
  for (int walk = 0; walk < 8; ++walk)
    for (int row = 0; row < 10; ++row)
      text += std::to_string(walk) + "," + std::to_string(1000 + (walk + 3 * row) % 7) + ".5," +
              std::to_string(2 + (walk + row) % 5) + ".25\n";
  return text;
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

// The same rows as numbers: a chart is in the units of the file, not of the model.
TEST(Motion, IsAChartOfItsColumns) {
  const Workplace place;
  place.write("walks.csv", walks());
  place.must(
      "train temporal_rbm --data walks.csv:sequence=walk --out run --threads 1 --set model.hidden=4 "
      "model.order=2 "
      "training.epochs=2");
  const std::string drawn =
      "sample run --length 6 -n 3 --begin walks.csv:sequence=walk --split train --rows 2 ";
  place.must(drawn + "--out motion.svg --threads 1");
  const std::string chart = place.read("motion.svg");
  EXPECT_EQ(chart.substr(0, 11), "<svg xmlns=");
  EXPECT_TRUE(contains(chart, ">knee</text>") && contains(chart, ">hip</text>")) << chart;
  EXPECT_FALSE(contains(chart, ">walk</text>")) << "the name of a sequence is no column";
  EXPECT_EQ(times(chart, "class=\"line\""), 6U) << "three sequences of two columns";
  EXPECT_EQ(times(chart, "<title>sequence 2</title>"), 2U);
  EXPECT_EQ(times(chart, "class=\"mark\" d=\"M283.7 "), 2U)
      << "between rows 1 and 2 of 0 to 7, in each panel";
  EXPECT_TRUE(contains(chart, ">100")) << "knees bend at a thousand and some";
  place.must(drawn + "--out again.svg --threads 2");
  EXPECT_EQ(chart, place.read("again.svg")) << "threads";
  place.must(
      "sample run --length 6 -n 8 --begin walks.csv:sequence=walk --split train --rows 2 --out all.svg");
  EXPECT_TRUE(contains(place.read("all.svg"), ": 8 sequences</title>"));
  expect_refused(place.run(drawn + "--out motion.png"), 2, {"--out", ".svg"});
  expect_refused(place.run(drawn + "--out motion.mid"), 2, {"--out", ".svg"});
  expect_refused(place.run("sample run --out motion.svg"), 2, {"--length", ".svg"});
}

TEST(Motion, OfManySequencesIsOfTheFirst) {
  const Workplace& place = tunes_run();
  place.must("sample run --length 5 -n 12 --out bits.svg --threads 1");
  const std::string chart = place.read("bits.svg");
  EXPECT_TRUE(contains(chart, "12 sequences, the first 8 of them"));
  EXPECT_EQ(times(chart, "class=\"line\""), 8U * 6);
  EXPECT_EQ(times(chart, "class=\"frame\""), 6U);
}

TEST(Music, GoesOnFromSequencesThatAreThere) {
  const Workplace& place = tunes_run();
  place.must(
      "sample run --length 4 -n 5 --begin tunes.csv:sequence=tune --split train --rows 2 --out on.mid "
      "--threads 1");
  EXPECT_TRUE(contains(place.read("on.mid"), "sequence 4"));
  expect_refused(
      place.run("sample run --length 4 --begin tunes.csv:sequence=tune --split train --rows 3 --out x.mid"),
      3, {"3 rows"});
}

TEST(Music, NeedsALengthAndAModelOfSequences) {
  const Workplace& place = tunes_run();
  expect_refused(place.run("sample run -n 3 --out x.npy"), 2, {"--length", "rnn_nade"});
  expect_refused(place.run("sample run -n 3 --out x.mid"), 2, {"--length"});
  expect_refused(bars_run().place.run("sample run -n 3 --length 4 --out x.mid"), 2, {"sequences"});
}

}  // namespace
}  // namespace deepgen::command::music_test
