#include "deepgen/core/sequence_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "deepgen/core/html.h"

namespace deepgen {
namespace {

constexpr double picture_width = 900, panel_height = 74, panel_gap = 8, head = 34, foot = 40;
constexpr double left_side = 120, right_side = 16;
constexpr std::array<const char*, 8> line_colours = {"#1f5fa8", "#c8501e", "#2e8b57", "#8a4fa3",
                                                     "#b8860b", "#d64a7f", "#4a4a4a", "#17a2b8"};

// Lowest and highest value; low > high where there is none.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool empty() const { return !(low <= high); }
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value), high = std::max(high, value);
  }
  // Where in [0, 1] a value lies; in the middle where all are one.
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

double across(const Extent& time, double x) {
  return left_side + time.share(x) * (picture_width - left_side - right_side);
}

// The path of a line: it begins anew behind each gap; a point between two gaps is a short stroke.
std::string path_of(const Series& line, const Extent& time, const Extent& range, double top) {
  std::string path;
  bool on = false;
  const std::size_t points = std::min(line.x.size(), line.y.size());
  for (std::size_t i = 0; i < points; ++i) {
    const bool finite = std::isfinite(line.x[i]) && std::isfinite(line.y[i]);
    if (finite)
      path += fmt::format("{}{:.1f} {:.1f}", on ? "L" : "M", across(time, line.x[i]),
                          top + (1 - range.share(line.y[i])) * panel_height);
    if (finite && !on) path += "h0.1";
    on = finite;
  }
  return path;
}

std::string panel_svg(const Panel& panel, const Extent& time, double top) {
  Extent range;
  for (const Series& line : panel.lines)
    for (const double value : line.y) range.add(value);
  std::string svg =
      fmt::format(R"(<rect class="frame" x="{}" y="{}" width="{}" height="{}"/><text x="8" y="{}">{}</text>)",
                  left_side, top, picture_width - left_side - right_side, panel_height,
                  top + panel_height / 2 + 4, escape_html(panel.label));
  if (range.empty()) return svg + "\n";
  svg += fmt::format(R"(<text class="end" x="{}" y="{}">{}</text><text class="end" x="{}" y="{}">{}</text>)",
                     left_side - 6, top + 10, number_text(range.high), left_side - 6, top + panel_height,
                     number_text(range.low));
  for (const double mark : panel.marks)
    if (std::isfinite(mark) && mark >= time.low && mark <= time.high)
      svg += fmt::format(R"(<path class="mark" d="M{:.1f} {}v{}"/>)", across(time, mark), top, panel_height);
  for (std::size_t i = 0; i < panel.lines.size(); ++i)
    svg += fmt::format(R"(<path class="line" stroke="{}" d="{}"><title>{}</title></path>)",
                       line_colours[i % line_colours.size()], path_of(panel.lines[i], time, range, top),
                       escape_html(panel.lines[i].label));
  return svg + "\n";
}

std::string time_axis(const Extent& time, const std::string& label, double base) {
  std::string svg;
  for (const double tick : round_ticks(time.low, time.high, 8))
    svg += fmt::format(
        R"(<path class="mark" d="M{0:.1f} {1}v4"/><text class="middle" x="{0:.1f}" y="{2}">{3}</text>)",
        across(time, tick), base, base + 17, number_text(tick));
  return svg + fmt::format(R"(<text class="end" x="{}" y="{}">{}</text>)", picture_width - right_side,
                           base + 33, escape_html(label));
}

}  // namespace

std::string sequence_chart(const std::string& title, const std::string& time_label,
                           const std::vector<Panel>& panels) {
  Extent time, values;
  for (const Panel& panel : panels)
    for (const Series& line : panel.lines) {
      for (std::size_t i = 0; i < std::min(line.x.size(), line.y.size()); ++i)
        if (std::isfinite(line.y[i])) time.add(line.x[i]), values.add(line.y[i]);
    }
  if (time.empty() || values.empty()) return "";
  const double base = head + static_cast<double>(panels.size()) * (panel_height + panel_gap);
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img">)"
      R"(<title>{2}</title><style>text{{font:12px sans-serif;fill:#222}}.end{{text-anchor:end}})"
      R"(.middle{{text-anchor:middle}}.frame{{fill:#fff;stroke:#bbb}}.mark{{stroke:#888;fill:none}})"
      R"(.line{{fill:none;stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round}}</style>)"
      R"(<rect width="100%" height="100%" fill="#fff"/><text x="8" y="20">{2}</text>)",
      picture_width, base + foot, escape_html(title));
  svg += "\n";
  for (std::size_t i = 0; i < panels.size(); ++i)
    svg += panel_svg(panels[i], time, head + static_cast<double>(i) * (panel_height + panel_gap));
  return svg + time_axis(time, time_label, base) + "</svg>\n";
}

std::vector<Panel> panels_of(const float* rows, std::int64_t count, std::int64_t width,
                             const std::vector<std::int64_t>& columns,
                             const std::vector<std::string>& labels) {
  std::vector<Panel> panels;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Series line{.label = "", .x = {}, .y = {}};
    for (std::int64_t r = 0; r < count; ++r) {
      line.x.push_back(static_cast<double>(r));
      line.y.push_back(static_cast<double>(rows[r * width + columns[i]]));
    }
    panels.push_back({i < labels.size() ? labels[i] : fmt::format("column {}", columns[i]), {line}});
  }
  return panels;
}

}  // namespace deepgen
