#include "deepgen/core/midi.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

constexpr std::int64_t ticks_a_row = 480;
constexpr std::int64_t longest_time = 0x0FFFFFFF;  // ticks of four bytes of seven bits
constexpr std::uint8_t loudness = 80, release = 64;
constexpr double shortest_row = 0.001, longest_row = 16;  // seconds; 24 bits hold 16.7 million microseconds

void add_text(Bytes& bytes, const std::string& text) { bytes.insert(bytes.end(), text.begin(), text.end()); }

void add_number(Bytes& bytes, std::uint64_t value, int size) {  // the high byte first
  for (int i = size; i-- > 0;) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i) & 0xFF));
}

void add_variable(Bytes& bytes, std::int64_t value) {
  int groups = 1;
  while (groups < 4 && value >> (7 * groups) != 0) ++groups;
  for (int i = groups; i-- > 0;)
    bytes.push_back(static_cast<std::uint8_t>((value >> (7 * i) & 0x7F) | (i > 0 ? 0x80 : 0)));
}

// What happens at one row. Of one row marks come first and notes end before others begin, so that a note that is
// struck again is not cut off.
struct MidiEvent {
  enum Kind { mark, note_off, note_on };
  std::int64_t row;
  Kind kind;
  int pitch;
  std::string text;
};

std::vector<MidiEvent> events_of(const MidiPiece& piece) {
  std::vector<MidiEvent> events;
  for (const MidiMark& each : piece.marks) events.push_back({each.row, MidiEvent::mark, 0, each.text});
  for (const MidiNote& note : piece.notes) {
    events.push_back({note.begin, MidiEvent::note_on, note.pitch, ""});
    events.push_back({note.end, MidiEvent::note_off, note.pitch, ""});
  }
  std::stable_sort(events.begin(), events.end(), [](const MidiEvent& a, const MidiEvent& b) {
    return std::pair(a.row, a.kind) < std::pair(b.row, b.kind);
  });
  return events;
}

void add_event(Bytes& track, const MidiEvent& event) {
  if (event.kind == MidiEvent::mark) {
    add_number(track, 0xFF06, 2);
    add_variable(track, static_cast<std::int64_t>(event.text.size()));
    return add_text(track, event.text);
  }
  const bool on = event.kind == MidiEvent::note_on;
  track.push_back(on ? 0x90 : 0x80);  // on the first channel
  track.push_back(static_cast<std::uint8_t>(event.pitch));
  track.push_back(on ? loudness : release);
}

void check_piece(const MidiPiece& piece) {
  if (!(piece.row_seconds >= shortest_row && piece.row_seconds <= longest_row))
    fail_usage("--frame-seconds", fmt::format("expected {} to {} seconds a row, got {}", shortest_row,
                                              longest_row, piece.row_seconds));
  if (piece.rows > longest_time / ticks_a_row)
    fail_data("midi", fmt::format("expected at most {} rows in a piece, got {}; write fewer or shorter ones",
                                  longest_time / ticks_a_row, piece.rows));
  for (const MidiNote& note : piece.notes) {
    if (note.pitch < 0 || note.pitch > 127)
      fail_usage("midi", fmt::format("expected pitches from 0 to 127, got {}", note.pitch));
    if (note.begin < 0 || note.end <= note.begin || note.end > piece.rows)
      fail_usage("midi", fmt::format("expected notes within rows 0 to {}, got one from {} to {}", piece.rows,
                                     note.begin, note.end));
  }
}

Bytes track_of(const MidiPiece& piece) {
  Bytes track;
  add_variable(track, 0);
  add_number(track, 0xFF5103, 3);  // microseconds a quarter note
  add_number(track, static_cast<std::uint64_t>(std::llround(1e6 * piece.row_seconds)), 3);
  std::int64_t row = 0;
  for (const MidiEvent& event : events_of(piece)) {
    add_variable(track, (event.row - row) * ticks_a_row);
    add_event(track, event);
    row = event.row;
  }
  add_variable(track, (piece.rows - row) * ticks_a_row);
  add_number(track, 0xFF2F00, 3);  // the end of the track
  return track;
}

}  // namespace

std::vector<MidiNote> notes_of_roll(const float* cells, std::int64_t rows, std::int64_t pitches, int lowest) {
  std::vector<MidiNote> notes;
  for (std::int64_t j = 0; j < pitches; ++j) {
    const auto on = [&](std::int64_t row) { return row < rows && cells[row * pitches + j] > 0.5F; };
    for (std::int64_t row = 0; row < rows; ++row) {
      if (!on(row)) continue;
      const std::int64_t begin = row;
      while (on(row)) ++row;
      notes.push_back({lowest + static_cast<int>(j), begin, row});
    }
  }
  std::sort(notes.begin(), notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return std::pair(a.begin, a.pitch) < std::pair(b.begin, b.pitch);
  });
  return notes;
}

Bytes encode_midi(const MidiPiece& piece) {
  check_piece(piece);
  const Bytes track = track_of(piece);
  if (track.size() > 0xFFFFFFFF) fail_data("midi", "expected a track of less than 4 GiB; write fewer pieces");
  Bytes file;
  add_text(file, "MThd");
  add_number(file, 6, 4);
  add_number(file, 0, 2);  // format 0
  add_number(file, 1, 2);  // one track
  add_number(file, ticks_a_row, 2);
  add_text(file, "MTrk");
  add_number(file, track.size(), 4);
  file.insert(file.end(), track.begin(), track.end());
  return file;
}

void write_midi(const std::string& path, const MidiPiece& piece) { write_file(path, encode_midi(piece)); }

}  // namespace deepgen
