// The normaliser that the scores of all rows share: log Z.
#pragma once

#include <optional>
#include <string>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/bracket.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// Exact where it can be enumerated or has a closed form, by annealing otherwise. Of a model that computes its
// log-probability (HasLogProb): log Z = 0, exact.
struct Normaliser {
  double log_z = 0;
  ScoreKind kind = ScoreKind::exact;         // of a log-probability that needs this log Z
  std::optional<double> standard_error = 0;  // nothing where one annealed chain carries the weight
  std::optional<double> lower, upper;  // 95 %, of log Z; upper only where the reverse run's start was tested
  bool fills_gaps = false;             // missing cells are summed out by an estimate, too low on average
  std::string how, warning;
};

// Throws a usage error for a model whose rows have no unnormalised score.
Normaliser normaliser_of(const Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                         Observer& observer);

// The same with reverse chains begun at random rows of `split`; equal rng, equal answer, whoever asks.
Normaliser split_normaliser(const Model& model, const Split& split, const AnnealingPlan& plan, const Rng& rng,
                            Observer& observer);

// Whether scores of these rows rest on an estimate of the sum over missing cells (missing_cells.h).
bool estimates_gaps(const Model& model, const Split& split, const Rng& rng);

// log Z by enumeration of at most `units` units or in closed form, or nothing.
std::optional<double> exact_log_z(const Model& model, std::int64_t units);

}  // namespace deepgen
