// Scores, samples and codes of the deep belief network.
#include "deepgen/models/belief/dbn.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {
namespace {

constexpr std::int64_t dbn_draws_at_once = 2000;

// log p(x) of a layer that receives `input` [B, N], row by row: [B] float64.
Tensor log_density(const UnitLayer& layer, const Tensor& x, const Tensor& input, const NaturalParameters& p) {
  const Tensor a = p.couple.defined() ? at::addcmul(p.theta, input, p.couple) : input + p.theta;
  return layer.log_weight(x, a, p.gamma) - layer.log_partition(a, p.gamma);
}

}  // namespace

// ---------------------------------------------------------------- scores

// log exp(-F) prod_l p(h_l-1 | h_l) / q(h_l | h_l-1) of `draws` draws from q for each row: [B, draws].
Tensor Dbn::log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const {
  const std::size_t levels = depth() - 1;
  Tensor below = x, sum = at::zeros({x.size(0) * draws}, at::kDouble);
  for (std::size_t l = 0; l < levels; ++l) {
    const Rbm& rbm = machine(l);
    Tensor up, down;
    rbm.coupling().input_to_upper(up, rbm.coupled(below));
    if (l == 0) up = up.repeat_interleave(draws, 0), below = below.repeat_interleave(draws, 0);
    const Tensor above = rbm.hidden_layer().sample(up + rbm.hidden_bias, {}, rng);
    rbm.coupling().input_to_lower(down, above);
    sum += log_density(rbm.visible_layer(), below, down, rbm.visible_natural());
    sum -= log_density(rbm.hidden_layer(), above, up, rbm.hidden_natural());
    below = above;
  }
  const Tensor energy = top().free_energy(below);
  if (levels == 0) return -energy.unsqueeze(1).expand({-1, draws});
  return (sum - energy).view({-1, draws});
}

Tensor Dbn::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  torch::NoGradGuard no_graph;
  return bound_in_pieces("dbn", rows.size(), samples, dbn_draws_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           return log_weights(rows.x.narrow(0, first, count), draws, rng);
                         });
}

// ---------------------------------------------------------------- samples

Tensor Dbn::states_of(const Tensor& x, Rng& rng) const {
  torch::NoGradGuard no_graph;
  Tensor h = x;
  for (std::size_t l = 0; l + 1 < depth(); ++l) h = machine(l).sample_h_given_v(h, rng);
  return h;
}

Tensor Dbn::cases_of(const Tensor& states, bool means, Rng& rng) const {
  torch::NoGradGuard no_graph;
  if (depth() == 1) return means ? top().chain_mean(states, rng) : states;
  Tensor h = states;
  for (std::size_t l = depth() - 2; l > 0; --l) h = machine(l).sample_v_given_h(h, rng);
  return means ? machine(0).mean_v_given_h(h) : machine(0).sample_v_given_h(h, rng);
}

// ---------------------------------------------------------------- codes

Tensor Dbn::encode(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  Tensor h = rows.x;
  for (std::size_t l = 0; l + 1 < depth(); ++l) h = machine(l).mean_h_given_v(h);
  return top().encode(h);
}

Tensor Dbn::decode(const Rows& codes) const {
  torch::NoGradGuard no_graph;
  Tensor h = codes.x;
  for (std::size_t l = depth(); l > 0; --l) h = machine(l - 1).mean_v_given_h(h);
  return h;
}

}  // namespace deepgen
