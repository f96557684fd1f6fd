#include "deepgen/evaluate/validation.h"

#include <cmath>

#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/classification.h"
#include "deepgen/evaluate/free_chains.h"
#include "deepgen/evaluate/reconstruction.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/model/top_machine.h"
#include "deepgen/tasks/codes.h"

namespace deepgen {
namespace {

constexpr std::int64_t quick_units = 16, quick_samples = 5;

AnnealingPlan quick_plan() { return {.schedule = "quick", .chains = 100, .burn_in = 100}; }

double mean_of(const RowScores& rows) {
  return case_score(rows.metric, "", rows.kind, rows.values, rows.starts, rows.how).value;
}

// log Z for the score: exact for few states, from above otherwise, or nothing.
struct LogZ {
  Normaliser normaliser;
  std::string diverged;
};
std::optional<LogZ> validation_log_z(const Model& model, const Split& valid, const Rng& rng) {
  LogZ result;
  if (const auto exact = exact_log_z(model, quick_units)) {
    result.normaliser.log_z = *exact;
    if (!std::isfinite(*exact)) result.diverged = "log Z is not finite: the density cannot be normalised";
    return result;
  }
  const Model& machine = machine_of(model);
  if (!as<CanAnneal>(machine) || !as<HasChain>(machine)) return std::nullopt;
  const AnnealingPlan plan = quick_plan();
  const Split all = rows_as_cases(valid);
  const Tensor rows = Dataset::rows(all, random_index(all, plan.chains, rng.fork({3})), rng.fork({4})).x;
  Observer silent;
  Rng own = rng.fork({1}), free = rng.fork({5}), up = rng.fork({6});
  const Tensor start = machine_states(model, rows, up);
  const LogPartitionFromAbove above = log_partition_from_above(machine, plan, start, own, silent);
  result.normaliser.log_z = above.log_z;
  result.normaliser.kind = ScoreKind::estimate;
  result.diverged = free_chains_leave_data(machine, start, free);
  if (result.diverged.empty()) result.diverged = above.diverged;
  return result;
}

// What the score is called: by what it proves.
const char* score_name(const Model& model, const Split& valid, const LogZ& log_z, const Rng& rng) {
  if (log_z.normaliser.kind != ScoreKind::exact) return "valid_log_prob_estimate";
  if (is_bounded(model)) return "valid_log_prob_bound";
  return estimates_gaps(model, valid, rng) ? "valid_log_prob_estimate" : "valid_log_prob";
}

ValidationScore bounded_score(const Model& model, const Dataset& data, const LogZ& log_z, const Rng& rng) {
  Observer silent;
  const RowScores rows = bounded_rows(model, data, data.valid, all_cases(data.valid), quick_samples,
                                      log_z.normaliser, rng, silent);
  return {score_name(model, data.valid, log_z, rng), mean_of(rows), log_z.diverged};
}

ValidationScore normalised_score(const Model& model, const Dataset& data, const Split& valid,
                                 const LogZ& log_z, const Rng& rng) {
  Observer silent;
  const MissingCellPlan gaps{.schedule = "quick", .chains = 5};
  const RowScores rows = normalised_rows(model, data, valid, log_z.normaliser, gaps, rng, silent);
  return {score_name(model, valid, log_z, rng), mean_of(rows), log_z.diverged};
}

}  // namespace

Split affordable_cases(const Model& model, const Split& split, const Rng& rng) {
  constexpr std::int64_t costly_columns = 300000;
  const auto* ordered = as<HasOrders>(model);
  const std::int64_t count = std::max<std::int64_t>(1, costly_columns / split.columns());
  if (!ordered || ordered->orders() > 0 || split.rows() <= count || split.starts.defined()) return split;
  const Tensor index = at::tensor(random_index(split, count, rng), at::kLong);
  Split some = split;
  some.each_row_tensor([&](Tensor& each) { each = each.index_select(0, index); });
  some.table_rows.clear();
  return some;
}

namespace {

// Missing cells are annealed row by row: after each epoch so of few rows, the same ones.
Split fewer_annealed_cases(const Model& model, const Split& split, const Rng& rng) {
  constexpr std::int64_t most = 200;
  if (split.cases() <= most || !estimates_gaps(model, split, rng)) return split;
  return select_cases(split, random_index(split, most, rng.fork({2})));
}

std::optional<ValidationScore> class_score(const Model& model, const Dataset& data, const Rng& rng) {
  Observer silent;
  for (const Score& score : classification_scores(model, data, data.valid, rng, silent))
    if (score.metric == "classification_log_loss")
      return ValidationScore{"valid_log_class_prob", -score.value, ""};
  return std::nullopt;
}

bool is_judged_by_classes(const Model& model) {
  const auto* classifier = as<CanClassify>(model);
  return classifier && classifier->judged_by_classes();
}

// A proxy, which compares settings of one model. Errors of columns of several kinds are added up.
std::optional<ValidationScore> reconstruction_score(const Model& model, const Dataset& data, const Rng& rng) {
  const std::vector<Score> errors = reconstruction_scores(model, data, data.valid, rng);
  if (errors.empty()) return std::nullopt;
  double sum = 0;
  for (const Score& each : errors) sum += each.value;
  return ValidationScore{"valid_reconstruction_score", -sum, ""};
}

std::optional<ValidationScore> judge(const Model& model, const Dataset& data, std::uint64_t seed,
                                     bool often) {
  const Rng rng = Rng(seed).fork({77});
  if (is_judged_by_classes(model)) return class_score(model, data, rng);
  if (data.valid.rows() == 0) return std::nullopt;
  const ScoreRoute route = score_route(model);
  if (route == ScoreRoute::none) return reconstruction_score(model, data, rng);
  const bool owes = route == ScoreRoute::free_energy || route == ScoreRoute::bound_less_log_z;
  const std::optional<LogZ> log_z = owes ? validation_log_z(model, data.valid, rng) : LogZ{};
  if (!log_z) return std::nullopt;
  if (!std::isfinite(log_z->normaliser.log_z))  // no likelihood: worse than any
    return ValidationScore{score_name(model, data.valid, *log_z, rng), -log_z->normaliser.log_z,
                           log_z->diverged};
  if (is_bounded(model)) return bounded_score(model, data, *log_z, rng);
  Split valid = affordable_cases(model, data.valid, Rng(seed).fork({78}));
  if (often) valid = fewer_annealed_cases(model, valid, Rng(seed).fork({78}));
  return normalised_score(model, data, valid, *log_z, rng);
}

}  // namespace

bool has_validation_score(const Model& model) {
  return is_judged_by_classes(model) || score_route(model) != ScoreRoute::none || can_reconstruct(model);
}

std::optional<ValidationScore> judge_model(const Model& model, const Dataset& data, std::uint64_t seed) {
  return judge(model, data, seed, false);
}

std::function<std::optional<ValidationScore>(Model&)> validation_score(const Dataset& data,
                                                                       std::uint64_t seed) {
  return [&data, seed](const Model& model) { return judge(model, data, seed, true); };
}

}  // namespace deepgen
