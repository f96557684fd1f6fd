// The table and the pictures of the study of contrastive divergence.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "deepgen/core/chart.h"
#include "deepgen/core/html.h"
#include "deepgen/core/report_parts.h"
#include "deepgen/evaluate/cd_bias.h"

namespace deepgen {
namespace {

constexpr std::size_t most_cd_bias_lines = 4;  // as many as the style sheet has colours
constexpr const char* cd_bias_columns[] = {"weights",        "k",         "cosine",   "least cosine",
                                           "relative error", "remaining", "lambda^k", "lambda"};

std::vector<std::string> cells_of(const CdBiasRow& row) {
  return {fmt::format("{:g}", row.scale),
          fmt::format("{}", row.steps),
          fmt::format("{:.4f}", row.cosine),
          fmt::format("{:.4f}", row.least_cosine),
          fmt::format("{:.4f}", row.relative_error),
          fmt::format("{:.4f}", row.remaining),
          fmt::format("{:.4f}", row.eigenvalue_power),
          fmt::format("{:.4f}", row.second_eigenvalue)};
}

std::string heading_of(const CdBiasPlan& plan) {
  return fmt::format("{} visible and {} hidden units, {} machines, seed {}", plan.visible, plan.hidden,
                     plan.machines, plan.seed);
}

// A figure against k, a line for each of the smallest scales.
template <class Figure>
Chart chart_of(const CdBiasTable& table, const std::string& title, Figure figure) {
  Chart chart{title, "Gibbs steps k", {}};
  for (const CdBiasRow& row : table.rows) {
    if (chart.series.empty() || row.steps == table.plan.steps.front()) {
      if (chart.series.size() == most_cd_bias_lines) break;
      chart.series.push_back({fmt::format("weights {:g}", row.scale), {}, {}});
    }
    chart.series.back().x.push_back(static_cast<double>(row.steps));
    chart.series.back().y.push_back(figure(row));
  }
  return chart;
}

Chart error_chart(const CdBiasTable& table) {
  return chart_of(table, "relative error of the CD-k gradient",
                  [](const CdBiasRow& row) { return row.relative_error; });
}

std::string rows_section(const CdBiasTable& table) {
  std::string html = "<section><h2>Table</h2><div class=\"wide\"><table><thead><tr>";
  for (const char* name : cd_bias_columns) html += fmt::format("<th>{}</th>", name);
  html += "</tr></thead><tbody>";
  for (const CdBiasRow& row : table.rows) {
    html += "<tr>";
    for (const std::string& cell : cells_of(row)) html += fmt::format("<td class=\"number\">{}</td>", cell);
    html += "</tr>";
  }
  return html +
         "</tbody></table></div><p class=\"quiet\">Means over the machines; weights: their standard "
         "deviation. "
         "Cosine and relative error: of the expected gradient of CD-k against that of the likelihood, over "
         "all "
         "parameters. Remaining: probability that after k steps is not where the model has it. lambda: the "
         "second "
         "eigenvalue of the Gibbs kernel, whose power bounds what is left.</p></section>\n";
}

}  // namespace

std::string cd_bias_text(const CdBiasTable& table) {
  std::string text = fmt::format("CD-k beside the gradient of the likelihood: {}\n", heading_of(table.plan));
  for (const char* name : cd_bias_columns) text += fmt::format("{:>15}", name);
  for (const CdBiasRow& row : table.rows) {
    text += "\n";
    for (const std::string& cell : cells_of(row)) text += fmt::format("{:>15}", cell);
  }
  return text + "\n";
}

nlohmann::ordered_json cd_bias_json(const CdBiasTable& table) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const CdBiasRow& row : table.rows)
    rows.push_back({{"scale", row.scale},
                    {"steps", row.steps},
                    {"cosine", row.cosine},
                    {"least_cosine", row.least_cosine},
                    {"relative_error", row.relative_error},
                    {"remaining", row.remaining},
                    {"second_eigenvalue", row.second_eigenvalue},
                    {"eigenvalue_power", row.eigenvalue_power}});
  const CdBiasPlan& plan = table.plan;
  return {{"study", "cd-bias"},        {"visible", plan.visible}, {"hidden", plan.hidden},
          {"machines", plan.machines}, {"seed", plan.seed},       {"rows", rows}};
}

std::string cd_bias_page(const CdBiasTable& table) {
  std::string html = fmt::format(
      "<header><p class=\"kicker\">deepgen study cd-bias</p><h1>What contrastive divergence leaves out</h1>"
      "<p class=\"quiet\">{}</p></header>\n",
      escape_html(heading_of(table.plan)));
  html += "<section><h2>As weights and steps grow</h2><div class=\"charts\">" +
          report::chart_figure(error_chart(table)) +
          report::chart_figure(chart_of(table, "cosine with the gradient of the likelihood",
                                        [](const CdBiasRow& row) { return row.cosine; })) +
          report::chart_figure(chart_of(table, "probability not yet where the model has it",
                                        [](const CdBiasRow& row) { return row.remaining; })) +
          "</div></section>\n" + rows_section(table);
  return report::page("What contrastive divergence leaves out", html);
}

// The chart with what a page would give it: a style, a title and names beside its lines.
std::string cd_bias_svg(const CdBiasTable& table) {
  const Chart chart = error_chart(table);
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 560 270\" font-family=\"sans-serif\">\n<style>"
      "text{font-size:12px;fill:#5d6873}path{fill:none}.axis{stroke:#5d6873}.grid{stroke:#dde2e7}"
      ".line{stroke:currentColor;stroke-width:2}.dot{fill:currentColor}.series-0{color:#1f6fb5}"
      ".series-1{color:#c8561b}.series-2{color:#2c8a4b}.series-3{color:#7a4fb5}</style>\n"
      "<rect width=\"560\" height=\"270\" fill=\"#ffffff\"/>";
  svg +=
      fmt::format("<text x=\"14\" y=\"18\">{}</text>\n<svg y=\"26\" width=\"440\" height=\"240\">{}</svg>\n",
                  escape_html(chart.title), svg_chart(chart));
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    svg += fmt::format(
        "<path class=\"line series-{0}\" d=\"M445 {1}h16\"/><text x=\"466\" y=\"{2}\">{3}</text>\n", i,
        46 + 20 * i, 50 + 20 * i, escape_html(chart.series[i].label));
  return svg + "</svg>\n";
}

}  // namespace deepgen
