// A quality report as JSON and as text.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "deepgen/core/html.h"
#include "deepgen/evaluate/quality/quality.h"

namespace deepgen::quality {
namespace {

using Json = nlohmann::ordered_json;

const char* kind_of(const Field& field) { return field.is_number ? "number" : "category"; }

Json shape_json(const Report& report, std::size_t j) {
  const Shape& shape = report.likeness.shapes[j];
  return {{"column", shape.name},
          {"kind", kind_of(report.fields[j])},
          {"score", shape.score},
          {"held_out_score", report.of_held_out.shapes[j].score},
          {"known_cells", {{"real", shape.real_known}, {"synthetic", shape.synthetic_known}}},
          {"missing_share", {{"real", shape.real_missing}, {"synthetic", shape.synthetic_missing}}},
          {"missing_score", shape.missing_score()}};
}

Json shapes_json(const Report& report) {
  Json columns = Json::array();
  for (std::size_t j = 0; j < report.fields.size(); ++j) columns.push_back(shape_json(report, j));
  return {{"mean", mean_score(report.likeness.shapes)},
          {"held_out_mean", mean_score(report.of_held_out.shapes)},
          {"independent_mean", mean_score(report.of_independent.shapes)},
          {"columns", columns}};
}

Json trends_json(const Report& report) {
  Json pairs = Json::array();
  for (const Trend& trend : report.likeness.trends)
    pairs.push_back({{"columns", {report.fields[trend.first].name, report.fields[trend.second].name}},
                     {"measure", trend.numbers ? "correlation" : "contingency"},
                     {"score", trend.score},
                     {"real_association", trend.real},
                     {"synthetic_association", trend.synthetic},
                     {"associated", trend.is_associated()}});
  return {{"pairs", report.likeness.trends.size()},
          {"mean", mean_score(report.likeness.trends)},
          {"held_out_mean", mean_score(report.of_held_out.trends)},
          {"independent_mean", mean_score(report.of_independent.trends)},
          {"association_threshold", associated},
          {"associated_pairs", count_associated(report.likeness.trends)},
          {"associated_mean", mean_associated(report.likeness.trends)},
          {"held_out_associated_mean", mean_associated(report.of_held_out.trends)},
          {"independent_associated_mean", mean_associated(report.of_independent.trends)},
          {"all", pairs}};
}

Json detection_json(const std::string& rows, const std::string& against, const Detection& detection) {
  return {{"rows", rows},
          {"against", against},
          {"rows_of_each", detection.rows},
          {"folds", detection_folds},
          {"logistic_regression", {{"score", detection.linear_score()}, {"auc", detection.linear_auc}}},
          {"boosted_trees", {{"score", detection.trees_score()}, {"auc", detection.trees_auc}}}};
}

Json learning_json(const Learning& learning) {
  Json figures = {{"training_rows", learning.rows}};
  for (const Figure& figure : learning.figures) figures[figure.name] = figure.value;
  return figures;
}

Json usefulness_json(const Usefulness& usefulness) {
  return {{"target", usefulness.target},
          {"target_chosen", usefulness.chosen},
          {"classifier", "boosted trees"},
          {"held_out_rows", usefulness.held_out_rows},
          {"from_synthetic", learning_json(usefulness.from_synthetic)},
          {"from_real", learning_json(usefulness.from_real)}};
}

Json distances_json(const Distances& distances) {
  return {{"rows", distances.rows}, {"median", distances.median}, {"quantile_5_percent", distances.low}};
}

Json closest_json(const Closeness& closeness) {
  return {{"training_rows", closeness.training_rows},
          {"synthetic", distances_json(closeness.synthetic)},
          {"held_out", distances_json(closeness.held_out)}};
}

Json copies_json(const Report& report, const Copies& copies) {
  return {{"columns_ignored", copies.ignored},
          {"synthetic_rows", report.synthetic_rows},
          {"synthetic_share", copies.synthetic},
          {"held_out_rows", report.test_rows},
          {"held_out_share", copies.held_out}};
}

Json gap_figures(const ColumnGaps& column) {
  Json figures = {{"cells", column.cells}};
  if (column.is_number) {
    figures["error"] = column.error, figures["error_of_medians"] = column.middle_error;
    figures["coverage_50"] = column.coverage_50, figures["coverage_90"] = column.coverage_90;
  } else {
    figures["accuracy"] = 1 - column.error, figures["accuracy_of_most_frequent"] = 1 - column.middle_error;
  }
  if (column.probabilities > 0)
    figures["log_prob"] = column.log_prob, figures["log_prob_cells"] = column.probabilities;
  return figures;
}

Json gaps_json(const Gaps& gaps) {
  Json columns = Json::array();
  for (const ColumnGaps& column : gaps.columns) {
    columns.push_back({{"column", column.name}, {"kind", column.is_number ? "number" : "category"}});
    columns.back().update(gap_figures(column));
  }
  const ColumnGaps all = gaps.total(true, true);
  return {{"held_out_rows", gaps.rows},
          {"share", gaps.share},
          {"draws", gaps.draws},
          {"cells", gaps.cells()},
          {"error", all.error},
          {"error_of_medians_and_most_frequent", all.middle_error},
          {"numbers", gap_figures(gaps.total(true, false))},
          {"categories", gap_figures(gaps.total(false, true))},
          {"columns", columns}};
}

// ---------------------------------------------------------------- text

std::string figure_text(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4f}", value); }

std::string line_of(const std::string& what, const std::vector<double>& values) {
  std::string line = fmt::format("  {:<56}", what);
  for (const double value : values) line += fmt::format("{:>12}", figure_text(value));
  return line + "\n";
}

std::string likeness_text(const Report& r) {
  const auto &trends = r.likeness.trends, &held = r.of_held_out.trends, &lone = r.of_independent.trends;
  const Detection &d = r.likeness.detection, &dh = r.of_held_out.detection, &di = r.of_independent.detection;
  const double none = std::nan("");
  return line_of(fmt::format("column shapes, mean of {}", r.fields.size()),
                 {mean_score(r.likeness.shapes), mean_score(r.of_held_out.shapes),
                  mean_score(r.of_independent.shapes)}) +
         line_of(fmt::format("pair trends, mean of all {}", trends.size()),
                 {mean_score(trends), mean_score(held), mean_score(lone)}) +
         line_of(fmt::format("pair trends, mean of {} associated pairs", count_associated(trends)),
                 {mean_associated(trends), mean_associated(held), mean_associated(lone)}) +
         line_of("not told from training rows by logistic regression",
                 {d.linear_score(), dh.linear_score(), di.linear_score()}) +
         line_of("not told from training rows by boosted trees",
                 {d.trees_score(), dh.trees_score(), di.trees_score()}) +
         line_of("not told from held-out rows by logistic regression",
                 {r.from_held_out.linear_score(), none, none}) +
         line_of("not told from held-out rows by boosted trees",
                 {r.from_held_out.trees_score(), none, none}) +
         fmt::format(
             "  (1: alike; three folds of {} synthetic and as many training rows, {} of held-out rows)\n",
             d.rows, r.from_held_out.rows);
}

std::string usefulness_text(const Usefulness& useful) {
  std::string text =
      fmt::format("\nboosted trees that predict {}{}, judged on {} held-out rows:\n", useful.target,
                  useful.chosen ? " (the last category; another by --target)" : "", useful.held_out_rows);
  const auto add = [&](const char* of, const Learning& learning) {
    std::vector<std::string> figures;
    for (const Figure& figure : learning.figures)
      figures.push_back(
          fmt::format("{} {}", figure.name,
                      short_number(figure.value) == "nan" ? "-" : fmt::format("{:.4g}", figure.value)));
    text +=
        fmt::format("  learnt from {} {} rows: {}\n", learning.rows, of,
                    figures.empty() ? "nothing to learn from" : fmt::format("{}", fmt::join(figures, ", ")));
  };
  add("synthetic", useful.from_synthetic), add("real", useful.from_real);
  return text;
}

std::string percent(double share) { return std::isnan(share) ? "-" : fmt::format("{:.2f} %", 100 * share); }

std::string closeness_text(const Closeness& c) {
  std::string text = fmt::format(
      "\ndistance to the closest of {} training rows: median {:.4g}, 5 % quantile {:.4g} of {} synthetic "
      "rows; "
      "{:.4g} and {:.4g} of {} held-out rows\n"
      "rows that stand in the training rows: {} of the synthetic, {} of the held-out ones\n",
      c.training_rows, c.synthetic.median, c.synthetic.low, c.synthetic.rows, c.held_out.median,
      c.held_out.low, c.held_out.rows, percent(c.all.synthetic), percent(c.all.held_out));
  if (!c.some.ignored.empty())
    text += fmt::format("  without {}: {} and {}\n", fmt::join(c.some.ignored, ", "),
                        percent(c.some.synthetic), percent(c.some.held_out));
  return text;
}

std::string gap_line(const std::string& name, const ColumnGaps& column) {
  std::string line = fmt::format("  {:<30}{:>10}", name, column.cells);
  for (const double value : {column.error, column.middle_error, column.coverage_50, column.coverage_90})
    line += fmt::format("{:>12}", figure_text(value));
  return line + fmt::format("{:>12}\n", figure_text(column.log_prob));
}

std::string gaps_text(const Gaps& gaps) {
  constexpr std::size_t most = 30;
  std::string text = fmt::format(
      "\ngaps: {:.4g} % of the cells of {} held-out rows hidden, {} cells filled from {} draws each\n\n"
      "  {:<30}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
      100 * gaps.share, gaps.rows, gaps.cells(), gaps.draws, "hidden cells", "cells", "error", "of middles",
      "in 50 %", "in 90 %", "log p");
  const ColumnGaps numbers = gaps.total(true, false), categories = gaps.total(false, true);
  if (numbers.cells > 0) text += gap_line("all numbers", numbers);
  if (categories.cells > 0) text += gap_line("all categories", categories);
  for (std::size_t j = 0; j < std::min(most, gaps.columns.size()); ++j)
    text += gap_line(gaps.columns[j].name, gaps.columns[j]);
  if (gaps.columns.size() > most) text += fmt::format("  and {} more\n", gaps.columns.size() - most);
  return text +
         "  (error: numbers by the range of the training rows, categories 0 or 1; middles: medians and most "
         "frequent\n  categories of the training rows; in: share within the middle 50 and 90 % of the "
         "draws)\n";
}

std::string columns_text(const Report& r) {
  constexpr std::size_t most = 10;
  const std::vector<std::size_t> order = r.worst_columns();
  const std::vector<double> means = means_by_column(r.likeness.trends, r.fields.size());
  std::string text = fmt::format("\n  {:<30}{:>10}{:>10}{:>16}{:>18}\n", "worst columns", "shape", "trends",
                                 "missing real", "missing synthetic");
  for (std::size_t i = 0; i < std::min(most, order.size()); ++i) {
    const Shape& shape = r.likeness.shapes[order[i]];
    text += fmt::format("  {:<30}{:>10}{:>10}{:>16}{:>18}\n", shape.name, figure_text(shape.score),
                        figure_text(means[order[i]]), percent(shape.real_missing),
                        percent(shape.synthetic_missing));
  }
  if (order.size() > most) text += fmt::format("  and {} more\n", order.size() - most);
  return text;
}

}  // namespace

Json report_json(const Report& report) {
  Json json = {{"synthetic", report.synthetic},
               {"real", report.real},
               {"test", report.test},
               {"seed", report.seed},
               {"rows",
                {{"synthetic", report.synthetic_rows},
                 {"training", report.real_rows},
                 {"held_out", report.test_rows}}},
               {"notes", report.notes},
               {"shapes", shapes_json(report)},
               {"trends", trends_json(report)},
               {"detection",
                Json::array({detection_json("synthetic", "training", report.likeness.detection),
                             detection_json("synthetic", "held_out", report.from_held_out),
                             detection_json("held_out", "training", report.of_held_out.detection),
                             detection_json("independent", "training", report.of_independent.detection)})},
               {"usefulness", usefulness_json(report.usefulness)},
               {"closest_record", closest_json(report.closeness)},
               {"copies",
                {{"all_columns", copies_json(report, report.closeness.all)},
                 {"without_nearly_unique", copies_json(report, report.closeness.some)}}}};
  if (report.gaps) json["gaps"] = gaps_json(*report.gaps);
  return json;
}

std::string report_text(const Report& r) {
  std::string text = fmt::format("{}: {} synthetic rows; {} training rows of {}, {} held-out rows of {}\n",
                                 r.synthetic, r.synthetic_rows, r.real_rows, r.real, r.test_rows, r.test);
  for (const std::string& note : r.notes) text += note + "\n";
  text += fmt::format("\n  {:<56}{:>12}{:>12}{:>12}\n", "", "synthetic", "held-out", "independent");
  return text + likeness_text(r) + usefulness_text(r.usefulness) + closeness_text(r.closeness) +
         columns_text(r) + (r.gaps ? gaps_text(*r.gaps) : "");
}

}  // namespace deepgen::quality
