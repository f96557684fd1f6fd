// A score for each row, by the best route that a model's capabilities allow: what `deepgen score` writes,
// what `deepgen evaluate` takes the mean of and what training and search watch.
//
//   exact              log p(x), computed in full (HasLogProb)
//   free energy        -F(x) - log Z (HasFreeEnergy), log Z exact or annealed
//   bound              a value whose mean over the estimator's draws is at most log p(x) (HasBound)
//   bound less log Z   the same of an unnormalised probability (HasBound that owes log Z); a lower bound
//                      where log Z is exact, and else no bound: too low an estimate of it makes it too high
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/missing_cells.h"
#include "deepgen/evaluate/normaliser.h"
#include "deepgen/evaluate/score.h"

namespace deepgen {

// What an evaluation may spend beyond the rows themselves.
struct EvaluationPlan : AnnealingPlan {
  std::int64_t samples = 100;  // of the latent variables of each row (bounds)
  std::int64_t orders = 1;     // members of an ensemble over orders
};

enum class ScoreRoute { none, exact, free_energy, bound, bound_less_log_z };
ScoreRoute score_route(const Model& model);

struct RowScores {
  Tensor values;  // [rows] float64, in the units of the file; of sequences each row given those before it
  Tensor starts;  // of sequences, [cases] int64: the row at which each case begins; else undefined
  ScoreRoute route = ScoreRoute::exact;
  std::string metric;  // of their mean: "log_prob", "conditional_log_prob", ...
  std::string column;  // of a row's number in a file: "log_prob", or "log_prob_estimate" if not exact
  RowScoreKind row;    // what a row's value proves
  ScoreKind kind = ScoreKind::exact;       // what their mean proves
  std::optional<double> shared_error = 0;  // of log Z, the same for all rows; nothing where it cannot be told
  // What to add to the mean (of complete rows, no sequences) for the ends of its 95 % interval, one or both.
  std::optional<double> to_lower, to_upper;
  std::string unit = "nats", how, warning;
};

// Equal rng, equal numbers as in evaluate_model. Throws a usage error for a model without such a score, a
// data error for rows that it cannot take or whose labels it needs and does not know, a numerical error for
// values that are not finite. Memory stays bounded; interruptible.
RowScores row_scores(const Model& model, const Dataset& data, const Split& split, const EvaluationPlan& plan,
                     const Rng& rng, Observer& observer);

// The scores of the mean: one, and of sequences the mean a row beside it.
std::vector<Score> mean_scores(const RowScores& rows, const std::string& split);

// For the person who gets the numbers: "100 estimates of log-probabilities (nats); their mean is a lower
// bound".
std::string rows_in_words(const RowScores& rows);

// Routes exact and free energy with this normaliser; values that are not finite pass.
RowScores normalised_rows(const Model& model, const Dataset& data, const Split& split,
                          const Normaliser& normaliser, const MissingCellPlan& gaps, const Rng& rng,
                          Observer& observer);

// Throws a numerical error where a value is not finite.
RowScores need_finite(RowScores rows);

// The model says nothing of rows without their condition: its metrics are named "conditional_...".
bool needs_condition(const Model& model);
// Throws a data error unless the labels that the model needs are known.
void need_labels(const Model& model, const Split& split);
// log_jacobian of the cells whose density the model tells: all, or those outside its condition.
Tensor told_jacobian(const Model& model, const Dataset& data, const Rows& rows);

}  // namespace deepgen
