// Codes: from a case to its representation, and back to the mean of a case.
#pragma once

#include <string>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/tasks/blocks.h"

namespace deepgen {

// Whether a case can be encoded and its code decoded again.
bool can_reconstruct(const Model& model);

// The mean that is decoded from the code of each row, [B, D]. For models that can_reconstruct.
Tensor reconstruct(const Model& model, const Rows& rows);

// For models whose code is that of complete rows: throws a data error that names `what` and the first missing
// cell.
void refuse_gaps(const Split& split, const std::string& what);

// The code of every row, [N, code], and the reconstruction of every row, [N, D]; given the labels of the
// split where the model needs them (needed_classes). A usage error where the model cannot, a data error for
// rows that it cannot take and for missing cells that are not summed out (CanEncode::encodes_gaps).
Tensor encode_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer);
Tensor reconstruct_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer);

// The same, some thousand rows at a time.
void encode_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                 const RowSink& sink);
void reconstruct_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                      const RowSink& sink);

}  // namespace deepgen
