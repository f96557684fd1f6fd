// Columns of sequences over time as one SVG picture: a panel for each column, one line in it for each
// sequence (the joints of a recorded and of a generated motion, say).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/chart.h"

namespace deepgen {

struct Panel {
  std::string label;
  std::vector<Series> lines = {};  // at most 8 have colours of their own
  std::vector<double> marks = {};  // places on the time axis with something to notice
};

// A file of its own: panels one below the other, each with its own scale (its lowest and highest value stand
// at its left), over the time axis that they share. Values that are not finite are gaps. "" when no value is
// finite.
std::string sequence_chart(const std::string& title, const std::string& time_label,
                           const std::vector<Panel>& panels);

// The panels of these columns of a sequence [rows, width] in plain memory, each one line over the row
// numbers.
std::vector<Panel> panels_of(const float* rows, std::int64_t count, std::int64_t width,
                             const std::vector<std::int64_t>& columns,
                             const std::vector<std::string>& labels = {});

}  // namespace deepgen
