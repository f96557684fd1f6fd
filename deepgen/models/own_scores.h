// Scores that a model has beside those of its capabilities, row by row.
#pragma once

#include <string>
#include <vector>

#include "deepgen/models/model.h"

namespace deepgen {

struct OwnScore {
  std::string metric;
  bool exact = false;  // else a lower bound, on average
  Tensor rows;         // [B] float64, nats
  std::string how;     // in words
};

class HasOwnScores {
 public:
  virtual ~HasOwnScores() = default;
  // The same metrics in the same order for any rows; `samples` draws of the latent variables where there are
  // any.
  virtual std::vector<OwnScore> own_scores(const Batch& rows, std::int64_t samples, Rng& rng) = 0;
};

}  // namespace deepgen
