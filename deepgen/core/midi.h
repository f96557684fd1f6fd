// Piano rolls as Standard MIDI Files, which any player opens.
//
// Written is format 0, one track: a header chunk (MThd), then the track (MTrk) of events, each behind the ticks since
// the one before as a number of variable length (seven bits a byte, the high bit set in all but the last). A row of a
// roll is a quarter note. The same note in rows one after another is one long note: a roll does not say where a note is
// struck anew.
//
// Source: MIDI Manufacturers Association, "Standard MIDI Files 1.0" (1996).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/file_bytes.h"

namespace deepgen {

struct MidiNote {
  int pitch = 60;                   // 0 to 127; 60 is middle C
  std::int64_t begin = 0, end = 0;  // rows: from the first to the one after the last
  bool operator==(const MidiNote&) const = default;
};

// The notes of cells [rows, pitches], row by row, on where above one half; column j is pitch lowest + j. Sorted by
// begin, then pitch.
std::vector<MidiNote> notes_of_roll(const float* cells, std::int64_t rows, std::int64_t pitches, int lowest);

// A mark that players and editors show: where a part begins, and its name.
struct MidiMark {
  std::int64_t row = 0;
  std::string text;
};

struct MidiPiece {
  std::vector<MidiNote> notes;
  std::vector<MidiMark> marks = {};
  std::int64_t rows = 0;     // its length; notes end by then
  double row_seconds = 0.5;  // how long a row lasts: 0.001 to 16
};

// The bytes of the file. A usage error for row_seconds or pitches out of range, a data error for a piece that is too
// long for the format.
Bytes encode_midi(const MidiPiece& piece);
void write_midi(const std::string& path, const MidiPiece& piece);

}  // namespace deepgen
