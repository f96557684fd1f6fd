// Scores that a model has beside those of its capabilities, row by row.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/model.h"
#include "deepgen/model/score_kind.h"

namespace deepgen {

struct ExtraScore {
  std::string metric;
  ScoreKind kind = ScoreKind::lower_bound;
  Tensor rows;      // [B] float64, nats
  std::string how;  // in words
};

class HasExtraScores {
 public:
  virtual ~HasExtraScores() = default;
  // The same metrics in the same order for any rows, or none at all; `samples` draws of the latent variables where there are
  // any.
  virtual std::vector<ExtraScore> extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const = 0;
};

}  // namespace deepgen
