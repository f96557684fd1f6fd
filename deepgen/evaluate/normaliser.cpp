#include "deepgen/evaluate/normaliser.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/missing_cells.h"
#include "deepgen/model/top_machine.h"

namespace deepgen {
namespace {

Normaliser exact_normaliser(double log_z, std::int64_t units) {
  if (std::isnan(log_z))
    fail_numerical("likelihood", "log Z is not finite: the weights of the model are too large or broken");
  Normaliser result;
  result.log_z = log_z;
  if (std::isinf(log_z))
    result.warning =
        "log Z is infinite: with these weights the density cannot be normalised, because its energy falls "
        "without end in some direction; there is no likelihood";
  result.how = units > 0 ? "log Z by enumeration of a layer" : "log Z in closed form";
  return result;
}

Normaliser annealed_normaliser(const Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                               Observer& observer) {
  const PartitionBracket bracket =
      bracket_log_partition(machine_of(model), plan, machine_states(model, data, rng), rng, observer);
  Normaliser result;
  result.kind = ScoreKind::estimate;
  result.log_z = bracket.forward.value;
  result.standard_error = bracket.forward.standard_error;
  result.lower = bracket.lower, result.upper = bracket.upper;
  result.warning = bracket.warning;
  if (!bracket.forward.tells_error()) {
    result.standard_error.reset();
    result.warning +=
        fmt::format("{}one chain carries the weight of the forward run: its error cannot be told",
                    result.warning.empty() ? "" : "; ");
  }
  result.how = fmt::format("annealed importance sampling, {} chains x {} temperatures ({}), {}",
                           bracket.forward.chains, bracket.forward.temperatures, plan.schedule, bracket.seen);
  return result;
}

}  // namespace

std::optional<double> exact_log_z(const Model& model, std::int64_t units) {
  const auto* partition = as<HasLogPartition>(model);
  if (!partition || partition->enumeration_units() > units) return std::nullopt;
  return partition->exact_log_partition();
}

Normaliser normaliser_of(const Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                         Observer& observer) {
  if (as<HasLogProb>(model)) {
    Normaliser result;
    result.how = "computed exactly";
    return result;
  }
  const auto* bound = as<HasBound>(model);
  if (!as<HasFreeEnergy>(model) && !(bound && bound->bound_kind().owes_log_partition))
    fail_usage("likelihood", "this model has no likelihood that can be computed or estimated");
  const auto* partition = as<HasLogPartition>(model);
  if (const auto exact = partition ? partition->exact_log_partition() : std::nullopt)
    return exact_normaliser(*exact, partition->enumeration_units());
  return annealed_normaliser(model, plan, data, rng, observer);
}

bool estimates_gaps(const Model& model, const Split& split, const Rng& rng) {
  const auto* energy = as<HasFreeEnergy>(model);
  if (!energy || as<HasLogProb>(model) || !split.first_gap()) return false;
  bool any = false;
  map_rows(split, rng, [&](const Rows& rows) {
    any = any || estimates_gaps(*energy, rows);
    return at::zeros({rows.size()});
  });
  return any;
}

Normaliser split_normaliser(const Model& model, const Split& split, const AnnealingPlan& plan, const Rng& rng,
                            Observer& observer) {
  Rng own = rng.fork({2});
  const Split all = rows_as_cases(split);
  const std::vector<std::int64_t> index = random_index(all, plan.chains, rng.fork({0}));
  const Tensor start = Dataset::rows(all, index, rng.fork({1})).x;
  Normaliser result = normaliser_of(model, plan, start, own, observer);
  if (as<HasLogProb>(model)) {
    if (split.first_gap()) result.how += "; missing cells summed out";
    return result;
  }
  result.fills_gaps = estimates_gaps(model, split, rng);
  if (!result.fills_gaps) return result;
  result.kind = ScoreKind::estimate;
  result.how +=
      fmt::format("; missing cells summed out by annealing given the known ones, {} chains a row ({})",
                  MissingCellPlan{}.chains, MissingCellPlan{}.schedule);
  return result;
}

}  // namespace deepgen
