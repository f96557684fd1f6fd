// Inside of the data sets: arrays of a file to parts of rows.
#pragma once

#include "deepgen/data/dataset.h"

namespace deepgen {

// Fills train, valid and test with the rows, labels and sequences of the arrays, holds cases out, counts the
// classes, and notes what of the labels is unknown. The bytes of the rows are taken: of these arrays `raw`
// keeps the shapes alone.
void read_parts(Dataset& set, RawSet& raw, const DataOptions& options);

// Labels that are all unknown are none; `classes` grows to what this part needs.
void count_classes(Dataset& set, Split& part);

// Cells that are 0 and 1 in all parts become bytes: a quarter of the memory, and the same floats in every
// batch. All parts or none: they may be put together.
void keep_bits_as_bytes(Dataset& set);

// Throws a data error when the part has rows and every cell of them is missing.
void refuse_nothing_known(const Split& part, const std::string& what);

}  // namespace deepgen
