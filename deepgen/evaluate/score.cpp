#include "deepgen/evaluate/score.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/html.h"

namespace deepgen {

const char* kind_name(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::exact:
      return "exact";
    case ScoreKind::lower_bound:
      return "lower_bound";
    case ScoreKind::upper_bound:
      return "upper_bound";
    case ScoreKind::estimate:
      return "estimate";
    case ScoreKind::proxy:
      return "proxy";
  }
  return "";
}

nlohmann::ordered_json Score::to_json() const {
  nlohmann::ordered_json json = {{"metric", metric},
                                 {"split", split},
                                 {"kind", kind_name(kind)},
                                 {"value", value},
                                 {"standard_error", standard_error}};
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

std::string score_line(const Score& score) {
  std::string line = fmt::format("{} ({}, {})  {}", score.metric, kind_name(score.kind), score.split,
                                 short_number(score.value));
  if (score.standard_error != 0) line += " +- " + short_number(score.standard_error);
  line += " " + score.unit;
  if (score.lower && score.upper)
    line += fmt::format("  bracket [{:.2f}, {:.2f}]", *score.lower, *score.upper);
  line += "  " + score.how;
  if (!score.warning.empty()) line += "\n    warning: " + score.warning;
  return line;
}

}  // namespace deepgen
