// Which labels are known, and sets of which few are: most cases come without, as in semi-supervised learning.
#pragma once

#include <cstdint>
#include <vector>

#include "deepgen/data/dataset.h"

namespace deepgen {

// The rows with a known label, in their order.
std::vector<std::int64_t> labelled_rows(const Split& split);

// Of the training rows with a known label `count` keep it, drawn by `seed` and as many of each class as can be; the
// others become rows without. The rows of a smaller count are among those of a larger one. Throws a data error where
// fewer have labels.
void keep_labels(Dataset& set, std::int64_t count, std::uint64_t seed);

}  // namespace deepgen
