#include "deepgen/evaluate/likelihood.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/interruption.h"
#include "deepgen/evaluate/baselines.h"
#include "deepgen/evaluate/frame_prediction.h"
#include "deepgen/evaluate/missing_cells.h"
#include "deepgen/evaluate/reconstruction.h"

namespace deepgen {
namespace {

void append(std::vector<Score>& scores, const std::vector<Score>& more) {
  scores.insert(scores.end(), more.begin(), more.end());
}

std::vector<Score> pseudo_likelihood(const Model& model, const Split& split, const Rng& rng) {
  constexpr std::int64_t most_rows = 500;  // it costs D free energies a row
  const auto* pseudo = as<HasPseudoLikelihood>(model);
  if (!pseudo) return {};
  const bool sequences = split.starts.defined();
  const Split all = rows_as_cases(split);
  const Rows rows = Dataset::rows(all, random_index(all, most_rows, rng.fork({0})), rng.fork({1}));
  const Tensor complete = rows.x.isnan().any(1).logical_not().nonzero().squeeze(1);
  if (complete.size(0) == 0) return {};
  const auto values = pseudo->pseudo_log_likelihood(rows.select(complete));
  if (!values) return {};
  return {
      case_score(sequences ? "pseudo_log_likelihood_per_row" : "pseudo_log_likelihood", split.name,
                 ScoreKind::proxy, *values, {},
                 fmt::format("sum over units of log p(unit | all others){}, {} rows at random",
                             sequences ? ", mean over single rows of the sequences" : "", complete.size(0)))};
}

// The means of row_scores, on `split` and on train.
std::vector<Score> normalised_scores(const Model& model, const Dataset& data, const Split& split,
                                     const Normaliser& normaliser, const Rng& rng, Observer& observer) {
  std::vector<Score> scores;
  auto add = [&](const Split& part, std::uint64_t number) {
    const RowScores rows =
        need_finite(normalised_rows(model, data, part, normaliser, {}, rng.fork({number}), observer));
    append(scores, mean_scores(rows, part.name));
  };
  add(split, 3);
  if (!data.one_matrix && split.name != data.train.name)
    add(affordable_cases(model, data.train, rng.fork({11})), 4);
  return scores;
}

std::vector<Score> likelihood_scores(const Model& model, const Dataset& data, const Split& split,
                                     const EvaluationPlan& plan, const Rng& rng, Observer& observer) {
  const ScoreRoute route = score_route(model);
  if (route == ScoreRoute::none)
    return extra_scores_of(model, data, split, plan.samples, rng.fork({9}), observer);
  Normaliser normaliser;
  if (route != ScoreRoute::bound) normaliser = split_normaliser(model, split, plan, rng, observer);
  if (!std::isfinite(normaliser.log_z)) {
    observer.message("warning: " + normaliser.warning);
    return {};
  }
  if (is_bounded(model)) return bound_scores(model, data, split, plan, normaliser, rng.fork({9}), observer);
  return normalised_scores(model, data, split, normaliser, rng, observer);
}

}  // namespace

std::vector<Score> evaluate_model(const Model& model, const Dataset& data, const std::string& split_name,
                                  const EvaluationPlan& plan, const Rng& rng, Observer& observer) {
  const InterruptionScope scope(observer, "scoring");
  const Split& split = data.split(split_name);
  std::vector<Score> scores = likelihood_scores(model, data, split, plan, rng, observer);
  append(scores, ensemble_scores(model, data, split, plan, rng.fork({10}), observer));
  if (!scores.empty() && !needs_condition(model))
    if (const auto baseline = baseline_score(data, split, rng.fork({6}))) scores.push_back(*baseline);
  append(scores, pseudo_likelihood(model, split, rng.fork({5})));
  append(scores, frame_prediction_scores(model, split, rng.fork({12}), observer));
  append(scores, reconstruction_scores(model, data, split, rng.fork({5})));
  if (data.one_matrix)
    for (Score& score : scores) score.split = "all";
  return scores;
}

}  // namespace deepgen
