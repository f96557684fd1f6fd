#include "deepgen/evaluate/likelihood.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/baselines.h"
#include "deepgen/evaluate/gaps.h"

namespace deepgen {
namespace {

Tensor random_rows(const Split& split, std::int64_t count, const Rng& rng) {
  return Dataset::rows(split, random_index(split, count, rng.fork({0})), rng.fork({1}));
}

Score log_prob_score(const Tensor& log_probs, const Split& split, const Normaliser& normaliser) {
  Score score = row_score("log_prob", split, normaliser.kind, log_probs, normaliser.how);
  score.standard_error = std::hypot(score.standard_error, normaliser.standard_error);
  score.warning = normaliser.warning;
  if (normaliser.lower && normaliser.upper) {
    score.lower = score.value + normaliser.log_z - *normaliser.upper;
    score.upper = score.value + normaliser.log_z - *normaliser.lower;
  }
  return score;
}

// -log p(x | decode(encode(x))) of Bernoulli means for binary data, computed from clamped means, and the
// squared distance for all others: proxies, not likelihoods. NaN for rows with missing cells.
Tensor reconstruction_error(const Tensor& means, const Tensor& x, bool binary) {
  const Tensor decoded = means.to(at::kDouble), truth = x.to(at::kDouble);
  if (!binary) return (decoded - truth).square().sum(1);
  const Tensor mean = decoded.clamp(1e-7, 1 - 1e-7);
  return -(truth * mean.log() + (1 - truth) * (-mean).log1p()).sum(1);
}

// Models with endless orders need a pass of their network for every column of a row: where a score only
// stands beside another, or is one of many, it is that of some rows drawn at random.
constexpr std::int64_t costly_columns = 300000;

Split affordable_rows(Model& model, const Split& split, const Rng& rng) {
  const auto* ordered = as<HasOrders>(model);
  const std::int64_t count = std::max<std::int64_t>(1, costly_columns / split.x.size(1));
  if (!ordered || ordered->orders() > 0 || split.rows() <= count) return split;
  const Tensor index = at::tensor(random_index(split, count, rng), at::kLong);
  Split some = split;
  for (Tensor* each : {&some.x, &some.y, &some.weights, &some.before})
    if (each->defined()) *each = each->index_select(0, index);
  some.table_rows.clear();
  return some;
}

constexpr std::int64_t proxy_rows = 500;  // the pseudo-likelihood costs D free energies a row

void add_proxies(Model& model, const Split& split, bool binary, const Rng& rng, std::vector<Score>& scores) {
  if (auto* pseudo = as<HasPseudoLikelihood>(model)) {
    const Tensor rows = complete_rows_only(random_rows(split, proxy_rows, rng));
    const auto values = rows.size(0) > 0 ? pseudo->pseudo_log_likelihood(rows) : std::nullopt;
    if (values)
      scores.push_back(row_score(
          "pseudo_log_likelihood", split, ScoreKind::proxy, *values,
          fmt::format("sum over units of log p(unit | all others), {} rows at random", rows.size(0))));
  }
  auto* encoder = as<CanEncode>(model);
  auto* decoder = as<CanDecode>(model);
  auto* given = as<CanCodeGiven>(model);
  const bool plain = encoder && decoder;
  if (!plain && (!given || !split.y.defined())) return;
  Tensor errors = map_labelled_rows(split, rng, [&](const Tensor& x, const Tensor& y) {
    const Tensor means =
        plain ? decoder->decode(encoder->encode(x)) : given->decode_given(given->encode_given(x, y), y);
    return reconstruction_error(means, x, binary);
  });
  errors = errors.masked_select(errors.isnan().logical_not());
  if (errors.size(0) == 0) return;
  Score score = row_score("reconstruction_error", split, ScoreKind::proxy, errors,
                          binary ? "cross entropy between a case and the decoded mean of its code"
                                 : "squared distance between a case and the decoded mean of its code");
  if (!binary) score.unit = "squared units";
  scores.push_back(score);
}

}  // namespace

Normaliser normaliser_of(Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                         Observer& observer) {
  Normaliser result;
  if (as<HasLogProb>(model)) {
    result.how = "computed exactly";
    return result;
  }
  auto* energy = as<HasFreeEnergy>(model);
  if (!energy) fail_usage("likelihood", "this model has no likelihood that can be computed or estimated");
  if (const auto exact = energy->exact_log_partition()) {
    if (std::isnan(*exact))
      fail_numerical("likelihood", "log Z is not finite: the weights of the model are too large or broken");
    result.log_z = *exact;
    if (std::isinf(*exact))
      result.warning =
          "log Z is infinite: with these weights the density cannot be normalised, because its energy falls "
          "without end in some direction; there is no likelihood";
    result.how = energy->enumeration_units() > 0 ? "log Z by enumeration of a layer" : "log Z in closed form";
    return result;
  }
  const PartitionBracket bracket = bracket_log_partition(model, plan, data, rng, observer);
  result.kind = ScoreKind::estimate;
  result.log_z = bracket.forward.value;
  result.standard_error = bracket.forward.standard_error;
  result.lower = std::min(bracket.forward.value, bracket.reverse.value);
  result.upper = std::max(bracket.forward.value, bracket.reverse.value);
  const bool crossed =
      bracket.reverse.value < bracket.forward.value;  // the errors overlap: the bracket is their spread
  result.warning = bracket.warning;
  result.how = fmt::format(
      "annealed importance sampling, {} chains x {} temperatures ({}), log Z forward {:.2f} +- {:.2f} "
      "(effective chains "
      "{:.1f}), reverse {:.2f} +- {:.2f} (effective chains {:.1f}){}",
      bracket.forward.chains, bracket.forward.temperatures, plan.schedule, bracket.forward.value,
      bracket.forward.standard_error, bracket.forward.effective_chains, bracket.reverse.value,
      bracket.reverse.standard_error, bracket.reverse.effective_chains,
      crossed ? "; the two runs crossed within their errors" : "");
  return result;
}

Normaliser split_normaliser(Model& model, const Split& split, const AnnealingPlan& plan, const Rng& rng,
                            Observer& observer) {
  Rng own = rng.fork({2});
  Normaliser result = normaliser_of(model, plan, random_rows(split, plan.chains, rng), own, observer);
  if (as<HasLogProb>(model)) {
    if (split.x.is_floating_point() && split.x.isnan().any().item<bool>())
      result.how += "; missing cells summed out";
    return result;
  }
  bool estimated = false;
  map_rows(split, rng, [&](const Tensor& x) {
    estimated = estimated || estimates_gaps(*as<HasFreeEnergy>(model), x);
    return at::zeros({x.size(0)});
  });
  if (!estimated) return result;
  result.kind = ScoreKind::estimate;
  result.how +=
      fmt::format("; missing cells summed out by annealing given the known ones, {} chains a row ({})",
                  GapPlan{}.chains, GapPlan{}.schedule);
  return result;
}

Tensor log_prob_rows(Model& model, const Dataset& data, const Split& split, const Normaliser& normaliser,
                     const Rng& rng) {
  if (!std::isfinite(normaliser.log_z)) fail_numerical("likelihood", normaliser.warning);
  auto* exact = as<HasLogProb>(model);
  std::int64_t first = 0;
  Tensor rows = map_rows(split, rng, [&](const Tensor& x) -> Tensor {
    model.check_data(x, split.name, first);
    if (exact) {
      first += x.size(0);
      return exact->log_prob(x) + data.log_jacobian(x);
    }
    Rng own = rng.fork({8, static_cast<std::uint64_t>(first)});
    first += x.size(0);
    return log_unnormalised(model, x, normaliser.log_z, {}, own) - normaliser.log_z + data.log_jacobian(x);
  });
  if (!rows.isfinite().all().item<bool>())
    fail_numerical("likelihood",
                   "log-probabilities are not finite: the weights of the model are too large or broken");
  return rows;
}

std::vector<Score> evaluate_model(Model& model, const Dataset& data, const std::string& split_name,
                                  const EvaluationPlan& plan, Rng& rng, Observer& observer) {
  const Split& split = data.split(split_name);
  std::vector<Score> scores;
  if (is_bounded(model)) scores = bound_scores(model, data, split, plan, rng.fork({9}), observer);
  if (as<HasLogProb>(model) || as<HasFreeEnergy>(model)) {
    const Normaliser normaliser = split_normaliser(model, split, plan, rng, observer);
    const bool normalised = std::isfinite(normaliser.log_z);
    if (normalised)
      scores.push_back(
          log_prob_score(log_prob_rows(model, data, split, normaliser, rng.fork({3})), split, normaliser));
    else
      observer.message("warning: " + normaliser.warning);
    if (normalised && !data.one_matrix && split_name != "train") {
      const Split some = affordable_rows(model, data.train, rng.fork({11}));
      scores.push_back(
          log_prob_score(log_prob_rows(model, data, some, normaliser, rng.fork({4})), some, normaliser));
    }
  }
  for (const Score& each : ensemble_scores(model, data, split, plan, rng.fork({10}), observer))
    scores.push_back(each);
  if (!scores.empty() && !as<HasConditionalBound>(model))
    if (const auto baseline = baseline_score(data, split, rng.fork({6}))) scores.push_back(*baseline);
  add_proxies(model, split, data.values == "binary", rng.fork({5}), scores);
  if (data.one_matrix)
    for (Score& score : scores) score.split = "all";
  return scores;
}

std::function<std::optional<ValidationScore>(Model&)> validation_score(const Dataset& data,
                                                                       std::uint64_t seed) {
  constexpr std::int64_t quick_units = 16, chains = 100, quick_samples = 5;
  return [&data, seed](Model& model) -> std::optional<ValidationScore> {
    if (auto* has = as<HasLogProb>(model); has && data.valid.rows() > 0) {
      const Split some = affordable_rows(model, data.valid, Rng(seed).fork({78}));
      const Tensor rows =
          map_rows(some, Rng(seed).fork({77}), [&](const Tensor& x) { return has->log_prob(x); });
      return ValidationScore{"valid_log_prob", mean_over_rows(rows).mean};
    }
    if (is_bounded(model) && data.valid.rows() > 0) {
      Observer silent;
      const Tensor rows = bound_rows(model, data, data.valid, quick_samples, Rng(seed).fork({77}), silent);
      return ValidationScore{"valid_log_prob_bound", mean_over_rows(rows).mean};
    }
    auto* energy = as<HasFreeEnergy>(model);
    auto* annealed = as<CanAnneal>(model);
    if (!energy || !annealed || data.valid.rows() == 0) return std::nullopt;
    const Rng rng = Rng(seed).fork({77});
    double log_z = 0;
    const bool exact = energy->enumeration_units() <= quick_units;
    if (exact) {
      log_z = *energy->exact_log_partition();
    } else {
      Rng own = rng.fork({1});
      Observer silent;
      log_z = anneal_forward(*annealed, annealing_schedule("quick"), chains, own, silent).value;
    }
    std::uint64_t number = 0;
    const Tensor rows = map_rows(data.valid, rng, [&](const Tensor& x) {
      Rng own = rng.fork({2, number++});
      return log_unnormalised(model, x, log_z, {"quick", 5}, own);
    });
    return ValidationScore{exact ? "valid_log_prob" : "valid_log_prob_estimate",
                           rows.mean().item<double>() - log_z};
  };
}

}  // namespace deepgen
