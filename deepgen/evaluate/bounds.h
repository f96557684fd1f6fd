// Scores of models whose log-probability is bounded by sampling or a mean field, or that hold many orders of
// their variables.
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/row_scores.h"

namespace deepgen {

// Whether scores of this model rest on a bound (of x, or of x given its condition), and none is exact.
bool is_bounded(const Model& model);

// The bound of every row, [rows] float64, nats, in the units of the file; of a conditional model given the
// label or the part of x that is its condition; unnormalised where it owes a log Z. A row's value may exceed
// the truth, the mean over draws does not. Labels missing where they are needed: a data error. Interruptible.
Tensor bound_rows(const Model& model, const Dataset& data, const Split& split, std::int64_t samples,
                  const Rng& rng, Observer& observer);
// How it was computed, in words.
std::string bound_method(const Model& model, std::int64_t samples);

// The bound of the cases `index`, less the normaliser's log Z where the bound owes it.
RowScores bounded_rows(const Model& model, const Dataset& data, const Split& split,
                       const std::vector<std::int64_t>& index, std::int64_t samples,
                       const Normaliser& normaliser, const Rng& rng, Observer& observer);

// What a model has beside the scores of its capabilities (model/extra_scores.h), or nothing.
std::vector<Score> extra_scores_of(const Model& model, const Dataset& data, const Split& split,
                                   std::int64_t samples, const Rng& rng, Observer& observer);

// "log_prob" ("conditional_log_prob", "log_prob_bound_less_log_z") with plan.samples draws a row and, where
// more draws tighten the bound, "elbo" ("conditional_elbo", "elbo_less_log_z") with one; on `split` and beside
// it on at most 1,000 training cases.
std::vector<Score> bound_scores(const Model& model, const Dataset& data, const Split& split,
                                const EvaluationPlan& plan, const Normaliser& normaliser, const Rng& rng,
                                Observer& observer);

// "log_prob_ensemble": the mean of the probabilities under the first `plan.orders` orders; exact.
std::vector<Score> ensemble_scores(const Model& model, const Dataset& data, const Split& split,
                                   const EvaluationPlan& plan, const Rng& rng, Observer& observer);

// The numbers of all cases of a part, and of at most `count` of them drawn at random: files are often sorted.
std::vector<std::int64_t> all_cases(const Split& split);
std::vector<std::int64_t> random_index(const Split& split, std::int64_t count, const Rng& rng);

// The same rows (memory is shared), each a case of its own: for what judges or draws single rows.
Split rows_as_cases(Split split);
Dataset rows_as_cases(Dataset data);

}  // namespace deepgen
