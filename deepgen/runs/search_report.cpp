// The table and the page of a search.
#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/chart.h"
#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"
#include "deepgen/runs/search_record.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;

// Ranked trials first, then all others by number.
std::vector<std::int64_t> shown_order(const SearchRecord& record) {
  std::vector<std::int64_t> order = ranked_trials(record);
  const std::size_t ranked = order.size();
  for (const SearchTrial& trial : record.trials)
    if (std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(ranked), trial.number) ==
        order.begin() + static_cast<std::ptrdiff_t>(ranked))
      order.push_back(trial.number);
  return order;
}

std::int64_t winner_of(const SearchRecord& record) {
  return record.best.is_object() && record.best.contains("trial")
             ? record.best.at("trial").get<std::int64_t>()
             : 0;
}

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value));
}

std::string heading(const SearchRecord& record) {
  const std::string model = report::text_at(record.asked, "model");
  std::string html = fmt::format(
      "<header><p class=\"kicker\">deepgen search</p><h1>{}</h1><p class=\"status {}\">{}</p><dl "
      "class=\"facts\">",
      escape_html(model), record.status == "done" ? "good" : "bad", escape_html(record.status));
  html += fact("data", report::text_at(record.asked, "data"));
  html += fact("time", duration_text(record.seconds));
  if (record.budget_seconds > 0) html += fact("budget", duration_text(record.budget_seconds));
  for (const auto& [name, value] : record.facts.items()) {
    if (name == "data_used" && value == record.asked.value("data", Json())) continue;  // as asked
    std::string words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    html += fact(words, report::value_text(name, value));
  }
  return html + "</dl></header>\n";
}

std::string best_section(const SearchRecord& record) {
  const std::int64_t number = winner_of(record);
  if (number == 0) return "";
  const Json& best = record.best;
  std::string html = fmt::format(
      "<section><h2>The best</h2><p>Trial {}, retrained from its beginning for up to {} epochs: <a "
      "href=\"best/report.html\">best</a> ({}).</p><p class=\"name\">{}</p>",
      number, report::value_text("", best.at("epochs")), escape_html(report::text_at(best, "status")),
      escape_html(combination_text(record.trial(number).settings)));
  if (best.contains("score") && best["score"].is_number())
    html += fmt::format("<p>{} ({}): <b>{}</b></p>", escape_html(report::text_at(best, "score_name")),
                        escape_html(report::text_at(best, "score_kind")),
                        fixed_text(best["score"].get<double>(), 3));
  return html +
         "<p class=\"quiet\">Settings were chosen by the validation rows, so this score flatters "
         "them. The test rows were not used: deepgen evaluate says what they give.</p></section>\n";
}

std::string chart_section(const SearchRecord& record) {
  constexpr std::size_t most_lines = 4;  // as many as the style sheet has colours
  Chart chart{"validation score against epochs", "epochs", {}};
  std::string legend;
  for (const std::int64_t number : ranked_trials(record)) {
    if (chart.series.size() == most_lines) break;
    Series line{fmt::format("trial {}", number), {}, {}};
    for (const TrialRound& round : record.trial(number).rounds) {
      line.x.push_back(static_cast<double>(round.epochs));
      line.y.push_back(round.score);
    }
    legend += fmt::format("<li class=\"series-{0}\"><span class=\"key series-{0}\"></span>{1}</li>",
                          chart.series.size(), line.label);
    chart.series.push_back(std::move(line));
  }
  const std::string svg = svg_chart(chart);
  if (svg.empty()) return "";
  return "<section><h2>The first trials, round by round</h2><div "
         "class=\"charts\"><figure><figcaption>validation score against "
         "epochs</figcaption><ul class=\"legend\">" +
         legend + "</ul>" + svg + "</figure></div></section>\n";
}

std::string trial_row(const SearchRecord& record, const SearchTrial& trial) {
  const bool has_folder = trial.epochs() > 0;
  std::string row = "<tr><td class=\"number\">";
  row += has_folder
             ? fmt::format("<a href=\"{}/report.html\">{}</a>", escape_html(trial.folder()), trial.number)
             : fmt::format("{}", trial.number);
  if (trial.number == winner_of(record)) row += " <b>best</b>";
  row += fmt::format("</td><td class=\"number\">{}</td><td class=\"number\">{}</td>",
                     trial.rounds.empty() ? "" : fixed_text(trial.rounds.back().score, 3), trial.epochs());
  for (const auto& [name, value] : trial.settings.items())
    row += fmt::format("<td class=\"number\">{}</td>", escape_html(report::value_text(name, value)));
  row += fmt::format("<td class=\"number\">{}</td><td>{}{}</td></tr>", duration_text(trial.seconds),
                     escape_html(trial.status), trial.error.empty() ? "" : ": " + escape_html(trial.error));
  return row;
}

std::string trials_section(const SearchRecord& record) {
  std::string html =
      "<section><h2>Trials</h2><div class=\"wide\"><table><thead><tr><th>trial</th><th>score</th>"
      "<th>epochs</th>";
  if (!record.trials.empty())
    for (const auto& [name, value] : record.trials.front().settings.items())
      html += fmt::format("<th>{}</th>", escape_html(name));
  html += "<th>time</th><th>status</th></tr></thead><tbody>";
  for (const std::int64_t number : shown_order(record)) html += trial_row(record, record.trial(number));
  const std::vector<std::int64_t> ranked = ranked_trials(record);
  html += "</tbody></table></div><p class=\"quiet\">Longest trained first, then by score; greater is better.";
  if (!ranked.empty())
    html += fmt::format(" The score is {} ({}).", escape_html(record.trial(ranked.front()).score_name),
                        escape_html(record.trial(ranked.front()).score_kind));
  return html + "</p></section>\n";
}

}  // namespace

std::vector<std::string> search_table(const SearchRecord& record) {
  std::vector<std::string> lines = {fmt::format("{:>5} {:>12} {:>9} {:>7} {:>9}  {}", "trial", "score",
                                                "kind", "epochs", "time", "settings")};
  for (const std::int64_t number : shown_order(record)) {
    const SearchTrial& trial = record.trial(number);
    if (trial.status == "waiting") continue;
    lines.push_back(fmt::format("{:>5} {:>12} {:>9} {:>7} {:>9}  {}{}", number,
                                trial.rounds.empty() ? "-" : fmt::format("{:.3f}", trial.rounds.back().score),
                                trial.score_kind.empty() ? "-" : trial.score_kind, trial.epochs(),
                                duration_text(trial.seconds), combination_text(trial.settings),
                                trial.error.empty() ? "" : "  " + trial.error));
  }
  return lines;
}

std::string search_html(const SearchRecord& record) {
  return report::page(report::text_at(record.asked, "model") + " - deepgen search",
                      heading(record) + best_section(record) + trials_section(record) +
                          chart_section(record) +
                          "<footer><p>search.json beside this page holds the same in full.</p></footer>");
}

}  // namespace deepgen
