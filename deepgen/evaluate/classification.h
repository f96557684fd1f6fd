// How well a model tells classes apart, on rows whose label is known.
//
//   classification_error      share of the rows whose most probable class is not their label, percent
//   classification_log_loss   mean of -log p(label | x), nats a row
//   calibration_error         how far the confidence c = max_y p(y | x) is from the share of right answers,
//                             percent: rows in the order of c, in bins of equal numbers of rows,
//
//                               sum_b n_b / N  |share right in b - mean c in b|
//
// All are computed in full for these rows, their standard errors are over rows. The last one is above zero
// for a calibrated classifier too, the more so the fewer rows there are: what it would be then is said beside
// it.
//
// Source: Naeini, Cooper, Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning";
// bins of equal mass: Nguyen and O'Connor 2015, "Posterior calibration and exploratory analysis for natural
// language processing models".
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

struct CalibrationError {
  double value = 0;           // a share, not percent
  double standard_error = 0;  // the bins held fixed
  double of_calibrated = 0;   // what a classifier of these confidences would have on average were they right
  std::int64_t bins = 0;
};
// Of confidences [N] and whether the answer was right, [N] (0 or 1); N >= 1. 15 bins, fewer where they would
// have less than 20 rows.
CalibrationError calibration_error(const Tensor& confidence, const Tensor& right);

// The three scores above of `split`, by classify_rows (with the class shares of the training rows where the
// model needs them); rows without a label are left out and counted. Empty where the model cannot classify or
// no row has a label. A data error for labels that the model does not know.
std::vector<Score> classification_scores(const Model& model, const Dataset& data, const Split& split,
                                         const Rng& rng, Observer& observer);

}  // namespace deepgen
