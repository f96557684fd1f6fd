// Sets of which few labels are known: most cases come without, as in semi-supervised learning.
#pragma once

#include <cstdint>

#include "deepgen/data/dataset.h"

namespace deepgen {

// Of the training rows with a known label `count` keep it, drawn by `seed` and as many of each class as can be; the
// others become rows without. The rows of a smaller count are among those of a larger one. Throws a data error where
// fewer have labels.
void keep_labels(Dataset& set, std::int64_t count, std::uint64_t seed);

}  // namespace deepgen
