// How useful a model's code is: the errors of two plain classifiers on encode(x), beside those on x itself.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/rng.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

struct FeaturePlan {
  std::int64_t rows = 10000;  // training rows at most, drawn at random; at least 10
};

// Four proxies in percent of the rows of `split` (valid or test), each with its binomial standard error:
// linear_error_code, linear_error_raw (softmax regression on standardised columns, its L2 penalty chosen on
// rows held out) and nearest_neighbour_error_code, nearest_neighbour_error_raw (k of 1, 3, 5 likewise,
// columns as they are). Rows without a label are left out; rows of sequences are
// judged one by one. Throws where there is no code, no labels, no
// complete rows, or only one class. Cost: some hundred products [rows, D] x [D, classes] and rows x (valid
// and test rows) distances, for each input. Interruptible.
std::vector<Score> feature_scores(const Model& model, const Dataset& data, const std::string& split,
                                  const FeaturePlan& plan, const Rng& rng, Observer& observer);

}  // namespace deepgen
