// What users do with a model, by the route its capabilities allow; each refusal says why.
#pragma once

#include <string>

#include "deepgen/core/image.h"
#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/models/capabilities.h"

namespace deepgen {

struct SamplingPlan {
  std::int64_t count = 100;
  std::int64_t steps = 1000;    // before the first sample (chains)
  std::int64_t rows = 1;        // samples taken of each chain
  std::int64_t between = 1000;  // steps between them
  bool means = false;           // the last transition's means: smoother pictures
  std::int64_t label = -1;      // of a conditional model: all of this class; -1: the classes in turn
};

// Whether samples are drawn directly (CanSample) and not by chains, which need steps.
bool samples_directly(Model& model);
// Whether whole cases can be drawn, directly, by class or by a chain.
bool can_sample(Model& model);
// Whether missing cells can be filled in, directly or by a chain.
bool can_complete(Model& model);

// [rows * count, D]: `count` independent chains, and below them the same chains later. Where the model
// samples directly all rows are independent, steps and means have no part; of a conditional model row i is of
// class i modulo their number.
Tensor sample_model(Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer);

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
// needs them (CanCompleteGiven); known cells come back unchanged, bit for bit. By `steps` of a chain where
// the model does not draw them directly. `groups` as of the data set the model was trained on.
Tensor complete_rows(Model& model, const Batch& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups = {});

// Codes need complete rows: throws a data error that names `what` and the first missing cell.
void refuse_gaps(const Split& split, const std::string& what);

// By CanEncode and CanDecode, or by CanCodeGiven with the labels of the split.
Tensor encode_rows(Model& model, const Split& split, const Rng& rng);
Tensor reconstruct_rows(Model& model, const Split& split, const Rng& rng);

// Pictures of rows x [N, D] of this case shape; a shape that is no image becomes one row of pixels a case.
Image picture_of(const Tensor& x, const std::vector<std::int64_t>& shape, const Grid& grid);
Image picture_of_filters(const Tensor& filters, const std::vector<std::int64_t>& shape, const Grid& grid);

}  // namespace deepgen
