#include "deepgen/evaluate/row_scores.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/interruption.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/row_pass.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {

ScoreRoute score_route(const Model& model) {
  if (as<HasLogProb>(model)) return ScoreRoute::exact;
  const bool normalisable = as<HasLogPartition>(model) || as<CanAnneal>(model);
  if (as<HasFreeEnergy>(model) && normalisable) return ScoreRoute::free_energy;
  const auto* bound = as<HasBound>(model);
  if (!bound) return ScoreRoute::none;
  if (!bound->bound_kind().owes_log_partition) return ScoreRoute::bound;
  return normalisable ? ScoreRoute::bound_less_log_z : ScoreRoute::none;
}

bool needs_condition(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  return conditional && (conditional->condition_mask().defined() || needed_classes(model) > 0);
}

void need_labels(const Model& model, const Split& split) {
  const std::int64_t classes = needed_classes(model);
  if (classes > 0) check_labels(split.y, split.rows(), classes, split.name);
}

Tensor told_jacobian(const Model& model, const Dataset& data, const Rows& rows) {
  const auto* conditional = as<IsConditional>(model);
  const Tensor given = conditional ? conditional->condition_mask() : Tensor();
  return data.log_jacobian(rows, given.defined() ? given.logical_not() : Tensor());
}

namespace {

Tensor normalised_values(const Model& model, const Dataset& data, const Split& split,
                         const Normaliser& normaliser, const MissingCellPlan& gaps, const Rng& rng,
                         Observer& observer) {
  const auto* exact = as<HasLogProb>(model);
  Work work(observer, "scoring", split.rows());
  std::int64_t first = 0;
  return map_rows(split, rng, [&](const Rows& rows) -> Tensor {
    NoGradGuard no_graph;
    model.check_data(rows.x, split.name, first);
    Rng own = rng.fork({8, static_cast<std::uint64_t>(first)});
    const Tensor values = exact
                              ? exact->log_prob(rows)
                              : log_unnormalised(model, rows, normaliser.log_z, gaps, own) - normaliser.log_z;
    first += rows.size();
    work.advance(rows.size());
    return values + told_jacobian(model, data, rows);
  });
}

}  // namespace

RowScores normalised_rows(const Model& model, const Dataset& data, const Split& split,
                          const Normaliser& normaliser, const MissingCellPlan& gaps, const Rng& rng,
                          Observer& observer) {
  if (!std::isfinite(normaliser.log_z)) fail_numerical("likelihood", normaliser.warning);
  need_labels(model, split);
  RowScores rows;
  rows.values = normalised_values(model, data, split, normaliser, gaps, rng, observer);
  rows.starts = split.starts;
  rows.route = as<HasLogProb>(model) ? ScoreRoute::exact : ScoreRoute::free_energy;
  const std::string prefix = needs_condition(model) ? "conditional_" : "";
  rows.metric = prefix + "log_prob";
  rows.kind = normaliser.kind;
  rows.row = {normaliser.kind, false, false};
  rows.column = prefix + (rows.kind == ScoreKind::exact ? "log_prob" : "log_prob_estimate");
  rows.shared_error = normaliser.standard_error;
  rows.how = normaliser.how, rows.warning = normaliser.warning;
  if (needs_condition(model)) rows.how += ", given " + as<IsConditional>(model)->condition();
  if (normaliser.upper) rows.to_lower = normaliser.log_z - *normaliser.upper;
  // A sum over missing cells that is estimated too low proves nothing from above.
  if (normaliser.lower && !normaliser.fills_gaps) rows.to_upper = normaliser.log_z - *normaliser.lower;
  return rows;
}

RowScores need_finite(RowScores rows) {
  if (!rows.values.isfinite().all().item<bool>())
    fail_numerical("likelihood",
                   "log-probabilities are not finite: the weights of the model are too large or broken");
  return rows;
}

RowScores row_scores(const Model& model, const Dataset& data, const Split& split, const EvaluationPlan& plan,
                     const Rng& rng, Observer& observer) {
  const InterruptionScope scope(observer, "scoring");
  const ScoreRoute route = score_route(model);
  if (route == ScoreRoute::none)
    fail_usage("likelihood", "this model has no likelihood that can be computed or estimated");
  Normaliser normaliser;
  if (route != ScoreRoute::bound) normaliser = split_normaliser(model, split, plan, rng, observer);
  if (is_bounded(model))
    return bounded_rows(model, data, split, all_cases(split), plan.samples, normaliser,
                        rng.fork({9}).fork({1}), observer);
  return need_finite(normalised_rows(model, data, split, normaliser, {}, rng.fork({3}), observer));
}

std::vector<Score> mean_scores(const RowScores& rows, const std::string& split) {
  std::vector<Score> scores = case_scores(rows.metric, split, rows.kind, rows.values, rows.starts, rows.how);
  // How often each of the numbers that a score is the mean of holds log Z: a case once a row.
  auto log_zs = [&](const Score& score) {
    return static_cast<double>(rows.values.size(0)) / static_cast<double>(score.rows);
  };
  for (Score& score : scores) {
    score.unit = rows.unit, score.warning = rows.warning;
    if (rows.shared_error)
      score.standard_error = std::hypot(*score.standard_error, log_zs(score) * *rows.shared_error);
    else
      score.standard_error.reset();
    if (rows.starts.defined()) continue;
    if (rows.to_lower) score.lower = score.value + *rows.to_lower;
    if (rows.to_upper) score.upper = score.value + *rows.to_upper;
  }
  return scores;
}

std::string rows_in_words(const RowScores& rows) {
  const std::int64_t count = rows.values.size(0);
  if (rows.kind == ScoreKind::exact) return fmt::format("{} log-probabilities (exact, {})", count, rows.unit);
  const std::string text = fmt::format("{} estimates of log-probabilities ({})", count, rows.unit);
  if (rows.kind == ScoreKind::lower_bound)
    return text + "; their mean is a lower bound, a single row's may exceed the truth";
  if (rows.route == ScoreRoute::bound) return text;
  return text + ", which share the error of log Z";
}

}  // namespace deepgen
