// The pictures of a run: what people look at while it trains and when it is done.
#pragma once

#include <cstdint>
#include <string>

#include "deepgen/data/dataset.h"
#include "deepgen/model/model.h"
#include "deepgen/runs/run_folder.h"

namespace deepgen {

// Whether pictures are drawn in the midst of this epoch (from 1) of `epochs`: the first one and a few more,
// evenly spread.
bool is_milestone(std::int64_t epoch, std::int64_t epochs);

// Filters as they are now, and samples under this name: drawn directly or by chains from their start. Nothing
// where cases are no pictures. Equal seeds give equal pictures; training is not touched.
void draw_samples_and_filters(const RunFolder& folder, const Model& model, const Dataset& data,
                              const std::string& name, std::uint64_t seed);

// Rows with cells hidden (their lower half, or what the model is to predict), beside what the model makes of
// them.
void draw_completions(const RunFolder& folder, const Model& model, const Dataset& data, std::uint64_t seed);

}  // namespace deepgen
