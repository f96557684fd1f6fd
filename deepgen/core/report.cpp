#include "deepgen/core/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"

namespace deepgen {
namespace report {

double number_at(const Json& object, const std::string& key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_number() ? found->get<double>()
                                                                           : std::nan("");
}

std::string text_at(const Json& object, const std::string& key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string value_text(const std::string& name, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "not a number";
  if (value.is_number()) {
    const double number = value.get<double>();
    if (name.ends_with("_bytes")) return bytes_text(number);
    if (name.ends_with("seconds")) return duration_text(number);
    return value.is_number_integer() ? value.dump() : number_text(number);
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::pair<std::string, Json>> leaves(const Json& value, const std::string& prefix) {
  if (!value.is_object()) return {{prefix, value}};
  std::vector<std::pair<std::string, Json>> result;
  for (const auto& item : value.items()) {
    const std::string name = prefix.empty() ? item.key() : prefix + "." + item.key();
    for (auto& leaf : leaves(item.value(), name)) result.push_back(std::move(leaf));
  }
  return result;
}

namespace {

// A fact's name for people: "peak_memory_bytes" is "peak memory", "training_seconds" is "training time".
std::string fact_name(std::string name) {
  if (name.ends_with("_bytes")) name.resize(name.size() - 6);
  if (name.ends_with("seconds")) name.replace(name.size() - 7, 7, "time");
  std::replace(name.begin(), name.end(), '_', ' ');
  std::replace(name.begin(), name.end(), '.', ' ');
  return name;
}

// "runs/layer/model.safetensors (layers.0=rbm)", one after another.
std::string sources_text(const Json& run) {
  std::string text;
  if (run.contains("started_from") && run["started_from"].is_array())
    for (const Json& source : run["started_from"]) {
      const std::string part = text_at(source, "part");
      text += (text.empty() ? "" : ", ") + text_at(source, "path") + (part.empty() ? "" : " (" + part + ")");
    }
  return text;
}

std::string heading(const Json& run) {
  static const std::set<std::string> elsewhere = {"model",   "title",       "status",     "warnings",
                                                  "scores",  "evaluations", "evaluation", "options",
                                                  "proxies", "findings",    "rollbacks",  "started_from"};
  const std::string model = text_at(run, "model"), title = text_at(run, "title"),
                    status = text_at(run, "status");
  std::string html =
      fmt::format("<header><p class=\"kicker\">deepgen run</p><h1>{}</h1>",
                  escape_html(title.empty() ? (model.empty() ? "a run without a model" : model) : title));
  html += fmt::format("<p class=\"status {}\">{}</p><dl class=\"facts\">", status == "done" ? "good" : "bad",
                      status.empty() ? "status not recorded" : escape_html(status));
  if (!title.empty() && !model.empty())
    html += fmt::format("<div><dt>model</dt><dd>{}</dd></div>", escape_html(model));
  if (const std::string sources = sources_text(run); !sources.empty())
    html += fmt::format("<div><dt>started from</dt><dd>{}</dd></div>", escape_html(sources));
  for (const auto& item : run.items()) {
    if (elsewhere.contains(item.key())) continue;
    for (const auto& [name, value] : leaves(item.value(), item.key())) {
      html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(fact_name(name)),
                          escape_html(value_text(name, value)));
    }
  }
  return html + "</dl></header>\n";
}

std::string warnings_section(const Json& run, const std::vector<Json>& curve) {
  std::vector<std::string> warnings;
  const std::string status = text_at(run, "status");
  if (status != "done") warnings.push_back("The run did not finish: its status is '" + status + "'.");
  if (text_at(run, "commit").ends_with("-dirty")) {
    warnings.push_back("The program was built from a source tree with changes that were not committed.");
  }
  if (run.contains("warnings") && run["warnings"].is_array()) {
    for (const Json& warning : run["warnings"]) warnings.push_back(value_text("", warning));
  }
  for (const auto& more : {score_warnings(run), curve_warnings(curve)}) {
    warnings.insert(warnings.end(), more.begin(), more.end());
  }
  if (warnings.empty()) return "";
  std::string html = "<section class=\"warnings\"><h2>Warnings</h2><ul>";
  for (const std::string& warning : warnings) html += "<li>" + escape_html(warning) + "</li>";
  return html + "</ul></section>\n";
}

// Width and height as the PNG's header states them; zeros when it is no PNG.
std::pair<std::uint32_t, std::uint32_t> png_size(const std::vector<std::uint8_t>& png) {
  if (png.size() < 24) return {0, 0};
  const auto word = [&](std::size_t at) {
    return std::uint32_t{png[at]} << 24 | std::uint32_t{png[at + 1]} << 16 | std::uint32_t{png[at + 2]} << 8 |
           std::uint32_t{png[at + 3]};
  };
  return {word(16), word(20)};
}

std::string pictures_section(const std::vector<ReportPicture>& pictures) {
  constexpr std::uint32_t narrowest_shown = 240;  // smaller pictures are enlarged by a whole factor
  if (pictures.empty()) return "";
  std::string html = "<section><h2>Pictures</h2><div class=\"pictures\">";
  for (const ReportPicture& picture : pictures) {
    const auto [width, height] = png_size(picture.png);
    const std::uint64_t factor =
        width == 0 || width >= narrowest_shown ? 1 : (narrowest_shown + width - 1) / width;
    const std::string title = escape_html(picture.title);
    const std::string size =
        width == 0 ? "" : fmt::format(" width=\"{}\" height=\"{}\"", width * factor, height * factor);
    html += fmt::format(
        "<figure><figcaption>{}</figcaption><img alt=\"{}\"{} src=\"data:image/png;base64,{}\"/></figure>",
        title, title, size, base64(picture.png));
  }
  return html + "</div></section>\n";
}

std::string options_section(const Json& run, const std::map<std::string, std::string>& help) {
  if (!run.contains("options")) return "";
  std::string html =
      "<section><h2>Options</h2><div "
      "class=\"wide\"><table><thead><tr><th>name</th><th>value</th><th>meaning</th>"
      "</tr></thead><tbody>";
  for (const auto& [name, value] : leaves(run["options"])) {
    const auto about = help.find(name);
    html += fmt::format("<tr><td class=\"name\">{}</td><td class=\"name\">{}</td><td>{}</td></tr>",
                        escape_html(name), escape_html(value_text("", value)),
                        about == help.end() ? "" : escape_html(about->second));
  }
  return html + "</tbody></table></div></section>\n";
}

}  // namespace

std::string chart_figure(const Chart& chart) {
  std::string legend;
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    legend += fmt::format("<li class=\"series-{0}\"><span class=\"key series-{0}\"></span>{1}</li>", i,
                          escape_html(chart.series[i].label));
  return fmt::format("<figure><figcaption>{}</figcaption><ul class=\"legend\">{}</ul>{}</figure>",
                     escape_html(chart.title), legend, svg_chart(chart));
}

std::string page(const std::string& title, const std::string& content) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
      "<meta name=\"color-scheme\" content=\"light dark\"/>"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; "
      "style-src &#39;unsafe-inline&#39;; img-src data:\"/>"
      "<title>{}</title>\n<style>{}</style></head>\n<body><main>\n{}</main></body>\n</html>\n",
      escape_html(title), style_sheet(), content);
}

}  // namespace report

std::string report_html(const nlohmann::ordered_json& record,
                        const std::vector<nlohmann::ordered_json>& curve,
                        const std::vector<ReportPicture>& pictures,
                        const std::map<std::string, std::string>& help, const std::string& more) {
  const nlohmann::ordered_json run = record.is_object() ? record : nlohmann::ordered_json::object();
  const std::string model = report::text_at(run, "model");
  std::string html = report::heading(run) + report::warnings_section(run, report::without_events(curve));
  html += report::findings_section(run);
  html += report::scores_section(run) + report::curves_section(run, curve);
  html += report::pictures_section(pictures) + more + report::options_section(run, help);
  html +=
      "<footer><p>Log-probabilities are in nats and summed over a case, unless a unit says otherwise. "
      "Numbers under different binarizations of one data set are not comparable.</p></footer>\n";
  return report::page(model.empty() ? "deepgen run" : model + " - deepgen run", html);
}

std::vector<nlohmann::ordered_json> parse_curve(const std::string& text) {
  std::vector<nlohmann::ordered_json> lines;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto parsed = nlohmann::ordered_json::parse(line, nullptr, false);
    if (parsed.is_object()) {
      lines.push_back(std::move(parsed));
    } else if (end < text.size()) {
      fail_data("metrics.jsonl",
                fmt::format("expected a JSON object in line {}, got '{}'", number, line.substr(0, 60)));
    }
  }
  return lines;
}

}  // namespace deepgen
