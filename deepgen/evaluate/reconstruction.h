// How near a case is to the decoded mean of its code, one error for each kind of column:
//
//   bits                   -sum_i (x_i log m_i + (1 - x_i) log(1 - m_i))   nats
//   categories (one-hot)   -sum_i x_i log m_i, m of sum 1 in each group    nats
//   real                   sum_i (x_i - m_i)^2    squared standard deviations, where columns are standardised
//   counts                 sum_i (x_i - m_i)^2    squared counts
//   grey                   sum_i (x_i - m_i)^2    squared units
//
// Proxies: a code that copies has none of these errors and tells nothing of the density.
#pragma once

#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// Mean over the rows of `split`, or of sequences over cases of their sums: "reconstruction_error" where all
// columns are of one kind, else "reconstruction_error_bits", "..._categories", "..._real", "..._counts",
// "..._grey". Rows with missing cells are left out, and rows without a label where the code needs one
// (needed_classes). Empty where the model cannot encode and decode, or no row is left.
std::vector<Score> reconstruction_scores(const Model& model, const Dataset& data, const Split& split,
                                         const Rng& rng);

}  // namespace deepgen
