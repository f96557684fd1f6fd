#include "deepgen/evaluate/quality/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"

namespace deepgen::quality {
namespace {

constexpr std::size_t most_charts = 24, most_bars = 12, most_matrix = 40;
constexpr int number_bars = 24;

// Shares of the rows, real beside synthetic.
struct Bars {
  std::vector<std::string> labels;
  std::vector<double> real, synthetic;
};

// Equal widths from the 0.5 % to the 99.5 % quantile of the real cells; the first and the last bar hold what is
// beyond.
Bars bars_of_number(const Column& real, const Column& synthetic) {
  Bars bars;
  const std::vector<double> known = sorted_known(real);
  if (known.empty()) return bars;
  const auto quantile = [&](double share) {
    return known[static_cast<std::size_t>(share * static_cast<double>(known.size() - 1))];
  };
  double low = quantile(0.005), high = quantile(0.995);
  if (!(high > low)) low = known.front(), high = known.back();
  const double width = high > low ? (high - low) / number_bars : 1;
  const auto fill = [&](const Column& column, std::vector<double>& into) {
    into.assign(number_bars, 0);
    double count = 0;
    for (const double value : column.numbers) {
      if (std::isnan(value)) continue;
      const double place = std::clamp(std::floor((value - low) / width), 0.0, number_bars - 1.0);
      ++into[static_cast<std::size_t>(place)], ++count;
    }
    for (double& bar : into) bar /= std::max(count, 1.0);
  };
  fill(real, bars.real), fill(synthetic, bars.synthetic);
  const double unit = std::pow(10, std::floor(std::log10(width / 10)));  // edges are told to a tenth of a bar
  const auto edge = [&](int i) { return number_text(std::round((low + i * width) / unit) * unit); };
  for (int i = 0; i < number_bars; ++i) bars.labels.push_back(edge(i) + " to " + edge(i + 1));
  return bars;
}

// The most frequent values of both, then all others together.
Bars bars_of_category(const Field& field, const Column& real, const Column& synthetic) {
  std::vector<double> a = code_counts(real, field.codes()), b = code_counts(synthetic, field.codes());
  for (double& count : a) count /= std::max(1.0, static_cast<double>(real.codes.size()));
  for (double& count : b) count /= std::max(1.0, static_cast<double>(synthetic.codes.size()));
  Index order = counted(field.codes());
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    const auto x = static_cast<std::size_t>(i), y = static_cast<std::size_t>(j);
    return a[x] + b[x] > a[y] + b[y];
  });
  Bars bars;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto code = static_cast<std::size_t>(order[i]);
    if (i < most_bars) {
      bars.labels.push_back(field.values[code]);
      bars.real.push_back(a[code]), bars.synthetic.push_back(b[code]);
    } else if (i == most_bars) {
      bars.labels.push_back(fmt::format("{} others", order.size() - most_bars));
      bars.real.push_back(a[code]), bars.synthetic.push_back(b[code]);
    } else {
      bars.real.back() += a[code], bars.synthetic.back() += b[code];
    }
  }
  return bars;
}

// Each bar says what it is when it is pointed at.
std::string svg_bars(const std::string& name, const Bars& bars) {
  constexpr double width = 480, height = 150, foot = 22;
  double most = 0;
  for (std::size_t i = 0; i < bars.real.size(); ++i) most = std::max({most, bars.real[i], bars.synthetic[i]});
  if (most <= 0) return "<p class=\"quiet\">no known cells</p>";
  std::string svg =
      fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"histogram of {}\">",
                  width, height + foot, escape_html(name));
  const double step = width / static_cast<double>(bars.real.size());
  const auto bar = [&](std::size_t i, double share, double offset, const char* colour, const char* whose) {
    const double tall = share / most * (height - 4);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" style=\"fill:var(--{})\">"
        "<title>{}: {:.2f} % {}</title></rect>",
        (static_cast<double>(i) + offset) * step, height - tall, 0.4 * step, tall, colour,
        escape_html(bars.labels[i]), 100 * share, whose);
  };
  for (std::size_t i = 0; i < bars.real.size(); ++i) {
    bar(i, bars.real[i], 0.08, "blue", "of the training rows");
    bar(i, bars.synthetic[i], 0.5, "orange", "of the synthetic rows");
  }
  svg += fmt::format("<line class=\"axis\" x1=\"0\" y1=\"{0}\" x2=\"{1}\" y2=\"{0}\"/>", height, width);
  const auto label = [&](std::size_t i, double x, const char* anchor) {
    std::string text = bars.labels[i];
    if (text.size() > 24 && std::all_of(text.begin(), text.end(), [](char c) { return c > 0; }))
      text = text.substr(0, 23) + "...";
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>", x, height + 16, anchor,
                       escape_html(text));
  };
  label(0, 2, "start");
  if (bars.labels.size() > 1) label(bars.labels.size() - 1, width - 2, "end");
  return svg + "</svg>";
}

std::string histograms(const Report& report, const Tables& tables) {
  std::string html =
      "<section><h2>Columns, worst first</h2><ul class=\"legend\"><li><span class=\"key "
      "series-0\"></span>training "
      "rows</li><li><span class=\"key\" style=\"color:var(--orange)\"></span>synthetic rows</li></ul>"
      "<div class=\"charts\">";
  const std::vector<std::size_t> order = report.worst_columns();
  for (std::size_t i = 0; i < std::min(most_charts, order.size()); ++i) {
    const std::size_t j = order[i];
    const Field& field = report.fields[j];
    const Column &real = tables.real.columns[j], &synthetic = tables.synthetic.columns[j];
    const Shape& shape = report.likeness.shapes[j];
    html += fmt::format(
        "<figure><figcaption>{}</figcaption><span class=\"quiet\">shape {:.4f}; missing {:.2f} % and {:.2f} %"
        "</span>{}</figure>",
        escape_html(field.name), shape.score, 100 * shape.real_missing, 100 * shape.synthetic_missing,
        svg_bars(field.name, field.is_number ? bars_of_number(real, synthetic)
                                             : bars_of_category(field, real, synthetic)));
  }
  html += "</div>";
  if (order.size() > most_charts)
    html += fmt::format("<p class=\"quiet\">and {} columns that are better</p>", order.size() - most_charts);
  return html + "</section>";
}

// Squares from clear (1) to full colour (at or below `worst`), of the worst columns.
std::string matrix(const Report& report) {
  constexpr double cell = 18, worst = 0.8;
  std::vector<std::size_t> order = report.worst_columns(), place(report.fields.size(), report.fields.size());
  order.resize(std::min(order.size(), most_matrix));
  const std::size_t count = order.size();
  if (count < 2) return "";
  for (std::size_t i = 0; i < count; ++i) place[order[i]] = i;
  const double names = 190, side = cell * static_cast<double>(count);
  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" style=\"max-width:{0}px\" role=\"img\" "
      "aria-label=\"matrix of "
      "pair trends\">",
      names + side, side);
  const auto square = [&](std::size_t row, std::size_t column, double score, const std::string& title) {
    svg += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" style=\"fill:var(--bad);fill-opacity:{:.3f};"
        "stroke:var(--line)\"><title>{}</title></rect>",
        names + cell * static_cast<double>(column), cell * static_cast<double>(row), cell - 1, cell - 1,
        std::clamp((1 - score) / (1 - worst), 0.0, 1.0), title);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Shape& shape = report.likeness.shapes[order[i]];
    square(i, i, shape.score, fmt::format("{}: shape {:.4f}", escape_html(shape.name), shape.score));
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", names - 6,
                       cell * (static_cast<double>(i) + 0.75), escape_html(shape.name));
  }
  for (const Trend& trend : report.likeness.trends) {
    const std::size_t a = place[trend.first], b = place[trend.second];
    if (a >= count || b >= count) continue;
    const std::string title = fmt::format(
        "{}, {}: {:.4f} (real {:.3f}, synthetic {:.3f})", escape_html(report.fields[trend.first].name),
        escape_html(report.fields[trend.second].name), trend.score, trend.real, trend.synthetic);
    square(a, b, trend.score, title), square(b, a, trend.score, title);
  }
  return fmt::format(
      "<section><h2>Pair trends</h2><p class=\"quiet\">Clear: alike (1). Full colour: {} or less. On the "
      "diagonal the "
      "shape of the column.</p><div class=\"wide\">{}</svg></div></section>",
      worst, svg);
}

}  // namespace

std::string report_sections(const Report& report, const Tables& tables) {
  return fmt::format(
             "{}<section><h2>Quality of the synthetic rows</h2><div "
             "class=\"wide\"><pre>{}</pre></div></section>",
             sections_begin, escape_html(report_text(report))) +
         histograms(report, tables) + matrix(report) + sections_end;
}

std::string report_page(const Report& report, const Tables& tables) {
  const std::string header = fmt::format(
      "<header><p class=\"kicker\">deepgen quality</p><h1>{}</h1></header>", escape_html(report.synthetic));
  return report::page("quality of " + report.synthetic, header + report_sections(report, tables));
}

}  // namespace deepgen::quality
