#include "deepgen/core/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/html.h"

namespace deepgen {
namespace {

constexpr double chart_width = 440, chart_height = 240;
constexpr double top = 12, bottom = 40, right = 16, letter_width = 6.8;
constexpr double largest_drawn = 1e300;    // so that differences stay finite
constexpr std::size_t most_points = 1000;  // a line with more is thinned; twice the chart's width in pixels
constexpr std::size_t rows_before_cutting = 10;  // shorter curves show every point

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool empty() const { return !(low <= high); }
  double size() const { return high - low; }
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Where data coordinates land in the drawing.
struct Frame {
  Range x, y;
  double left = 0;

  double across(double value) const {
    return left + (value - x.low) / x.size() * (chart_width - right - left);
  }
  double down(double value) const {
    return chart_height - bottom - (value - y.low) / y.size() * (chart_height - bottom - top);
  }
};

bool drawable(const Series& series, std::size_t i) {
  return std::isfinite(series.x[i]) && std::abs(series.x[i]) < largest_drawn && std::isfinite(series.y[i]) &&
         std::abs(series.y[i]) < largest_drawn;
}

// The values of all series, without the first `skipped` points of each.
Range y_range(const Chart& chart, std::size_t skipped) {
  Range range;
  for (const Series& series : chart.series) {
    for (std::size_t i = skipped; i < series.y.size(); ++i) {
      if (drawable(series, i)) range.include(series.y[i]);
    }
  }
  return range;
}

// A range that can be divided by, with room around its ends.
Range padded(Range range, double share) {
  if (range.size() <= 1e-12 * std::max(std::abs(range.low), std::abs(range.high))) {
    const double room = range.low == 0 ? 1 : 0.05 * std::abs(range.low);
    return {range.low - room, range.high + room};
  }
  return {range.low - share * range.size(), range.high + share * range.size()};
}

// The first tenth of a long curve may flatten the rest: it is left out of the range when it does.
Range shown_y_range(const Chart& chart) {
  const Range all = y_range(chart, 0);
  std::size_t rows = 0;
  for (const Series& series : chart.series) rows = std::max(rows, series.y.size());
  if (rows < rows_before_cutting) return padded(all, 0.05);
  const Range later = y_range(chart, rows / 10);
  const bool cut = !later.empty() && later.size() > 0 && all.size() > 4 * later.size();
  return padded(cut ? later : all, cut ? 0.15 : 0.05);
}

bool whole_numbers(const Chart& chart) {
  for (const Series& series : chart.series) {
    if (!std::all_of(series.x.begin(), series.x.end(), [](double x) { return x == std::floor(x); }))
      return false;
  }
  return true;
}

// Labels that differ from tick to tick and are no longer than that needs.
std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::abs(ticks[0]);
  const double largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  const bool extreme = largest >= 1e7 || step < 1e-6 || ticks.size() == 1;
  const int decimals = extreme ? 0 : std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::vector<std::string> labels;
  labels.reserve(ticks.size());
  for (const double tick : ticks) labels.push_back(extreme ? number_text(tick) : fixed_text(tick, decimals));
  return labels;
}

std::size_t letters(const std::string& text) {  // bytes that start a character
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string horizontal_axis(const Chart& chart, const Frame& frame) {
  const std::vector<double> ticks = round_ticks(frame.x.low, frame.x.high, 6, whole_numbers(chart) ? 1 : 0);
  const std::vector<std::string> labels = tick_labels(ticks);
  const double base = chart_height - bottom;
  std::string svg =
      fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}H{:.1f}"/>)", frame.left, base, chart_width - right);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double x = frame.across(ticks[i]);
    svg += fmt::format(
        R"(<path class="axis" d="M{:.1f} {:.1f}v4"/><text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)",
        x, base, x, base + 17, labels[i]);
  }
  svg += fmt::format(R"(<text class="axis-name" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                     chart_width - right, chart_height - 7, escape_html(chart.x_label));
  return svg;
}

std::string vertical_axis(const std::vector<double>& ticks, const std::vector<std::string>& labels,
                          const Frame& frame) {
  std::string svg;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double y = frame.down(ticks[i]);
    svg += fmt::format(
        R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
        frame.left, y, chart_width - right, frame.left - 7, y + 4, labels[i]);
  }
  return svg;
}

// Of every run of neighbours the smallest and the largest, in order, so that thinning hides no spike.
std::vector<std::size_t> drawn_points(const Series& series) {
  std::vector<std::size_t> points;
  const std::size_t count = series.y.size();
  const std::size_t width = std::max<std::size_t>(1, 2 * count / most_points);
  for (std::size_t begin = 0; begin < count; begin += width) {
    const std::size_t end = std::min(count, begin + width);
    std::size_t low = begin, high = begin;
    bool gap = false;
    for (std::size_t i = begin; i < end; ++i) {
      gap = gap || !drawable(series, i);
      if (series.y[i] < series.y[low]) low = i;
      if (series.y[i] > series.y[high]) high = i;
    }
    if (gap || width == 1) {
      for (std::size_t i = begin; i < end; ++i) points.push_back(i);
    } else {
      points.push_back(std::min(low, high));
      if (low != high) points.push_back(std::max(low, high));
    }
  }
  if (count > 0 && points.back() != count - 1) points.push_back(count - 1);
  return points;
}

// Far outside the frame is as good as outside, and keeps the coordinates short.
double clipped(double coordinate) { return std::clamp(coordinate, -1000.0, 2000.0); }

std::string line(const Series& series, std::size_t number, const Frame& frame) {
  std::string path, dots;
  bool drawing = false;
  const std::vector<std::size_t> points = drawn_points(series);
  for (std::size_t k = 0; k < points.size(); ++k) {
    const std::size_t i = points[k];
    const bool here = drawable(series, i);
    const bool next = k + 1 < points.size() && drawable(series, points[k + 1]);
    if (here) {
      const double x = clipped(frame.across(series.x[i])), y = clipped(frame.down(series.y[i]));
      path += fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M", x, y);
      if (!drawing && !next)
        dots += fmt::format(R"(<circle class="dot series-{}" cx="{:.1f}" cy="{:.1f}" r="3"/>)", number, x, y);
    }
    drawing = here;
  }
  if (path.empty()) return "";
  return fmt::format(R"(<path class="line series-{}" d="{}"/>{})", number, path, dots);
}

// Marks beside the curves stand at the border.
std::string mark_lines(const Chart& chart, const Frame& frame) {
  std::string svg;
  for (const double mark : chart.marks) {
    if (!std::isfinite(mark)) continue;
    const double x = frame.across(std::clamp(mark, frame.x.low, frame.x.high));
    svg += fmt::format(R"(<path class="mark" d="M{:.1f} {}V{:.1f}"/>)", x, top, chart_height - bottom);
  }
  return svg;
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int wanted, double smallest_step) {
  if (!(high > low) || !std::isfinite(high - low)) return {low};
  const double rough = (high - low) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double factor = rough / power;  // in [1, 10)
  double step = power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
  step = std::max(step, smallest_step);
  std::vector<double> ticks;
  const double first = std::ceil(low / step - 1e-9);
  for (double k = first; k * step <= high + 1e-9 * step && ticks.size() < 100; ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  if (ticks.empty()) ticks.push_back(low);
  return ticks;
}

std::string svg_chart(const Chart& chart) {
  Frame frame;
  for (const Series& series : chart.series) {
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      if (drawable(series, i)) frame.x.include(series.x[i]);
    }
  }
  if (frame.x.empty()) return "";
  frame.x = padded(frame.x, 0);
  frame.y = shown_y_range(chart);
  const std::vector<double> ticks = round_ticks(frame.y.low, frame.y.high, 5);
  const std::vector<std::string> labels = tick_labels(ticks);
  std::size_t widest = 0;
  for (const std::string& label : labels) widest = std::max(widest, letters(label));
  frame.left = 14 + letter_width * static_cast<double>(widest);

  std::string svg = fmt::format(R"(<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">)",
                                chart_width, chart_height, escape_html(chart.title));
  svg += vertical_axis(ticks, labels, frame) + horizontal_axis(chart, frame);
  svg += fmt::format(R"(<svg x="{:.1f}" y="{}" width="{:.1f}" height="{}" viewBox="{:.1f} {} {:.1f} {}">)",
                     frame.left - 4, top - 4, chart_width - right - frame.left + 8,
                     chart_height - bottom - top + 8, frame.left - 4, top - 4,
                     chart_width - right - frame.left + 8, chart_height - bottom - top + 8);
  svg += mark_lines(chart, frame);
  for (std::size_t i = 0; i < chart.series.size(); ++i) svg += line(chart.series[i], i, frame);
  return svg + "</svg></svg>";
}

}  // namespace deepgen
