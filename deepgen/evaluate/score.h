// A score carries its kind, unit, standard error and method: a number that hides them is worth nothing.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// What a number proves. A proxy only correlates with quality and is never called a likelihood.
enum class ScoreKind { exact, lower_bound, upper_bound, estimate, proxy };

const char* kind_name(ScoreKind kind);

struct Score {
  std::string metric;  // "log_prob", "pseudo_log_likelihood", ...
  std::string split;
  ScoreKind kind = ScoreKind::exact;
  double value = 0;                    // mean over rows
  double standard_error = 0;           // over rows, with the estimator's own error where it has one
  std::optional<double> lower, upper;  // the bracket of an estimate, from the reverse and the forward run
  std::string unit = "nats";
  std::int64_t rows = 0;
  std::string how;      // method, in words
  std::string warning;  // empty when there is nothing to warn of

  nlohmann::ordered_json to_json() const;
};

// Mean and standard error of per-row values.
struct RowMean {
  double mean = 0, standard_error = 0;
  std::int64_t rows = 0;
};
RowMean mean_over_rows(const Tensor& values);

// One line for a person: "log_prob (exact, test)  -142.40 +- 0.31 nats   enumeration of 2^16 hidden states".
std::string score_line(const Score& score);

}  // namespace deepgen
