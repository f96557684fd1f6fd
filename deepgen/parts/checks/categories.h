// Categories and labels: one choice among several, drawn, written as units, and counted.
#pragma once

#include <cstdint>
#include <string>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// The category that a uniform number u [B] in [0, 1) picks from shares [B, K] or [K] (0 or more, sum 1 up to
// rounding): the first whose cumulative share exceeds u. [B] int64.
Tensor pick_categories(const Tensor& shares, const Tensor& u);

// The same of one row in plain memory: share(k) is asked for k = 0, 1, ... until the category is found.
template <class Share>
std::int64_t pick_category(std::int64_t count, double u, Share share) {
  std::int64_t k = 0;
  for (double sum = share(0); u >= sum && k + 1 < count;) sum += share(++k);
  return k;
}

// One draw a row in proportion to exp(log_weights) [B, K] (any normalisation): [B] int64.
Tensor draw_categories(const Tensor& log_weights, Rng& rng);

// Labels y [rows] int64 as units, [rows, classes] float32. Throws check_labels' data error naming `who`.
Tensor one_hot_labels(const Tensor& y, std::int64_t rows, std::int64_t classes, const std::string& who);

// How often each label comes, [classes] float64, over labels that are known (0 or more). Throws a data error
// naming `who` when a label is not below `classes`.
Tensor label_counts(const Tensor& y, std::int64_t classes, const std::string& who);

// `classes`, or a data error naming `who` where there are none: the model is made of labels.
std::int64_t required_classes(const std::string& who, std::int64_t classes, const std::string& instead = "");

}  // namespace deepgen
