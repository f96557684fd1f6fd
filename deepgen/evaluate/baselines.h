// What a model must beat: the simplest densities of each kind of data, fitted to the training rows.
//
//   binary   independent bits at their training frequencies, one pseudo-count of each value (the base rate)
//   real     one Gaussian with full covariance (ridge 1e-6 of the mean variance)
//   tables   the columns one by one, and a Chow-Liu tree (chow_liu.h), numbers in bins
//
// Exact log-probabilities in the units of the file, like the model's own.
#pragma once

#include <optional>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"

namespace deepgen {

// The baseline on `split`, or nothing: for other kinds of values, rows with gaps, files without a training
// part of their own, and more than 2,000 real columns.
std::optional<Score> baseline_score(const Dataset& data, const Split& split, const Rng& rng);

// Of a table whose columns are categories and bits alone, as encoded: baseline_independent and
// baseline_chow_liu, fitted to the training rows of `fitted`, of the known cells of a part of `scored`, which
// has the same schema. Nothing for other columns.
std::vector<Score> table_baselines(const Dataset& fitted, const Dataset& scored, const Split& split,
                                   const Rng& rng);

}  // namespace deepgen
