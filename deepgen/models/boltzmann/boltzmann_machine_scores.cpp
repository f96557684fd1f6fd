// Scores of the general Boltzmann machine: sums over hidden states, free energies, log Z, pseudo-likelihood.
#include <algorithm>
#include <vector>

#include "deepgen/models/boltzmann/boltzmann_machine.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {
namespace {

// s'W s / 2 + b's of each row of s [B, n], float64.
Tensor quadratic_form(const Tensor& states, const Tensor& weights, const Tensor& bias) {
  Tensor halves = at::empty(states.sizes(), at::kDouble);
  multiply64(halves, states, weights, 0.5);
  return halves.add_(bias).mul_(states).sum(1);
}

}  // namespace

// ---------------------------------------------------------------- sums over hidden states

void BoltzmannMachine::for_each_hidden_block(const Tensor& input, double beta, const HiddenBody& body) const {
  const Tensor among = block_of_weights(true, true), bias = hidden_bias().to(at::kDouble);
  const std::int64_t rows = input.size(0);
  for_each_block_of_states(hidden(), std::max(rows, hidden()), [&](std::int64_t first, const Tensor& states) {
    Tensor exponents = quadratic_form(states, among, bias).repeat({rows, 1});
    multiply64(exponents, input, states.t(), beta, beta);
    body(first, states, exponents);
  });
}

Tensor BoltzmannMachine::log_hidden_sum(const Tensor& input, double beta) const {
  if (hidden() == 0) return at::zeros({input.size(0)}, at::kDouble);
  std::vector<Tensor> sums;
  for_each_hidden_block(input, beta, [&](std::int64_t, const Tensor&, const Tensor& exponents) {
    sums.push_back(at::logsumexp(exponents, 1));
  });
  return at::logsumexp(at::stack(sums, 1), 1);
}

// The number of the state is how many cumulative probabilities do not exceed u.
Tensor BoltzmannMachine::sample_hidden(const Tensor& input, double beta, Rng& rng) const {
  const std::int64_t rows = input.size(0);
  if (hidden() == 0) return at::empty({rows, 0});
  const Tensor log_total = log_hidden_sum(input, beta).unsqueeze(1);
  const Tensor u = uniform(rows, 1, rng.next()).to(at::kDouble);
  Tensor passed = at::zeros({rows, 1}, at::kDouble), number = at::zeros({rows}, at::kLong);
  for_each_hidden_block(input, beta, [&](std::int64_t, const Tensor& states, const Tensor& exponents) {
    const Tensor cumulative = (exponents - log_total).exp().cumsum(1) + passed;
    number.add_(at::le(cumulative, u).sum(1));
    passed = cumulative.narrow(1, states.size(0) - 1, 1).clone();
  });
  number.clamp_max_((std::int64_t{1} << hidden()) - 1);  // when rounding leaves none
  const Tensor bits = at::bitwise_right_shift(number.unsqueeze(1), at::arange(hidden(), at::kLong));
  return bits.bitwise_and(1).to(at::kFloat);
}

Tensor BoltzmannMachine::hidden_input(const Tensor& x) const {
  Tensor input = at::empty({x.size(0), hidden()}, at::kDouble);
  if (hidden() > 0) multiply64(input, x.to(at::kDouble).contiguous(), block_of_weights(false, true));
  return input;
}

// ---------------------------------------------------------------- energies

Tensor BoltzmannMachine::log_joint(const Tensor& states) const {
  return quadratic_form(states, weights().to(at::kDouble), biases.to(at::kDouble));
}

Tensor BoltzmannMachine::visible_part(const Tensor& x) const {
  return quadratic_form(x.to(at::kDouble).contiguous(), block_of_weights(false, false),
                        visible_bias().to(at::kDouble));
}

Tensor BoltzmannMachine::free_energy(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  return -(visible_part(rows.x) + log_hidden_sum(hidden_input(rows.x)));
}

Tensor completions_of(const Tensor& x) {
  const Tensor gaps = x.isnan().nonzero().squeeze(1);
  const std::int64_t count = gaps.size(0), states = std::int64_t{1} << count;
  Tensor rows = x.repeat({states, 1});
  if (count > 0) rows.index_copy_(1, gaps, binary_states(0, states, count).to(at::kFloat));
  return rows;
}

// Up to 20 units whatever is missing, so that rows of one set are scored alike.
std::optional<Tensor> BoltzmannMachine::marginal_free_energy(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  if (!rows.x.isnan().any().item<bool>()) return free_energy(rows);
  if (units() > exact_units) return std::nullopt;
  Tensor result = at::empty({rows.size()}, at::kDouble);
  for (std::int64_t r = 0; r < rows.size(); ++r)
    result[r] = -at::logsumexp(-free_energy(completions_of(rows.x[r])), 0);
  return result;
}

// ---------------------------------------------------------------- sums over all states

std::optional<double> BoltzmannMachine::exact_log_partition() const {
  torch::NoGradGuard no_graph;
  if (units() > enumerable_units) return std::nullopt;
  LogSumExp total;
  for_each_block_of_states(units(), units(),
                           [&](std::int64_t, const Tensor& states) { total.add(log_joint(states)); });
  return total.value();
}

Tensor BoltzmannMachine::model_moments() const {
  const double log_z = *exact_log_partition();
  Tensor moments = at::zeros({units(), units()}, at::kDouble);
  for_each_block_of_states(units(), units(), [&](std::int64_t, const Tensor& states) {
    const Tensor p = (log_joint(states) - log_z).exp();
    multiply64(moments, states.t(), states * p.unsqueeze(1), 1, 1);
  });
  return moments;
}

// ---------------------------------------------------------------- pseudo-likelihood

// log p(x_i | x_-i) = -softplus(log p*(x with unit i flipped) - log p*(x)).
std::optional<Tensor> BoltzmannMachine::pseudo_log_likelihood(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  if (hidden() > summed_hidden) return std::nullopt;
  const Tensor x = rows.x.to(at::kDouble).contiguous();
  Tensor gains = visible_bias().to(at::kDouble).repeat({x.size(0), 1});
  multiply64(gains, x, block_of_weights(false, false), 1, 1);
  const Tensor signs = 1 - 2 * x;
  gains.mul_(signs);  // of the visible part alone
  if (hidden() > 0) {
    const Tensor across = block_of_weights(false, true), input = hidden_input(rows.x);
    const Tensor now = log_hidden_sum(input);
    for (std::int64_t i = 0; i < visible(); ++i)
      gains.select(1, i).add_(log_hidden_sum(at::addr(input, signs.select(1, i), across[i])) - now);
  }
  return -softplus_row_sum64(gains);
}

}  // namespace deepgen
