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

TEST(Music, GoesOnFromSequencesThatAreThere) {
  const Workplace& place = tunes_run();
  place.must(
      "sample run --length 4 -n 5 --begin tunes.csv:sequence=tune --split train --rows 2 --out on.mid --threads 1");
  EXPECT_TRUE(contains(place.read("on.mid"), "sequence 4"));
  expect_refused(place.run("sample run --length 4 --begin tunes.csv:sequence=tune --split train --rows 3 --out x.mid"),
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
