#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"

namespace deepgen::report {
namespace {

constexpr double wide_bracket = 1;  // nats beyond which a comparison is idle

struct Kind {
  const char* name;
  const char* words;
};

constexpr Kind kinds[] = {
    {"exact", "computed in full; the standard error is that of the rows alone"},
    {"lower_bound", "the true value is higher, on average over the estimator's own randomness"},
    {"upper_bound", "the true value is lower, on average over the estimator's own randomness"},
    {"estimate", "may err to either side, by more than its standard error when the sampler mixes badly"},
    {"proxy", "moves with quality but is no likelihood; compare it only within one kind of model"},
};

void add_scores(const Json& holder, const std::string& data, const std::string& split,
                std::vector<Json>* scores) {
  if (!holder.is_object() || !holder.contains("scores") || !holder["scores"].is_array()) return;
  for (Json score : holder["scores"]) {
    if (!score.is_object()) continue;
    if (!score.contains("split") && !split.empty()) score["split"] = split;
    if (!score.contains("data") && !data.empty()) score["data"] = data;
    scores->push_back(std::move(score));
  }
}

std::string value_cell(const Json& score) {
  const double value = number_at(score, "value"), error = number_at(score, "standard_error");
  const double lower = number_at(score, "lower"), upper = number_at(score, "upper");
  const bool has_error = std::isfinite(error);
  const int decimals = error_decimals(error);
  std::string text = has_error ? fixed_text(value, decimals) : number_text(value);
  if (has_error) text += " \xC2\xB1 " + fixed_text(error, decimals);
  std::string html = "<b>" + text + "</b>";
  const int digits = has_error ? decimals : 2;
  std::string interval;  // or the one side of which something is known
  if (std::isfinite(lower) && std::isfinite(upper))
    interval = fmt::format("between {} and {}", fixed_text(lower, digits), fixed_text(upper, digits));
  else if (std::isfinite(upper))
    interval = "at most " + fixed_text(upper, digits);
  else if (std::isfinite(lower))
    interval = "at least " + fixed_text(lower, digits);
  return interval.empty() ? html : html + "<br/><span class=\"bracket\">" + interval + "</span>";
}

// Every object that holds scores.
std::vector<Json> evaluations_of(const Json& run) {
  std::vector<Json> all;
  if (run.contains("evaluation")) all.push_back(run["evaluation"]);
  if (run.contains("evaluations") && run["evaluations"].is_array())
    for (const Json& one : run["evaluations"]) all.push_back(one);
  return all;
}

// The memory that evaluations took, a sentence each.
std::string memory_lines(const Json& run) {
  std::string html;
  for (const Json& one : evaluations_of(run)) {
    const double bytes = number_at(one, "peak_memory_bytes");
    if (!std::isfinite(bytes)) continue;
    html +=
        fmt::format("<p class=\"quiet\">Evaluating {} ({}): peak memory {}.</p>",
                    escape_html(text_at(one, "data")), escape_html(text_at(one, "split")), bytes_text(bytes));
  }
  return html;
}

}  // namespace

std::vector<Json> all_scores(const Json& run) {
  std::vector<Json> scores;
  if (!run.is_object()) return scores;
  add_scores(run, "", "", &scores);
  for (const Json& one : evaluations_of(run))
    add_scores(one, text_at(one, "data"), text_at(one, "split"), &scores);
  return scores;
}

std::string scores_section(const Json& run) {
  const std::vector<Json> scores = all_scores(run);
  if (scores.empty()) return "<section><h2>Scores</h2><p class=\"quiet\">No scores yet.</p></section>\n";
  std::string html =
      "<section><h2>Scores</h2><div "
      "class=\"wide\"><table><thead><tr><th>metric</th><th>split</th><th>kind</th>"
      "<th>value</th><th>unit</th><th>rows</th><th>how</th></tr></thead><tbody>";
  for (const Json& score : scores) {
    const std::string kind = text_at(score, "kind");
    const double rows = number_at(score, "rows");
    html += fmt::format(
        "<tr><td class=\"name\">{}</td><td>{}</td><td><span class=\"kind {}\">{}</span></td><td "
        "class=\"number\">{}</td>"
        "<td>{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
        escape_html(text_at(score, "metric")), escape_html(text_at(score, "split")),
        kind == "proxy" ? "proxy" : "firm", escape_html(kind), value_cell(score),
        escape_html(text_at(score, "unit")), std::isfinite(rows) ? number_text(rows) : "",
        escape_html(text_at(score, "how")));
  }
  html += "</tbody></table></div><dl class=\"kinds\">";
  for (const Kind& kind : kinds) {
    for (const Json& score : scores) {
      if (text_at(score, "kind") != kind.name) continue;
      html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", kind.name, kind.words);
      break;
    }
  }
  return html + "</dl>" + memory_lines(run) + "</section>\n";
}

std::vector<std::string> score_warnings(const Json& run) {
  std::vector<std::string> warnings;
  for (const Json& score : all_scores(run)) {
    const std::string name =
        text_at(score, "metric") + (score.contains("split") ? " (" + text_at(score, "split") + ")" : "");
    if (!std::isfinite(number_at(score, "value")))
      warnings.push_back("The score " + name + " is not a finite number.");
    const double lower = number_at(score, "lower"), upper = number_at(score, "upper");
    const bool in_nats = text_at(score, "unit") == "nats";
    if (lower > upper) {
      warnings.push_back("The bracket of " + name +
                         " is inverted: its annealed runs contradict each other; use more temperatures.");
    } else if (in_nats && upper - lower > wide_bracket) {
      warnings.push_back(
          fmt::format("The bracket of {} is {} nats wide: use more temperatures before comparing it.", name,
                      fixed_text(upper - lower, 1)));
    }
  }
  return warnings;
}

}  // namespace deepgen::report
