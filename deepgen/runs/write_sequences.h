// Sequences that a model has drawn, as files: music, piano rolls, charts, arrays.
#pragma once

#include <string>

#include "deepgen/runs/open_run.h"

namespace deepgen {

struct SequenceLook {
  // Rows of each sequence that were there and not drawn: darker in a picture, before the mark in a chart.
  std::int64_t begun = 0;
  double row_seconds = 0.5;  // of a row, in music
};

// Sequences x [cases, rows, D] of a run's model in the units of its data:
//
//   .mid   one after another with a rest of four rows between them; of 88 columns of bits the first is the lowest key
//          of a piano (21), of other numbers of bits up to 128 it is pitch 0
//   .png   the piano roll of each, one below the other: time from left to right, high notes on top; of bits alone
//   .svg   a chart: a panel for each column (100 at most) over the rows, a line in it for each sequence (8 at most), a
//          mark where the rows that were there end; the title says what is left out
//   .npy   [cases, rows, D]
//   .csv   one line a row, the number of its sequence before its cells; of anything but a table
//
// Another ending, or data that do not go with it, are a usage error.
void write_sequences(const OpenRun& run, const std::string& path, const Tensor& x, const SequenceLook& look);

}  // namespace deepgen
