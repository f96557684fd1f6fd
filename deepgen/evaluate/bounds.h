// Scores of models whose log-probability is bounded by sampling, or that hold many orders of their variables.
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/annealing.h"
#include "deepgen/evaluate/score.h"

namespace deepgen {

// What an evaluation may spend beyond the rows themselves.
struct EvaluationPlan : AnnealingPlan {
  std::int64_t samples = 100;  // of the latent variables of each row (bounds)
  std::int64_t orders = 1;     // members of an ensemble over orders
};

// Whether scores of this model are bounds (of x, or of x given its condition), and none is exact.
bool is_bounded(Model& model);

// The bound of every row, [N] float64, nats, in the units of the file; of a conditional model given the label
// or the part of x that is its condition. Labels missing where they are needed: a data error. Interruptible.
Tensor bound_rows(Model& model, const Dataset& data, const Split& split, std::int64_t samples, const Rng& rng,
                  Observer& observer);
// How it was computed, in words.
std::string bound_method(Model& model, std::int64_t samples);

// "log_prob" (or "conditional_log_prob") by the importance-weighted bound and "elbo" ("conditional_elbo")
// apart, on `split` and beside it on at most 1,000 training rows.
std::vector<Score> bound_scores(Model& model, const Dataset& data, const Split& split,
                                const EvaluationPlan& plan, const Rng& rng, Observer& observer);

// "log_prob_ensemble": the mean of the probabilities under the first `plan.orders` orders; exact.
std::vector<Score> ensemble_scores(Model& model, const Dataset& data, const Split& split,
                                   const EvaluationPlan& plan, const Rng& rng, Observer& observer);

// The score `metric` of these per-row values.
Score row_score(const std::string& metric, const Split& split, ScoreKind kind, const Tensor& values,
                std::string how);

// At most `count` rows of a part, drawn at random: files are often sorted.
std::vector<std::int64_t> random_index(const Split& split, std::int64_t count, const Rng& rng);

}  // namespace deepgen
