// Scores of the RBM: free energies, log Z, pseudo-likelihood.
#include <cmath>
#include <limits>

#include "deepgen/core/constants.h"
#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {

Tensor Rbm::free_energy(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  const Tensor& v = rows.x;
  const NaturalParameters p = visible_natural();
  Tensor input;
  coupling().input_to_upper(input, p.couple.defined() ? v * p.couple : v);
  const Tensor visible_part = visible_units_.log_weight(v, p.theta, p.gamma);
  if (hidden_units_.all(UnitKind::binary)) return -(visible_part + softplus_row_sum(input, hidden_bias));
  return -(visible_part + hidden_units_.log_partition(input.add_(hidden_bias), {}));
}

bool Rbm::enumerates_hidden() const {
  if (!hidden_units_.all(UnitKind::binary)) return false;
  return !visible_units_.all(UnitKind::binary) || hidden() <= visible();
}

std::int64_t Rbm::enumeration_units() const {
  if (enumerates_hidden()) return hidden();
  if (visible_units_.all(UnitKind::binary)) return visible();
  const bool closed_form = visible_units_.all(UnitKind::gaussian) && hidden_units_.all(UnitKind::gaussian);
  return closed_form ? 0 : std::numeric_limits<std::int64_t>::max();
}

namespace {

// log of the integral of exp(theta.v + c.h + y W h - gamma v^2 / 2 - h^2 / 2) over all v and h. In y the
// precision is [[1, -W], [-W^T, 1]]; +infinity unless it is positive definite.
double gaussian_log_partition(const NaturalParameters& p, const Tensor& w, const Tensor& c) {
  const std::int64_t visible = w.size(0), all = visible + w.size(1);
  const Tensor wide = w.to(at::kDouble), couple = p.couple.to(at::kDouble);
  Tensor precision = at::eye(all, at::kDouble);
  precision.narrow(0, 0, visible).narrow(1, visible, w.size(1)).copy_(-wide);
  precision.narrow(0, visible, w.size(1)).narrow(1, 0, visible).copy_(-wide.t());
  const Tensor linear = at::cat({p.theta.to(at::kDouble) / couple, c.to(at::kDouble)});
  const auto [factor, failed] = at::linalg_cholesky_ex(precision);
  if (failed.item<int>() != 0) return std::numeric_limits<double>::infinity();
  const Tensor solved = at::cholesky_solve(linear.unsqueeze(1), factor).squeeze(1);
  const double log_det = 2 * factor.diagonal().log().sum().item<double>();
  return (static_cast<double>(all) * log_two_pi - log_det) / 2 + linear.dot(solved).item<double>() / 2 -
         couple.log().sum().item<double>();
}

}  // namespace

std::optional<double> Rbm::exact_log_partition() const {
  torch::NoGradGuard no_graph;
  if (largest_gain() >= 1) return std::numeric_limits<double>::infinity();
  if (enumeration_units() > enumerable_units) return std::nullopt;
  const NaturalParameters p = visible_natural();
  if (enumeration_units() == 0) return gaussian_log_partition(p, weights, hidden_bias);
  const bool by_hidden = enumerates_hidden();
  Tensor wide = (by_hidden ? weights.t() : weights).to(at::kDouble).contiguous();  // [small, large]
  if (by_hidden && p.couple.defined()) wide = wide * p.couple.to(at::kDouble);
  const Tensor small_bias = (by_hidden ? hidden_bias : p.theta).to(at::kDouble);
  const Tensor large_bias = (by_hidden ? p.theta : hidden_bias).to(at::kDouble);
  const UnitLayer& large = by_hidden ? visible_units_ : hidden_units_;
  const Tensor gamma = by_hidden ? p.gamma : Tensor();
  LogSumExp total;
  for_each_block_of_states(wide.size(0), wide.size(1), [&](std::int64_t, const Tensor& states) {
    Tensor a = large_bias.repeat({states.size(0), 1});
    multiply64(a, states, wide, 1, 1);
    const Tensor inner = large.all(UnitKind::binary) ? softplus_row_sum64(a) : large.log_partition(a, gamma);
    total.add(states.mv(small_bias) + inner);
  });
  return total.value();
}

// Sum over hidden states h of exp(c.h) times, for known cells, their weight with theta + s (W h), for missing
// ones their partition.
std::optional<Tensor> Rbm::marginal_free_energy(const Rows& rows) const {
  constexpr std::int64_t most_units = 12;
  torch::NoGradGuard no_graph;
  const Tensor& x = rows.x;
  if (!std::isnan(x.sum().item<float>())) return free_energy(x);
  if (!hidden_units_.all(UnitKind::binary) || hidden() > most_units) return std::nullopt;
  const NaturalParameters p = visible_natural();
  const Tensor known = x.isnan().logical_not();
  const Tensor v = at::where(known, x, at::zeros_like(x));
  const Tensor y = coupled(v).to(at::kDouble), gaps = known.logical_not().to(at::kDouble);
  const Tensor states = binary_states(0, std::int64_t{1} << hidden(), hidden());
  Tensor input = states.mm(weights.t().to(at::kDouble));  // [states, V]: W h
  const Tensor from_known = y.mm(input.t());              // [B, states]
  if (p.couple.defined()) input = input * p.couple.to(at::kDouble);
  const Tensor partitions = visible_units_.log_partition_terms(input + p.theta.to(at::kDouble), p.gamma);
  const Tensor all = from_known + gaps.mm(partitions.t()) + states.mv(hidden_bias.to(at::kDouble));
  return -visible_units_.log_weight(v, p.theta, p.gamma, known) - at::logsumexp(all, 1);
}

namespace {

// The sum over groups of log p(x_g | rest).
class PseudoLikelihood {
 public:
  PseudoLikelihood(const Rbm& rbm, const Tensor& v) : rbm_(rbm), v_(v) {
    rbm.coupling().input_to_upper(input_, v);
    input_.add_(rbm.hidden_bias);
    now_ = hidden_part(input_);
    total_ = at::zeros({v.size(0)}, at::kDouble);
  }
  const Tensor& total() const { return total_; }

  void add_binary(std::int64_t i) {
    const Tensor sign = 1 - 2 * v_.select(1, i);  // +1 when the flip turns the unit on
    const Tensor gain = hidden_part(at::addr(input_, sign, rbm_.weights[i])) - now_ +
                        (sign * rbm_.visible_bias[i]).to(at::kDouble);  // F(x) - F(flipped)
    total_.sub_(softplus64(gain));
  }
  void add_group(const UnitGroup& group) {
    const Tensor cells = v_.narrow(1, group.first, group.size);
    const Tensor rows = rbm_.weights.narrow(0, group.first, group.size);
    const Tensor biases = rbm_.visible_bias.narrow(0, group.first, group.size);
    const Tensor own = (cells * biases).sum(1);
    Tensor without = input_.clone();
    multiply(without, cells, rows, -1, 1);
    std::vector<Tensor> gains;
    for (std::int64_t k = 0; k < group.size; ++k)
      gains.push_back(hidden_part(without + rows[k]) - now_ + (biases[k] - own).to(at::kDouble));
    total_.sub_(at::logsumexp(at::stack(gains, 1), 1));
  }

 private:
  Tensor hidden_part(const Tensor& a) const { return rbm_.hidden_layer().log_partition(a, {}); }

  const Rbm& rbm_;
  const Tensor& v_;
  Tensor input_, now_, total_;  // y W + c, its log partition, the sum so far
};

}  // namespace

// log p(x_g | rest) of each group g (a binary column, or a softmax group): its energy against those of the
// other states the group could be in; a change of state moves the hidden input by a difference of rows of W.
std::optional<Tensor> Rbm::pseudo_log_likelihood(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  if (has_moments()) return std::nullopt;
  for (const UnitGroup& group : visible_units_.groups())
    if (group.kind != UnitKind::binary && group.kind != UnitKind::softmax) return std::nullopt;
  PseudoLikelihood sum(*this, rows.x);
  for (const UnitGroup& group : visible_units_.groups()) {
    if (group.kind == UnitKind::softmax) sum.add_group(group);
    for (std::int64_t i = 0; group.kind == UnitKind::binary && i < group.size; ++i)
      sum.add_binary(group.first + i);
  }
  return sum.total();
}

}  // namespace deepgen
