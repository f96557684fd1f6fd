// Standard MIDI Files: what is written is read back here by the rules of the format alone.
#include "deepgen/core/midi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "file_fixtures.h"

namespace deepgen::midi_test {
namespace {

using namespace fixtures;

// A reader of its own: one track, no running status. Every byte must be accounted for.
class Reader {
 public:
  explicit Reader(const Bytes& file) : file_(file) {}

  std::string text(std::size_t count) {
    std::string characters;
    for (std::size_t i = 0; i < count; ++i) characters.push_back(static_cast<char>(byte()));
    return characters;
  }
  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }
  std::int64_t variable() {
    std::int64_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const std::uint8_t next = byte();
      value = value << 7 | (next & 0x7F);
      if ((next & 0x80) == 0) return value;
    }
    ADD_FAILURE() << "a number of more than four bytes";
    return value;
  }
  std::uint8_t byte() {
    if (at_ < file_.size()) return file_[at_++];
    ADD_FAILURE() << "the file ends within an event";
    return 0;
  }
  std::size_t left() const { return file_.size() - at_; }

 private:
  const Bytes& file_;
  std::size_t at_ = 0;
};

struct Heard {
  std::uint64_t division = 0, tempo = 0;
  std::int64_t end = 0;         // ticks
  std::vector<MidiNote> notes;  // begin and end in ticks
  std::vector<std::pair<std::int64_t, std::string>> marks;
};

void hear_note(Heard& heard, std::map<int, std::int64_t>& sounding, std::uint8_t status, std::int64_t now,
               Reader& reader) {
  const int pitch = reader.byte();
  const std::uint8_t velocity = reader.byte();
  EXPECT_LT(pitch, 128);
  EXPECT_GT(velocity, 0) << "a note-on of velocity 0 would be a note-off";
  EXPECT_LT(velocity, 128);
  if (status == 0x90) {
    EXPECT_TRUE(sounding.emplace(pitch, now).second) << "struck while it sounds: " << pitch;
    return;
  }
  ASSERT_EQ(status, 0x80);
  ASSERT_TRUE(sounding.contains(pitch)) << "ends without a beginning: " << pitch;
  heard.notes.push_back({pitch, sounding.at(pitch), now});
  sounding.erase(pitch);
}

Heard hear(const Bytes& file) {
  Reader reader(file);
  Heard heard;
  EXPECT_EQ(reader.text(4), "MThd");
  EXPECT_EQ(reader.number(4), 6U);
  EXPECT_EQ(reader.number(2), 0U) << "format";
  EXPECT_EQ(reader.number(2), 1U) << "tracks";
  heard.division = reader.number(2);
  EXPECT_LT(heard.division, 0x8000U) << "ticks a quarter note";
  EXPECT_EQ(reader.text(4), "MTrk");
  const std::uint64_t length_of_track = reader.number(4);
  EXPECT_EQ(length_of_track, reader.left());
  std::map<int, std::int64_t> sounding;
  std::int64_t now = 0;
  while (reader.left() > 0) {
    now += reader.variable();
    const std::uint8_t status = reader.byte();
    if (status != 0xFF) {
      hear_note(heard, sounding, status, now, reader);
      continue;
    }
    const std::uint8_t kind = reader.byte();
    const auto length = static_cast<std::size_t>(reader.variable());
    if (kind == 0x2F) {
      EXPECT_EQ(length, 0U);
      EXPECT_EQ(reader.left(), 0U) << "events after the end of the track";
      heard.end = now;
    } else if (kind == 0x51) {
      EXPECT_EQ(length, 3U);
      heard.tempo = reader.number(3);
    } else {
      EXPECT_EQ(kind, 0x06);
      heard.marks.emplace_back(now, reader.text(length));
    }
  }
  EXPECT_TRUE(sounding.empty()) << "a note that never ends";
  EXPECT_GT(heard.end, 0) << "no end of the track";
  std::sort(heard.notes.begin(), heard.notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return std::pair(a.begin, a.pitch) < std::pair(b.begin, b.pitch);
  });
  return heard;
}

std::vector<MidiNote> in_ticks(std::vector<MidiNote> notes, std::int64_t division) {
  for (MidiNote& note : notes) note.begin *= division, note.end *= division;
  return notes;
}

// Rows of three notes: held, silent, struck, and two that end together.
const std::vector<float> roll = {1, 0, 0,  //
                                 1, 1, 0,  //
                                 0, 1, 0,  //
                                 0, 0, 0,  //
                                 1, 0, 1};
const std::vector<MidiNote> notes_of_it = {{21, 0, 2}, {22, 1, 3}, {21, 4, 5}, {23, 4, 5}};

TEST(Midi, NotesAreRunsOfAColumn) {
  EXPECT_EQ(notes_of_roll(roll.data(), 5, 3, 21), notes_of_it);
  EXPECT_TRUE(notes_of_roll(roll.data(), 0, 3, 21).empty());
  const std::vector<float> all(12, 1.0F);
  EXPECT_EQ(notes_of_roll(all.data(), 12, 1, 60), (std::vector<MidiNote>{{60, 0, 12}}));
}

TEST(Midi, IsReadBackByTheRulesOfTheFormat) {
  const Heard heard = hear(encode_midi(
      {.notes = notes_of_it, .marks = {{0, "first"}, {4, "second"}}, .rows = 5, .row_seconds = 0.25}));
  EXPECT_EQ(heard.tempo, 250000U);
  const auto division = static_cast<std::int64_t>(heard.division);
  EXPECT_EQ(heard.notes, in_ticks(notes_of_it, division));
  EXPECT_EQ(heard.end, 5 * division);
  EXPECT_EQ(heard.marks,
            (std::vector<std::pair<std::int64_t, std::string>>{{0, "first"}, {4 * division, "second"}}));
}

// A note that ends where the same one begins again: the end comes first.
TEST(Midi, NotesMayFollowEachOther) {
  const std::vector<MidiNote> twice = {{60, 0, 1}, {60, 1, 2}};
  const Heard heard = hear(encode_midi({.notes = twice, .rows = 2}));
  EXPECT_EQ(heard.notes, in_ticks(twice, static_cast<std::int64_t>(heard.division)));
  EXPECT_EQ(heard.tempo, 500000U);
}

// The bytes of a small piece as they stand in the standard.
TEST(Midi, BytesAreThoseOfTheStandard) {
  const Bytes file = encode_midi({.notes = {{60, 0, 1}}, .rows = 1});
  const Bytes wanted =
      join({text("MThd"), big(6, 4), big(0, 2), big(1, 2), big(480, 2), text("MTrk"), big(20, 4),
            big(0x00FF510307A120, 7), big(0x00903C50, 4), big(0x8360803C40, 5), big(0x00FF2F00, 4)});
  EXPECT_EQ(file, wanted);
}

// Times on both sides of each length of a number.
TEST(Midi, LongTimesTakeMoreBytes) {
  for (const std::int64_t rows : {1, 34, 35, 4369, 4370, 559240}) {
    const std::vector<MidiNote> late = {{100, rows - 1, rows}};
    const Heard heard = hear(encode_midi({.notes = late, .rows = rows}));
    EXPECT_EQ(heard.notes, in_ticks(late, static_cast<std::int64_t>(heard.division))) << rows;
  }
}

TEST(Midi, OfNothingIsSilence) {
  const Heard heard = hear(encode_midi({.notes = {}, .rows = 3}));
  EXPECT_TRUE(heard.notes.empty());
  EXPECT_EQ(heard.end, 3 * static_cast<std::int64_t>(heard.division));
}

TEST(Midi, WhatDoesNotFitIsRefused) {
  const auto refused = [](const MidiPiece& piece, ErrorKind kind) {
    try {
      encode_midi(piece);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
    }
  };
  refused({.notes = {{128, 0, 1}}, .rows = 1}, ErrorKind::usage);
  refused({.notes = {{-1, 0, 1}}, .rows = 1}, ErrorKind::usage);
  refused({.notes = {{60, 1, 1}}, .rows = 2}, ErrorKind::usage);
  refused({.notes = {{60, 0, 3}}, .rows = 2}, ErrorKind::usage);
  refused({.notes = {}, .rows = 1, .row_seconds = 0}, ErrorKind::usage);
  refused({.notes = {}, .rows = 1, .row_seconds = 17}, ErrorKind::usage);
  refused({.notes = {}, .rows = 1, .row_seconds = std::nan("")}, ErrorKind::usage);
  refused({.notes = {}, .rows = 559241}, ErrorKind::data);
}

TEST(Midi, IsWrittenAsAFile) {
  const Folder folder;
  const MidiPiece piece{.notes = notes_of_it, .rows = 5};
  write_midi(folder.path("a.mid"), piece);
  EXPECT_EQ(read_raw_file(folder.path("a.mid")), encode_midi(piece));
}

}  // namespace
}  // namespace deepgen::midi_test
