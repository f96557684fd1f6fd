#include "deepgen/evaluate/bounds.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/row_pass.h"
#include "deepgen/model/extra_scores.h"

namespace deepgen {
namespace {

constexpr std::int64_t train_cases = 1000;

std::int64_t first_row(const Split& split, std::int64_t number) {
  return split.starts.defined() ? split.starts[number].item<std::int64_t>() : number;
}

RowValues bound_values(const Model& model, const Dataset& data, const Split& split,
                       const std::vector<std::int64_t>& index, std::int64_t samples, const Rng& rng,
                       Observer& observer) {
  const auto& bound = *as<HasBound>(model);
  need_labels(model, split);
  return over_cases(split, index, samples, "bound", rng, observer,
                    [&](const Rows& rows, std::int64_t first, Work&) -> Tensor {
                      NoGradGuard no_graph;
                      model.check_data(rows.x, split.name,
                                       first_row(split, index[static_cast<std::size_t>(first)]));
                      Rng own = rng.fork({2, static_cast<std::uint64_t>(first)});
                      return bound.log_prob_bound(rows, samples, own) + told_jacobian(model, data, rows);
                    });
}

}  // namespace

std::vector<Score> extra_scores_of(const Model& model, const Dataset& data, const Split& split,
                                   std::int64_t samples, const Rng& rng, Observer& observer) {
  const auto* extra = as<HasExtraScores>(model);
  if (!extra) return {};
  std::vector<ExtraScore> about;
  const RowValues all = over_cases(split, all_cases(split), samples, "extra scores", rng, observer,
                                   [&](const Rows& rows, std::int64_t first, Work&) -> Tensor {
                                     NoGradGuard no_graph;
                                     Rng draws = rng.fork({2, static_cast<std::uint64_t>(first)});
                                     about = extra->extra_scores(rows, samples, draws);
                                     if (about.empty()) return at::zeros({rows.size(), 0}, at::kDouble);
                                     std::vector<Tensor> values;
                                     const Tensor jacobian = told_jacobian(model, data, rows);
                                     for (const ExtraScore& each : about)
                                       values.push_back(each.rows + jacobian);
                                     return at::stack(values, 1);
                                   });
  std::vector<Score> scores;
  for (std::size_t i = 0; i < about.size(); ++i)
    for (const Score& each : case_scores(about[i].metric, split.name, about[i].kind,
                                         all.values.select(1, static_cast<std::int64_t>(i)).contiguous(),
                                         all.starts, about[i].how))
      scores.push_back(each);
  return scores;
}

namespace {

// The parts of a score that come with log Z.
void subtract_log_z(const Normaliser& normaliser, RowScores& rows) {
  if (!std::isfinite(normaliser.log_z)) fail_numerical("likelihood", normaliser.warning);
  rows.values = rows.values - normaliser.log_z;
  rows.shared_error = normaliser.standard_error;
  rows.warning = normaliser.warning;
  rows.how += ", less " + normaliser.how;
  if (normaliser.kind == ScoreKind::exact) return;
  rows.kind = ScoreKind::estimate;
  rows.how += "; no bound: a log Z that is estimated too low makes it too high";
  if (normaliser.upper) rows.to_lower = normaliser.log_z - *normaliser.upper;
}

}  // namespace

std::vector<std::int64_t> all_cases(const Split& split) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(split.cases()));
  std::iota(index.begin(), index.end(), std::int64_t{0});
  return index;
}

std::vector<std::int64_t> random_index(const Split& split, std::int64_t count, const Rng& rng) {
  std::vector<std::int64_t> index = Rng(rng).permutation(split.cases());
  index.resize(static_cast<std::size_t>(std::min(count, split.cases())));
  return index;
}

Split rows_as_cases(Split split) {
  split.starts = Tensor();
  return split;
}

Dataset rows_as_cases(Dataset data) {
  for (Split* part : {&data.train, &data.valid, &data.test}) part->starts = Tensor();
  return data;
}

bool is_bounded(const Model& model) {
  const ScoreRoute route = score_route(model);
  return route == ScoreRoute::bound || route == ScoreRoute::bound_less_log_z;
}

Tensor bound_rows(const Model& model, const Dataset& data, const Split& split, std::int64_t samples,
                  const Rng& rng, Observer& observer) {
  return bound_values(model, data, split, all_cases(split), samples, rng, observer).values;
}

std::string bound_method(const Model& model, std::int64_t samples) {
  const bool tightens = as<HasBound>(model)->bound_kind().tightens;
  std::string how = samples == 1 ? "evidence lower bound, one draw a row"
                                 : fmt::format("importance-weighted bound, {} draws a row", samples);
  if (!tightens)
    how = fmt::format("variational bound, mean of {} draw{} a row", samples, samples == 1 ? "" : "s");
  if (as<HasBound>(model)->bound_kind().kind == ScoreKind::exact) how = "computed in full, row by row";
  if (needs_condition(model)) how += ", given " + as<IsConditional>(model)->condition();
  return how;
}

RowScores bounded_rows(const Model& model, const Dataset& data, const Split& split,
                       const std::vector<std::int64_t>& index, std::int64_t samples,
                       const Normaliser& normaliser, const Rng& rng, Observer& observer) {
  const RowValues bound = bound_values(model, data, split, index, samples, rng, observer);
  const std::string prefix = needs_condition(model) ? "conditional_" : "";
  RowScores rows;
  rows.values = bound.values, rows.starts = bound.starts;
  rows.route = score_route(model);
  rows.row = as<HasBound>(model)->bound_kind();
  rows.kind = rows.row.kind;
  rows.how = bound_method(model, samples);
  const bool owes = rows.row.owes_log_partition;
  if (owes) subtract_log_z(normaliser, rows);
  rows.metric = prefix + (owes ? "log_prob_bound_less_log_z" : "log_prob");
  rows.column = prefix + (rows.kind == ScoreKind::exact ? "log_prob" : "log_prob_estimate");
  return rows;
}

std::vector<Score> bound_scores(const Model& model, const Dataset& data, const Split& split,
                                const EvaluationPlan& plan, const Normaliser& normaliser, const Rng& rng,
                                Observer& observer) {
  const RowScoreKind kind = as<HasBound>(model)->bound_kind();
  std::vector<Score> scores;
  auto add = [&](const Split& part, const std::vector<std::int64_t>& index, std::uint64_t number) {
    const RowScores rows =
        bounded_rows(model, data, part, index, plan.samples, normaliser, rng.fork({number}), observer);
    for (const Score& each : mean_scores(rows, part.name)) scores.push_back(each);
    if (!kind.tightens) return;
    RowScores one = bounded_rows(model, data, part, index, 1, normaliser, rng.fork({number + 1}), observer);
    one.metric = needs_condition(model) ? "conditional_elbo" : "elbo";
    if (kind.owes_log_partition) one.metric += "_less_log_z";
    for (const Score& each : mean_scores(one, part.name)) scores.push_back(each);
  };
  add(split, all_cases(split), 1);
  for (const Score& each : extra_scores_of(model, data, split, plan.samples, rng.fork({6}), observer))
    scores.push_back(each);
  if (data.one_matrix || split.name == data.train.name) return scores;
  add(data.train, random_index(data.train, train_cases, rng.fork({3})), 4);
  return scores;
}

std::vector<Score> ensemble_scores(const Model& model, const Dataset& data, const Split& split,
                                   const EvaluationPlan& plan, const Rng& rng, Observer& observer) {
  const auto* ordered = as<HasOrders>(model);
  if (!ordered || plan.orders < 2) return {};
  if (ordered->orders() > 0 && plan.orders > ordered->orders())
    fail_usage("--orders", fmt::format("expected at most {}, the orders this model has, got {}",
                                       ordered->orders(), plan.orders));
  const RowValues all = over_cases(split, all_cases(split), plan.orders, "ensemble", rng, observer,
                                   [&](const Rows& rows, std::int64_t, Work& work) -> Tensor {
                                     NoGradGuard no_graph;
                                     std::vector<Tensor> members;
                                     for (std::int64_t order = 0; order < plan.orders; ++order) {
                                       work.listen();
                                       members.push_back(ordered->log_prob_under(rows, order));
                                     }
                                     return at::logsumexp(at::stack(members), 0) -
                                            std::log(static_cast<double>(plan.orders)) +
                                            told_jacobian(model, data, rows);
                                   });
  return case_scores("log_prob_ensemble", split.name, ScoreKind::exact, all.values, all.starts,
                     fmt::format("mean of the probabilities under {} orders", plan.orders));
}

}  // namespace deepgen
