#include "deepgen/runs/write_sequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/core/image.h"
#include "deepgen/core/midi.h"
#include "deepgen/core/sequence_chart.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/tasks/draw_sums.h"

namespace deepgen {
namespace {

constexpr std::int64_t piano_keys = 88, rest_rows = 4;
constexpr int lowest_key = 21, pixels_a_cell = 3;
constexpr std::int64_t chart_lines = 8, chart_panels = 100;

void need_bits(const Tensor& x, const std::string& path) {
  if (at::logical_or(x == 0, x == 1).all().item<bool>()) return;
  fail_usage("--out", fmt::format("expected .svg (a chart), .npy or .csv for sequences of numbers, got '{}'; "
                                  "music and piano rolls are of bits",
                                  path));
}

MidiPiece piece_of(const Tensor& x, double row_seconds) {
  const std::int64_t rows = x.size(1), notes = x.size(2);
  const Tensor dense = x.contiguous();
  MidiPiece piece;
  piece.row_seconds = row_seconds;
  for (std::int64_t one = 0; one < x.size(0); ++one) {
    const std::int64_t begin = one * (rows + rest_rows);
    piece.marks.push_back({begin, fmt::format("sequence {}", one)});
    const int lowest = notes == piano_keys ? lowest_key : 0;
    for (MidiNote note : notes_of_roll(dense.data_ptr<float>() + one * rows * notes, rows, notes, lowest)) {
      note.begin += begin, note.end += begin;
      piece.notes.push_back(note);
    }
    piece.rows = begin + rows;
  }
  return piece;
}

void write_music(const std::string& path, const Tensor& x, double row_seconds) {
  need_bits(x, path);
  if (x.size(2) > 128)
    fail_usage("--out", fmt::format("expected at most 128 columns for .mid, a note each, got {}", x.size(2)));
  write_midi(path, piece_of(x, row_seconds));
}

void write_rolls(const std::string& path, const Tensor& x, std::int64_t begun) {
  need_bits(x, path);
  Tensor shown = x.clone();
  shown.narrow(1, 0, begun).mul_(0.6);
  const Tensor rolls = shown.transpose(1, 2).flip({1}).contiguous();  // [cases, D, rows], high notes on top
  write_png(path, image_grid(rolls.data_ptr<float>(), rolls.size(0), rolls.size(1), rolls.size(2), 1,
                             {.columns = 1, .gap = 4, .scale = pixels_a_cell}));
}

// In the units of the data, [cases, rows, columns of the file].
Tensor in_units(const OpenRun& run, const Tensor& x) {
  const Tensor rows = x.reshape({-1, x.size(2)});
  if (!run.learnt.table.empty()) {
    const Stream stream = Rng(1).fork({0xB175}).next();
    const Tensor values = to_tensor(drawn_table_values(run.learnt.table, rows, stream, 0, false));
    return values.view({x.size(0), x.size(1), values.size(1)});
  }
  const Tensor values = run.learnt.transform.invert(rows);
  return values.view({x.size(0), x.size(1), values.size(1)});
}

void write_numbers(const OpenRun& run, const std::string& path, const Tensor& x) {
  if (path.ends_with(".npy")) return write_rows(path, in_units(run, x));
  if (!path.ends_with(".csv"))
    fail_usage("--out",
               fmt::format("expected a file that ends in .mid, .png, .svg, .npy or .csv, got '{}'", path));
  if (!run.learnt.table.empty())
    fail_usage("--out",
               "expected .npy for sequences of a table (of a category its index), got '" + path + "'");
  const Tensor values = in_units(run, x);
  const Tensor numbers = at::arange(x.size(0), values.options()).repeat_interleave(x.size(1)).unsqueeze(1);
  std::vector<std::string> names = {"sequence"};
  for (const std::string& name : column_names(run)) names.push_back(name);
  for (auto j = static_cast<std::int64_t>(names.size()) - 1; j < values.size(2); ++j)
    names.push_back(fmt::format("v{}", j));
  write_rows(path, at::cat({numbers, values.reshape({-1, values.size(2)})}, 1), names);
}

std::string chart_title(const OpenRun& run, const Tensor& values) {
  std::string title = fmt::format("{}: {} sequences", run.checkpoint.model, values.size(0));
  if (values.size(0) > chart_lines) title += fmt::format(", the first {} of them", chart_lines);
  if (values.size(2) > chart_panels)
    title += fmt::format("; the first {} of {} columns", chart_panels, values.size(2));
  return title;
}

void write_chart(const OpenRun& run, const std::string& path, const Tensor& x, std::int64_t begun) {
  const Tensor values = in_units(run, x).to(at::kFloat).contiguous();
  const std::int64_t rows = values.size(1), width = values.size(2);
  std::vector<std::int64_t> shown(static_cast<std::size_t>(std::min(width, chart_panels)));
  std::iota(shown.begin(), shown.end(), std::int64_t{0});
  const TableSchema& table = run.learnt.table;
  const std::vector<std::string> names = table.empty() ? column_names(run) : table_value_names(table);
  std::vector<Panel> panels;
  for (std::int64_t one = 0; one < std::min(values.size(0), chart_lines); ++one) {
    const float* first = values.data_ptr<float>() + one * rows * width;
    std::vector<Panel> own = panels_of(first, rows, width, shown, names);
    if (panels.empty()) panels.resize(own.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      panels[i].label = own[i].label;
      own[i].lines[0].label = fmt::format("sequence {}", one);
      panels[i].lines.push_back(std::move(own[i].lines[0]));
    }
  }
  if (begun > 0)  // between the last row that was there and the first that was drawn
    for (Panel& panel : panels) panel.marks = {static_cast<double>(begun) - 0.5};
  const std::string svg = sequence_chart(chart_title(run, values), "row", panels);
  if (svg.empty()) fail_numerical("sample", "none of the numbers drawn is finite: there is nothing to show");
  write_text(path, svg);
}

}  // namespace

void write_sequences(const OpenRun& run, const std::string& path, const Tensor& x, const SequenceLook& look) {
  if (path.ends_with(".mid")) return write_music(path, x, look.row_seconds);
  if (path.ends_with(".png")) return write_rolls(path, x, look.begun);
  if (path.ends_with(".svg")) return write_chart(run, path, x, look.begun);
  write_numbers(run, path, x);
}

}  // namespace deepgen
