// The order in which an epoch visits the cases of a split.
#pragma once

#include <cstdint>
#include <vector>

#include "deepgen/data/dataset.h"

namespace deepgen {

// Numbers of cases, each once, permuted: of rows, or of sequences. Where rows have weights, N rows drawn in
// proportion to them by systematic resampling (row i comes floor or ceil of N w_i / sum w times), then
// permuted; equal weights give the order of no weights, and a row of weight zero never comes. `labelled`: of the
// rows with a known label alone (no sequences). Throws a data error unless the weights are finite, 0 or more, and
// not all zero; sequences are not drawn by weight.
std::vector<std::int64_t> row_order(const Split& split, const Rng& rng, bool labelled = false);

}  // namespace deepgen
