// What a model must beat: the simplest density of each kind of data, fitted to the training rows.
//
//   binary   independent bits at their training frequencies, one pseudo-count of each value (the base rate)
//   real     one Gaussian with full covariance (ridge 1e-6 of the mean variance)
//
// Exact log-probabilities in the units of the file, like the model's own.
#pragma once

#include <optional>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"

namespace deepgen {

// The baseline on `split`, or nothing: for other kinds of values, rows with gaps, files without a training
// part of their own, and more than 2,000 real columns.
std::optional<Score> baseline_score(const Dataset& data, const Split& split, const Rng& rng);

}  // namespace deepgen
