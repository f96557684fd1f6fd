// The number by which training stops early and search chooses among settings: in the units of `evaluate` and
// `score`, the same estimate for all candidates, and where it is an estimate its pessimistic end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "deepgen/data/dataset.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// Of the validation rows alone:
//   valid_log_prob           the exact mean log-probability, where the model has one or a machine has at most
//                            2^16 states
//   valid_log_prob_bound     a bound from five draws a row, less an exact log Z where it owes one
//   valid_log_prob_estimate  for other machines, from log Z from above (log_partition_from_above): a quick
//                            forward run alone would reward its own failures; and where the sum over missing
//                            cells is estimated (missing_cells.h)
//   valid_log_class_prob     log p(label | x) of the rows whose label is known, of a model that is judged by classes
//                            (CanClassify)
//   valid_reconstruction_score  of a model that has none of these and can only reconstruct: minus the mean
//                            reconstruction error (reconstruction.h), of all kinds of columns together
// Models with endless orders are scored on some of the rows. Nothing where there are no validation rows or
// the model has no such score. Where log Z is annealed the score says in words when the model has diverged
// although its numbers are finite: free chains leave the data (free_chains.h), or the annealed runs show that
// next to nothing of its mass lies near them.
std::optional<ValidationScore> judge_model(const Model& model, const Dataset& data, std::uint64_t seed);
// Whether this kind of model has such a score.
bool has_validation_score(const Model& model);
// The same as the trainer asks for it after each epoch: where missing cells are annealed, of 200 rows at most.
// `data` must outlive the function.
std::function<std::optional<ValidationScore>(Model&)> validation_score(const Dataset& data,
                                                                       std::uint64_t seed);

// The cases on which a score is affordable that needs a pass of a network for every column of a row
// (HasOrders with endless orders): some drawn at random, and all of them for other models.
Split affordable_cases(const Model& model, const Split& split, const Rng& rng);

}  // namespace deepgen
