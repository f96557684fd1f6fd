// How well a frame of a sequence is predicted from those before it, by models that go on from a fixed number of rows.
//
//   frame_prediction_error    mean over frames and columns of (x_t - mean of ten draws given the rows before)^2
//   frame_persistence_error   the same of the row before as the prediction: what any model must beat
//
// Proxies: neither says how probable the frame was. In the units of the model's columns.
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// Of at most 2000 frames of the split, drawn at random. Empty for other models and where no sequence is long enough.
std::vector<Score> frame_prediction_scores(const Model& model, const Split& split, const Rng& rng,
                                           Observer& observer);

}  // namespace deepgen
