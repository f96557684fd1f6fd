// Missing cells: hidden on purpose, and filled in given the others.
#pragma once

#include <string>

#include "deepgen/core/observer.h"
#include "deepgen/data/files/column_group.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// Whether missing cells can be filled in, directly or by a chain.
bool can_complete(const Model& model);

// x [N, D] with cells made NaN: `what` is bottom, top, left or right (half of each picture of this shape; of
// a table the later or earlier half of its columns), or a share of all cells drawn at random, as in "0.2".
Tensor hide_cells(const Tensor& x, const std::vector<std::int64_t>& shape, const std::string& what, Rng& rng);

// The same with whole groups of columns in place of single ones: of x [N, sum of sizes] either all columns of
// a group are made NaN in a row or none.
Tensor hide_groups(const Tensor& x, const std::vector<std::int64_t>& sizes, const std::string& what,
                   Rng& rng);

// x [N, D] with values in its missing cells that any model of such groups takes: 0, or the first category.
Tensor fill_missing(const Tensor& x, const std::vector<ColumnGroup>& groups);

// NaN cells of rows.x [N, D] replaced by draws given the others, and given the labels rows.y where the model
// needs them (needed_classes: a label that is missing is a data error); known cells come back unchanged, bit
// for bit. By `steps` of a chain with the known cells clamped where the model does not draw them directly.
// `groups` as of the data set the model was trained on. Throws a data error for known cells that the model
// cannot take.
Tensor complete_rows(const Model& model, const Rows& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups = {});

}  // namespace deepgen
