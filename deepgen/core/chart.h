// Line charts as inline SVG, for reports: several series, gaps at missing values, axes with round numbers.
#pragma once

#include <string>
#include <vector>

namespace deepgen {

// One line. A point with a y that is not finite is a gap.
struct Series {
  std::string label;
  std::vector<double> x, y;  // of equal length
};

struct Chart {
  std::string title;  // read out by screen readers; drawn by the caller
  std::string x_label;
  std::vector<Series> series;
  std::vector<double> marks = {};  // places on the x axis with something to notice: vertical lines
};

// Round numbers (1, 2 or 5 times a power of ten apart, at least `smallest_step`) that lie in [low, high];
// about `wanted` of them and never none: an empty range gives its one value.
std::vector<double> round_ticks(double low, double high, int wanted, double smallest_step = 0);

// The chart as one <svg> element whose colours come from the classes `series-0`, `series-1`, ... of the page.
// Early points that would flatten all others are cut off at the border. "" when no point is finite.
std::string svg_chart(const Chart& chart);

}  // namespace deepgen
