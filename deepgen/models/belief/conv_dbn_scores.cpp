// Scores, samples, codes and filters of the convolutional deep belief network.
#include <cmath>

#include "deepgen/models/belief/conv_dbn.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/picture_layers.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {
namespace {

constexpr std::int64_t conv_dbn_draws_at_once = 500;

// Sum over all but the first dimension, [B] float64.
Tensor sum_of_rows(const Tensor& x) { return x.flatten(1).sum(1, false, at::kDouble); }

}  // namespace

// ---------------------------------------------------------------- scores

// log exp(-F) prod_l p(s_l-1 | h_l) p(h_l | s_l) / q(h_l | s_l-1) of `draws` draws for each row: [B, draws].
Tensor ConvDbn::log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const {
  const std::size_t levels = depth() - 1;
  Tensor below = x, sum = at::zeros({x.size(0) * draws}, at::kDouble);
  for (std::size_t l = 0; l < levels; ++l) {
    const ConvRbm& rbm = machine(l);
    Tensor a = rbm.hidden_activation(below), log_q = -rbm.blocks().log_sums(a);
    if (l == 0) {
      a = a.repeat_interleave(draws, 0), below = below.repeat_interleave(draws, 0);
      log_q = log_q.repeat_interleave(draws, 0);
    }
    const Tensor h = rbm.blocks().sample(a, rng);
    log_q = log_q + sum_of_rows(h * a);
    const double choices = std::log(static_cast<double>(rbm.blocks().block_units()));
    sum = sum + rbm.log_prob_v_given_h(below, h) - sum_of_rows(h) * choices - log_q;
    below = rbm.pooled_rows(h);
  }
  const Tensor energy = top().free_energy(below);
  if (levels == 0) return -energy.unsqueeze(1).expand({-1, draws});
  return (sum - energy).view({-1, draws});
}

Tensor ConvDbn::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  return bound_in_pieces("conv_dbn", rows.size(), samples, conv_dbn_draws_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           return log_weights(rows.x.narrow(0, first, count), draws, rng);
                         });
}

// ---------------------------------------------------------------- samples

Tensor ConvDbn::states_of(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor s = x;
  for (std::size_t l = 0; l + 1 < depth(); ++l) s = machine(l).pooled_sample(s, rng);
  return s;
}

// The unit of each block is drawn by the largest of uniform numbers, all units being alike; equal ones are as rare
// as 2^-24, and the first counts.
Tensor ConvDbn::unpooled(const Tensor& pooled, std::size_t l, Rng* rng) const {
  const PoolingBlocks& blocks = machine(l).blocks();
  const Tensor on = blocks.spread(to_pictures(pooled.contiguous(), machine(l).pooled_picture()));
  if (!rng) return on / static_cast<double>(blocks.block_units());
  if (blocks.block_units() == 1) return on;
  const Tensor u = uniform(on.size(0), blocks.units(), rng->next()).view(on.sizes());
  const Tensor cells = blocks.cells_of(u);
  const Tensor chosen = at::zeros_like(cells).scatter_(2, cells.argmax(2, true), 1.0);
  return on * blocks.maps_of(chosen);
}

Tensor ConvDbn::cases_of(const Tensor& states, bool means, Rng& rng) const {
  NoGradGuard no_graph;
  if (depth() == 1) return means ? top().chain_mean(states, rng) : states;
  Tensor s = states;
  for (std::size_t l = depth() - 1; l > 1; --l)
    s = machine(l - 1).sample_v_given_h(unpooled(s, l - 1, &rng), rng);
  const Tensor h = unpooled(s, 0, &rng);
  return means ? machine(0).mean_v_given_h(h) : machine(0).sample_v_given_h(h, rng);
}

// ---------------------------------------------------------------- codes

Tensor ConvDbn::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  std::vector<Tensor> codes;
  Tensor s = rows.x;
  for (std::size_t l = 0; l < depth(); ++l) codes.push_back(s = machine(l).pooled_mean(s));
  return at::cat(codes, 1);
}

Tensor ConvDbn::filters() const {
  NoGradGuard no_graph;
  std::vector<Tensor> all;
  for (std::size_t l = 0; l < depth(); ++l) {
    Tensor weights = machine(l).filters();  // on the pooling units below
    for (std::size_t below = l; below > 0; --below)
      weights = machine(below - 1).visible_input(unpooled(weights, below - 1, nullptr));
    all.push_back(weights);
  }
  return at::cat(all);
}

}  // namespace deepgen
