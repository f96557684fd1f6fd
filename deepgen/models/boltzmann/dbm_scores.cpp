// Scores of the deep Boltzmann machine: the mean field, its bound, importance weights, log Z.
#include <limits>

#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/enumeration.h"
#include "deepgen/parts/couplings/dense_coupling.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {

// ---------------------------------------------------------------- mean field

DbmMeanField Dbm::mean_field(const Tensor& x) const {
  return mean_field(x, options_.mean_field_steps, options_.tolerance);
}

// What the cases send to layer 1 stays the same throughout.
DbmMeanField Dbm::mean_field(const Tensor& x, std::int64_t most_steps, double tolerance) const {
  torch::NoGradGuard no_graph;
  DbmMeanField q;
  q.means.resize(layers());
  q.means[0] = x;
  for (std::size_t l = 1; l < layers(); ++l) q.means[l] = means[l].expand({x.size(0), units(l)}).contiguous();
  if (x.size(0) == 0) return q;
  Tensor from_cases;
  DenseCoupling(weights[0]).input_to_upper(from_cases, x.contiguous());
  // A row that has settled stays as it is, so that what is said of it does not hang on the rows beside it.
  Tensor settled = at::zeros({x.size(0), 1}, at::kBool), furthest;
  auto move = [&](std::size_t l) {
    Tensor next = l == 1 ? from_cases.clone() : input_of(l, q.means);
    if (l == 1) DenseCoupling(weights[1]).input_to_lower(next, q.means[2], true);
    binary_layer(next, biases[l], 1, Rng(0).next(), {.mean = next});
    furthest = at::maximum(furthest, (next - q.means[l]).abs().amax(1, true));
    q.means[l] = at::where(settled, q.means[l], next);
  };
  for (; q.steps < most_steps && !settled.all().item<bool>(); ++q.steps) {
    furthest = at::zeros({x.size(0), 1});
    for (const std::size_t first : {std::size_t{1}, std::size_t{2}})  // odd layers, then even ones
      for (std::size_t l = first; l < layers(); l += 2) move(l);
    settled = settled.logical_or(furthest <= tolerance);
  }
  return q;
}

Tensor Dbm::mean_field_bound(const DbmLayers& s) const {
  torch::NoGradGuard no_graph;
  Tensor sum = at::zeros({s[0].size(0)}, at::kDouble);
  for (std::size_t l = 0; l < layers(); ++l) {
    const Tensor mu = s[l].to(at::kDouble);
    Tensor slope = biases[l].to(at::kDouble).expand_as(mu);
    if (l + 1 < layers()) {
      Tensor from_above;
      DenseCoupling(weights[l]).input_to_lower(from_above, s[l + 1]);
      slope = slope + from_above;
    }
    sum += (mu * slope).sum(1);
    if (l > 0) sum -= (at::xlogy(mu, mu) + at::xlogy(1 - mu, 1 - mu)).sum(1);
  }
  return sum;
}

// ---------------------------------------------------------------- importance weights

// log p*(x, d) - log q(d) of `draws` draws for each row, [B, draws]; inputs: what the drawn layers receive
// from the mean field, [B, n_l].
Tensor Dbm::log_weights(const Tensor& x, const DbmLayers& inputs, std::int64_t draws, Rng& rng) const {
  DbmLayers s(layers());
  s[0] = x.repeat_interleave(draws, 0);
  Tensor log_q = at::zeros({s[0].size(0)}, at::kDouble);
  for (std::size_t l = 1; l < layers(); ++l) {
    if (!inputs[l].defined()) continue;
    const Tensor input = inputs[l].repeat_interleave(draws, 0);
    s[l] = at::empty_like(input);
    binary_layer(input, biases[l], 1, rng.next(), {.sample = s[l]});
    const Tensor activation = input.to(at::kDouble) + biases[l].to(at::kDouble);
    log_q += (s[l].to(at::kDouble) * activation).sum(1) - softplus_row_sum(input, biases[l]);
  }
  return (log_sum_over(1 - drawn_, s) - log_q).view({-1, draws});
}

Tensor Dbm::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  constexpr std::int64_t draws_at_once = 2000;
  torch::NoGradGuard no_graph;
  std::int64_t begun = -1;
  Tensor x;
  DbmLayers inputs(layers());
  return bound_in_pieces("dbm", rows.size(), samples, draws_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           if (first != begun) {
                             x = rows.x.narrow(0, first, count).contiguous();
                             const DbmLayers q = mean_field(x).means;
                             for (std::size_t l = drawn_ == 1 ? 1 : 2; l < layers(); l += 2)
                               inputs[l] = input_of(l, q);
                             begun = first;
                           }
                           return log_weights(x, inputs, draws, rng);
                         });
}

// ---------------------------------------------------------------- enumeration

std::optional<Tensor> Dbm::exact_log_unnormalised(const Tensor& x) const {
  torch::NoGradGuard no_graph;
  const std::int64_t n = half_units(drawn_, 1);
  if (n > exact_hidden) return std::nullopt;
  const Tensor states = binary_states(0, std::int64_t{1} << n, n);
  Tensor result = at::empty({x.size(0)}, at::kDouble);
  for (std::int64_t r = 0; r < x.size(0); ++r)
    result[r] = at::logsumexp(log_sum_over(1 - drawn_, of_case(x[r], states)), 0);
  return result;
}

std::optional<double> Dbm::exact_log_partition() const {
  torch::NoGradGuard no_graph;
  const std::int64_t n = half_units(kept_, 0);
  if (n > enumerable_units) return std::nullopt;
  LogSumExp total;
  for_each_block_of_states(n, half_units(1 - kept_, 0), [&](std::int64_t, const Tensor& states) {
    total.add(log_sum_over(1 - kept_, split_half(states, kept_, 0)));
  });
  return total.value();
}

}  // namespace deepgen
