// Which class is a case of?
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/data/known_labels.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// The number of classes among which the model tells (CanClassify), or, with the shares of the classes, could
// tell by Bayes' rule (an exact log p(x | label)); else 0.
std::int64_t classified_classes(const Model& model);

// log p(y | x) of every row and class, [N, classes] float64, nats; labels of the split play no part. A model
// of log p(x | label) alone needs class_shares [classes] (0 or more, any sum):
//
//   log p(y | x) = log p(x | y) + log p(y) - log sum_k p(x | k) p(k)
//
// which costs a log-probability of each row for each class. A usage error where the model cannot classify, a
// data error for rows that it cannot take.
Tensor classify_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                     const Tensor& class_shares = {});

}  // namespace deepgen
