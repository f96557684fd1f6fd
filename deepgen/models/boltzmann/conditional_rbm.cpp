#include "deepgen/models/boltzmann/conditional_rbm.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/parts/pixels/regions.h"

namespace deepgen {
namespace {

constexpr const char* conditional_name = "conditional_rbm";

Tensor columns_where(const Tensor& mask) { return mask.nonzero().view({-1}); }

// The units outside the condition, in their order.
UnitLayer units_of_rest(const UnitLayer& whole, const Tensor& given, const std::string& part) {
  std::vector<UnitGroup> groups;
  std::int64_t first = 0;
  for (const UnitGroup& group : whole.groups()) {
    const auto inside = given.narrow(0, group.first, group.size).sum().item<std::int64_t>();
    const std::int64_t size = group.size - inside;
    if (group.kind == UnitKind::softmax && size > 0 && inside > 0)
      fail_data(conditional_name,
                fmt::format("expected each category inside or outside the condition ({}) as a whole, got its "
                            "border within columns {} to {}; choose another model.given",
                            part, group.first, group.first + group.size - 1));
    if (size > 0) groups.push_back({group.kind, first, size, group.copies});
    first += size;
  }
  return UnitLayer(groups);
}

}  // namespace

ConditionalRbm::ConditionalRbm(const ConditionalRbmOptions& options, const DynamicBiasLearning& learning,
                               const DataShape& data)
    : ConditionalRbm(options, learning, data,
                     region_mask("model.given", options.given, data.shape, data.columns)) {}

ConditionalRbm::ConditionalRbm(const ConditionalRbmOptions& options, const DynamicBiasLearning& learning,
                               const DataShape& data, const Tensor& mask)
    : DynamicBiasRbm(options, learning,
                     units_of_rest(UnitLayer::of(data.column_groups()), mask, options.given),
                     mask.sum().item<std::int64_t>()),
      options_(options),
      learning_(learning),
      whole_(UnitLayer::of(data.column_groups())),
      mask_(mask),
      given_(columns_where(mask)),
      rest_(columns_where(mask.logical_not())) {}

void ConditionalRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, whole_.size(), false, conditional_name, what, first_row);
  whole_.check(x, conditional_name, what, first_row);
}

Tensor ConditionalRbm::filters() const {
  Tensor all = at::empty({machine().hidden(), whole_.size()});
  all.index_copy_(1, given_, to_hidden.t());
  all.index_copy_(1, rest_, machine().weights.t());
  return all;
}

GivenPairs ConditionalRbm::pairs_of(const Rows& rows) const {
  return {rows.x.index_select(1, given_), rows.x.index_select(1, rest_)};
}

// ---------------------------------------------------------------- completion

Tensor ConditionalRbm::start_given(const Tensor&, const GivenBiases& given, Rng& rng) const {
  return visible_layer().sample(given.visible.theta, given.visible.gamma, rng);
}

Tensor ConditionalRbm::complete(const Rows& rows, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor& x = rows.x;
  if (x.size(0) == 0) return x;
  const GivenPairs pairs = pairs_of(rows);
  if (pairs.condition.isnan().any().item<bool>())
    fail_data(
        conditional_name,
        fmt::format("expected every cell of the condition ({}) to be known, got a missing one", condition()));
  const Tensor known = pairs.v.isnan().logical_not();
  const GivenBiases given = biases_given(pairs.condition);
  const Tensor start = at::where(known, pairs.v, start_given(pairs.condition, given, rng));
  Tensor result = x.clone();
  result.index_copy_(1, rest_, gibbs_given(given, start, options_.completion_steps, known, rng));
  return result;
}

// ---------------------------------------------------------------- scores

Tensor ConditionalRbm::exact_conditional_log_prob(const Rows& rows) const {
  const GivenPairs pairs = pairs_of(rows);
  const GivenBiases given = biases_given(pairs.condition);
  return -free_energy_given(given, pairs.v) - exact_log_partition_given(given);
}

std::vector<ExtraScore> ConditionalRbm::extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  if (can_enumerate())
    return {{"conditional_log_prob", ScoreKind::exact, exact_conditional_log_prob(rows),
             "log Z of every condition by enumeration, given " + condition()}};
  const GivenPairs pairs = pairs_of(rows);
  const GivenBiases given = biases_given(pairs.condition);
  const Tensor log_z = annealed_log_partition_given(given, samples, options_.temperatures, rng);
  return {{"conditional_log_prob_annealed", ScoreKind::estimate, -free_energy_given(given, pairs.v) - log_z,
           fmt::format("log Z of every condition from {} annealed chains of {} temperatures, too low on "
                       "average; given {}",
                       samples, options_.temperatures, condition())}};
}

template std::shared_ptr<Model> create<ConditionalRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
