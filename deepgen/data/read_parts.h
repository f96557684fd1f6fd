// Inside of the data sets: arrays of a file to parts of rows.
#pragma once

#include "deepgen/data/dataset.h"

namespace deepgen {

// Fills train, valid and test with the rows, labels and sequences of the arrays, holds cases out, counts the
// classes, and notes what of the labels is unknown.
void read_parts(Dataset& set, const RawSet& raw, const DataOptions& options);

// Labels that are all unknown are none; `classes` grows to what this part needs.
void count_classes(Dataset& set, Split& part);

// Throws a data error when the part has rows and every cell of them is missing.
void refuse_nothing_known(const Split& part, const std::string& what);

}  // namespace deepgen
