// A score carries its kind, unit, standard error and method: a number that hides them is worth nothing.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/torch.h"
#include "deepgen/model/score_kind.h"

namespace deepgen {

struct Score {
  std::string metric;  // "log_prob", "pseudo_log_likelihood", ...
  std::string split;
  ScoreKind kind = ScoreKind::exact;
  double value = 0;  // mean over rows; of sequences over cases, where the metric does not say "per_row"
  // Over rows (of sequences over cases), with the estimator's own error where it has one; nothing where it
  // cannot be told, as where one annealed chain carries the weight.
  std::optional<double> standard_error = 0;
  // With 95 % the truth for these rows lies between them; one alone bounds it from its side.
  std::optional<double> lower, upper;
  std::string unit = "nats";
  std::int64_t rows = 0;  // how many numbers the value is the mean of
  std::string how;        // method, in words
  std::string warning;    // empty when there is nothing to warn of

  nlohmann::ordered_json to_json() const;
};

// Mean and standard error of per-row values.
struct RowMean {
  double mean = 0, standard_error = 0;
  std::int64_t rows = 0;
};
RowMean mean_over_rows(const Tensor& values);

// The score of per-row values [rows], one number: their mean, or of sequences (`starts` defined) the mean
// over cases of the sum over a case.
Score case_score(const std::string& metric, const std::string& split, ScoreKind kind, const Tensor& values,
                 const Tensor& starts, const std::string& how);

// Of sequences the mean over all rows too, as "<metric>_per_row", whose standard error is over cases: rows of
// a case depend on each other.
std::vector<Score> case_scores(const std::string& metric, const std::string& split, ScoreKind kind,
                               const Tensor& values, const Tensor& starts, const std::string& how);

// One line for a person: "log_prob (exact, test)  -142.40 +- 0.31 nats   enumeration of 2^16 hidden states".
std::string score_line(const Score& score);

}  // namespace deepgen
