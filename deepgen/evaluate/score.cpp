#include "deepgen/evaluate/score.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/html.h"
#include "deepgen/data/rows.h"

namespace deepgen {
namespace {

// The mean over rows with the standard error of a ratio of two sums over cases (Cochran 1977, section 2.11).
RowMean mean_per_row(const Tensor& sums, const Tensor& lengths) {
  const double rows = lengths.sum().item<double>(), cases = static_cast<double>(sums.size(0));
  RowMean result{sums.sum().item<double>() / rows, 0, static_cast<std::int64_t>(rows)};
  const double squares = (sums - lengths * result.mean).square().sum().item<double>();
  if (cases > 1) result.standard_error = std::sqrt(squares * cases / (cases - 1)) / rows;
  return result;
}

std::string interval_text(const Score& score) {
  if (score.lower && score.upper)
    return fmt::format("  95 % bracket [{:.2f}, {:.2f}]", *score.lower, *score.upper);
  if (score.upper) return fmt::format("  at most {:.2f} (95 %)", *score.upper);
  if (score.lower) return fmt::format("  at least {:.2f} (95 %)", *score.lower);
  return "";
}

}  // namespace

nlohmann::ordered_json Score::to_json() const {
  nlohmann::ordered_json json = {
      {"metric", metric}, {"split", split}, {"kind", kind_name(kind)}, {"value", value}};
  if (standard_error) json["standard_error"] = *standard_error;
  if (lower) json["lower"] = *lower;
  if (upper) json["upper"] = *upper;
  json["unit"] = unit;
  json["rows"] = rows;
  json["how"] = how;
  if (!warning.empty()) json["warning"] = warning;
  return json;
}

RowMean mean_over_rows(const Tensor& values) {
  const Tensor v = values.to(at::kDouble);
  RowMean result{v.mean().item<double>(), 0, v.size(0)};
  if (result.rows > 1)
    result.standard_error = v.std(true).item<double>() / std::sqrt(static_cast<double>(result.rows));
  return result;
}

Score case_score(const std::string& metric, const std::string& split, ScoreKind kind, const Tensor& values,
                 const Tensor& starts, const std::string& how) {
  const RowMean mean = mean_over_rows(case_sums(values, starts));
  Score score;
  score.metric = metric, score.split = split, score.kind = kind;
  score.value = mean.mean, score.standard_error = mean.standard_error, score.rows = mean.rows;
  score.how = how;
  if (starts.defined())
    score.how += fmt::format("; sum over the rows of a case, mean over {} cases of {} rows", mean.rows,
                             values.size(0));
  return score;
}

std::vector<Score> case_scores(const std::string& metric, const std::string& split, ScoreKind kind,
                               const Tensor& values, const Tensor& starts, const std::string& how) {
  std::vector<Score> scores = {case_score(metric, split, kind, values, starts, how)};
  if (!starts.defined()) return scores;
  const Tensor lengths = case_lengths(starts, values.size(0)).to(at::kDouble);
  const RowMean mean = mean_per_row(case_sums(values, starts), lengths);
  Score score = scores.front();
  score.metric += "_per_row";
  score.value = mean.mean, score.standard_error = mean.standard_error, score.rows = mean.rows;
  score.how =
      fmt::format("{}; mean over {} rows of {} cases, its error over cases", how, mean.rows, starts.size(0));
  scores.push_back(score);
  return scores;
}

std::string score_line(const Score& score) {
  std::string line = fmt::format("{} ({}, {})  {}", score.metric, kind_name(score.kind), score.split,
                                 short_number(score.value));
  if (score.standard_error && *score.standard_error != 0)
    line += " +- " + short_number(*score.standard_error);
  line += " " + score.unit + interval_text(score) + "  " + score.how;
  if (!score.warning.empty()) line += "\n    warning: " + score.warning;
  return line;
}

}  // namespace deepgen
