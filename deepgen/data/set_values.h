// Inside of the data sets: what kind of values a set has, and what is done to them before training.
#pragma once

#include "deepgen/data/dataset.h"

namespace deepgen {

// binary when every known value is 0 or 1, grey for other bytes and for reals within [0, 1], else real.
ValueKind infer_values(const Tensor& x);

// Columns without any value in the training rows leave the set, with a note; of pictures such a pixel is a
// data error, and so is a set without any known cell.
void set_columns_aside(Dataset& set);

// Real columns that no transform takes reach the model as float32: throws a data error where that blurs the
// differences of a column's training rows.
void refuse_lost_digits(const Dataset& set, const DataOptions& options);

// Bits from grey values, as set.binarize says.
void binarise_set(Dataset& set, const Rng& rng);

// Learns from the training rows what the options ask for, and applies it to all parts.
void transform_set(Dataset& set, const DataOptions& options, const Rng& rng);

// The transform a model was trained under, in place of one fitted anew to this file.
void apply_learnt(Dataset& set, const Transform& learnt, const Rng& rng);

}  // namespace deepgen
