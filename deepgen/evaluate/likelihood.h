// Log-probabilities of rows by the best route a model's capabilities allow, and the standard scores of a
// split.
#pragma once

#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/annealing.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// The normaliser of an unnormalised model: exact where it can be enumerated, bracketed by annealing
// otherwise. Of a model that computes its log-probability (HasLogProb): log Z = 0, exact.
struct Normaliser {
  double log_z = 0, standard_error = 0;
  ScoreKind kind = ScoreKind::exact;
  std::optional<double> lower, upper;  // of log Z
  std::string how, warning;
};
Normaliser normaliser_of(Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                         Observer& observer);

// The same with the reverse run begun at random rows of `split`; equal rng, equal answer, whoever asks.
Normaliser split_normaliser(Model& model, const Split& split, const AnnealingPlan& plan, const Rng& rng,
                            Observer& observer);

// log p of every row of a split of `data`, in the units of its file, [N] float64, nats; `how` and kind as in
// the normaliser. Missing cells are summed out.
Tensor log_prob_rows(Model& model, const Dataset& data, const Split& split, const Normaliser& normaliser,
                     const Rng& rng);

// Everything that can honestly be said of the model on `split` (and, beside it, on train): log-probability
// with its bracket, pseudo-likelihood and reconstruction as proxies. Rows are taken in chunks, so memory
// stays bounded.
std::vector<Score> evaluate_model(Model& model, const Dataset& data, const std::string& split,
                                  const EvaluationPlan& plan, Rng& rng, Observer& observer);

// A cheap score for early stopping and for choosing among settings, on the validation rows only: the exact
// mean log-probability where the model has one or a machine has at most 2^16 states, a bound from five draws
// a row where it has a bound, a quick annealed estimate otherwise. Nothing when there are no validation rows.
std::function<std::optional<ValidationScore>(Model&)> validation_score(const Dataset& data,
                                                                       std::uint64_t seed);

}  // namespace deepgen
