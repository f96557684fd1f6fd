// Rows with missing cells (NaN), scored with these cells summed out: log p(known cells).
//
// Exact where the model can (marginal_free_energy); otherwise the normaliser of the model given the known
// cells is estimated by annealed importance sampling, several chains a row: unbiased for p(known) / p(Z), so
// its logarithm is too low on average. A row without any known cell has log-probability 0.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

struct MissingCellPlan {
  std::string schedule = "quick";
  std::int64_t chains = 20;  // a row
};

bool has_gaps(const Tensor& x);

// Whether rows of this model with gaps need an estimate.
bool estimates_gaps(const HasFreeEnergy& model, const Rows& rows);

// log of the sum of exp(-free_energy) over the missing cells, [B] float64; log_z for rows that are all gaps.
Tensor log_unnormalised(const Model& model, const Rows& rows, double log_z, const MissingCellPlan& plan,
                        Rng& rng);

// The rows without missing cells.
Tensor complete_rows_only(const Tensor& x);

}  // namespace deepgen
