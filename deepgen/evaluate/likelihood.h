// The standard scores of a split: everything that can honestly be said of a model's likelihood, and its
// proxies.
#pragma once

#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/evaluate/validation.h"

namespace deepgen {

// The mean of row_scores on `split` and, beside it, on train, with the interval of an annealed estimate;
// bounds, ensembles and the baseline; pseudo-likelihood and reconstruction as proxies. Rows are taken in
// chunks, so memory stays bounded.
std::vector<Score> evaluate_model(const Model& model, const Dataset& data, const std::string& split,
                                  const EvaluationPlan& plan, const Rng& rng, Observer& observer);

}  // namespace deepgen
