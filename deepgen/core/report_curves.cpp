#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "deepgen/core/chart.h"
#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"

namespace deepgen::report {
namespace {

// What says where in the training a line of the curve was written; not metrics themselves.
const std::set<std::string> places = {"epoch", "step", "steps", "stage", "phase", "seconds", "time"};
constexpr const char* splits[] = {"train", "valid", "test"};

// "valid_free_energy" is free_energy on valid; a name without a split is a metric of the training itself.
std::pair<std::string, std::string> metric_and_split(const std::string& name) {
  for (const std::string split : splits) {
    if (name.starts_with(split + "_")) return {name.substr(split.size() + 1), split};
  }
  return {name, ""};
}

bool is_proxy(const Json& run, const std::string& metric) {
  if (metric.find("reconstruction") != std::string::npos || metric.starts_with("pseudo")) return true;
  if (!run.is_object() || !run.contains("proxies") || !run["proxies"].is_array()) return false;
  const Json& named = run["proxies"];
  return std::any_of(named.begin(), named.end(), [&](const Json& one) { return one == metric; });
}

bool is_metric(const std::string& name, const Json& value) {
  return !places.contains(name) && (value.is_number() || value.is_null());
}

// Epochs where every line has one and they never fall, else steps on the same terms, else the line's number.
std::string x_axis(const std::vector<Json>& curve) {
  for (const char* name : {"epoch", "step"}) {
    double last = -1;
    bool fits = true;
    for (const Json& line : curve) {
      const double here = number_at(line, name);
      fits = fits && here >= last;
      last = here;
    }
    if (fits && (curve.size() < 2 || last > number_at(curve.front(), name))) return name;
  }
  return "record";
}

Series series_of(const std::vector<Json>& curve, const std::string& name, const std::string& axis) {
  Series series;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (!curve[i].contains(name)) continue;  // written less often than others: no gap
    series.x.push_back(axis == "record" ? static_cast<double>(i + 1) : number_at(curve[i], axis));
    series.y.push_back(number_at(curve[i], name));
  }
  return series;
}

// Where on the axis events happened: between the lines around them where these are numbered.
std::vector<double> marks_of(const std::vector<Json>& curve, const std::string& axis) {
  std::vector<double> marks;
  double records = 0;
  for (const Json& line : curve) {
    if (!line.contains("event"))
      ++records;
    else
      marks.push_back(axis == "record" ? records + 0.5 : number_at(line, axis));
  }
  return marks;
}

// One chart for each metric, in the order of first appearance, with its splits as series.
std::vector<Chart> charts_of(const Json& run, const std::vector<Json>& all) {
  const std::vector<Json> curve = without_events(all);
  const std::string axis = x_axis(curve);
  std::vector<std::string> names, metrics;
  for (const Json& line : curve) {
    for (const auto& item : line.items()) {
      if (!is_metric(item.key(), item.value())) continue;
      if (std::find(names.begin(), names.end(), item.key()) != names.end()) continue;
      names.push_back(item.key());
      const std::string metric = metric_and_split(item.key()).first;
      if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) metrics.push_back(metric);
    }
  }
  const std::vector<double> marks = marks_of(all, axis);
  std::vector<Chart> charts;
  for (const std::string& metric : metrics) {
    std::string title = metric;
    std::replace(title.begin(), title.end(), '_', ' ');
    Chart chart{title + (is_proxy(run, metric) ? " (proxy)" : ""), axis, {}, marks};
    for (const std::string& name : names) {
      const auto [base, split] = metric_and_split(name);
      if (base != metric) continue;
      Series series = series_of(curve, name, axis);
      series.label = split;
      chart.series.push_back(std::move(series));
    }
    charts.push_back(std::move(chart));
  }
  return charts;
}

std::string legend(const Chart& chart) {
  std::string html = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    html += fmt::format("<li><span class=\"key series-{}\"></span>{}{} <b>{}</b></li>", i,
                        escape_html(series.label), series.label.empty() ? "last" : ", last",
                        series.y.empty() ? "" : number_text(series.y.back()));
  }
  return html + "</ul>";
}

}  // namespace

std::vector<Json> without_events(const std::vector<Json>& curve) {
  std::vector<Json> lines;
  std::copy_if(curve.begin(), curve.end(), std::back_inserter(lines),
               [](const Json& line) { return !line.contains("event"); });
  return lines;
}

std::string curves_section(const Json& run, const std::vector<Json>& curve) {
  const std::vector<Chart> charts = charts_of(run, curve);
  if (charts.empty())
    return "<section><h2>Learning curves</h2><p class=\"quiet\">No records yet.</p></section>\n";
  std::string html = "<section><h2>Learning curves</h2><div class=\"charts\">";
  for (const Chart& chart : charts) {
    const std::string drawing = svg_chart(chart);
    html += "<figure><figcaption>" + escape_html(chart.title) + "</figcaption>" + legend(chart);
    html += (drawing.empty() ? "<p class=\"quiet\">No finite value.</p>" : drawing) + "</figure>";
  }
  return html + "</div></section>\n";
}

std::vector<std::string> curve_warnings(const std::vector<Json>& curve) {
  std::vector<std::string> warnings;
  std::set<std::string> seen;
  for (const Json& line : curve) {
    for (const auto& item : line.items()) {
      if (!is_metric(item.key(), item.value()) || std::isfinite(number_at(line, item.key()))) continue;
      if (seen.insert(item.key()).second) {
        const double step = number_at(line, "step");
        warnings.push_back("The metric " + item.key() + " was not finite" +
                           (std::isfinite(step) ? " from step " + number_text(step) : "") + ".");
      }
    }
  }
  return warnings;
}

}  // namespace deepgen::report
