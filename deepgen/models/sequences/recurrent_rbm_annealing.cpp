// How rows are drawn and scored where neither layer can be enumerated.
#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/interruption.h"
#include "deepgen/models/sequences/recurrent_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {
namespace {

constexpr std::int64_t chains_at_once = 2000;
constexpr int mean_field_rounds = 10;

// The rows first .. first + count - 1, each for `draws` chains.
Tensor chains_of(const Tensor& each, std::int64_t first, std::int64_t count, std::int64_t draws) {
  return each.narrow(0, first, count).repeat_interleave(draws, 0);
}

}  // namespace

// The way from independent bits to the machine of each row.
struct RecurrentRbm::Annealed {
  Tensor base, own;  // b0 and b of each row, [B, D]
  Tensor log_base;   // log Z at temperature 0, [B] float64
  Tensor no_bias;    // [H] of zeros
};

RecurrentRbm::Annealed RecurrentRbm::annealed(const RowBiases& biases) const {
  Annealed path{biases.visible, biases.visible, {}, at::zeros({weights.size(1)})};
  for (int round = 0; round < mean_field_rounds; ++round) {
    const Tensor x = visible_.mean(path.base, {});
    path.base = visible_input(hidden_.mean(hidden_input(x).add_(biases.hidden), {})).add_(biases.visible);
  }
  path.log_base =
      visible_.log_partition(path.base, {}) + static_cast<double>(weights.size(1)) * std::log(2.0);
  return path;
}

// p_beta(x | h)
Tensor RecurrentRbm::visible_draw(const Tensor& h, const Annealed& path, double beta, Rng& rng) const {
  Tensor x = at::empty_like(path.own);
  const NaturalParameters at_beta{at::lerp(path.base, path.own, beta), {}, {}};
  visible_.activate(visible_input(h), at_beta, beta, rng, {.sample = x});
  return x;
}

// log w of the header, one chain a row.
Tensor RecurrentRbm::annealed_log_weights(const Tensor& x, const RowBiases& biases, Rng& rng) const {
  const Annealed path = annealed(biases);
  const Tensor rise = path.own - path.base;
  const auto steps = static_cast<double>(plan().temperatures);
  Tensor log_weight = minus_free_energy(x, biases) - path.log_base;
  Tensor h = at::empty_like(biases.hidden);
  binary_layer(hidden_input(x).add_(biases.hidden), path.no_bias, 1, rng.next(), {.sample = h});
  for (std::int64_t k = plan().temperatures; k > 0; --k) {
    interruption_point();
    const double beta = static_cast<double>(k) / steps, to = static_cast<double>(k - 1) / steps;
    const Tensor at_k = visible_draw(h, path, beta, rng);
    log_weight.add_(row_dots(at_k, rise).to(at::kDouble), to - beta);
    anneal_layer(hidden_input(at_k).add_(biases.hidden), path.no_bias, beta, to, rng.next(), log_weight, h);
  }
  return log_weight;
}

// One row for each of the biases; where they are wanted also the weights whose mean is Z of the row, as logarithms.
Tensor RecurrentRbm::annealed_rows(const RowBiases& biases, Rng& rng, Tensor* log_weights) const {
  const Annealed path = annealed(biases);
  const Tensor rise = path.own - path.base;
  const auto steps = static_cast<double>(plan().temperatures);
  if (log_weights) *log_weights = path.log_base.clone();
  Tensor x = visible_.sample(path.base, {}, rng), h = at::empty_like(biases.hidden);
  for (std::int64_t k = 1; k <= plan().temperatures; ++k) {
    interruption_point();
    const double from = static_cast<double>(k - 1) / steps, beta = static_cast<double>(k) / steps;
    const Tensor input = hidden_input(x).add_(biases.hidden);
    if (log_weights) {
      log_weights->add_(row_dots(x, rise).to(at::kDouble), beta - from);
      anneal_layer(input, path.no_bias, from, beta, rng.next(), *log_weights, h);
    } else {
      binary_layer(input, path.no_bias, beta, rng.next(), {.sample = h});
    }
    x = visible_draw(h, path, beta, rng);
  }
  return x;
}

Tensor RecurrentRbm::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  const RowBiases all = biases_of(rows);
  return bound_in_pieces("log_prob_bound", rows.size(),
                         is_exact() ? std::min<std::int64_t>(samples, 1) : samples, chains_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           const Tensor x = chains_of(rows.x, first, count, draws);
                           const RowBiases biases{chains_of(all.visible, first, count, draws),
                                                  chains_of(all.hidden, first, count, draws)};
                           const Tensor values = is_exact() ? exact_log_prob_of(x, biases)
                                                            : annealed_log_weights(x, biases, rng);
                           return values.view({count, draws});
                         });
}

std::vector<ExtraScore> RecurrentRbm::extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const {
  if (is_exact()) return {};
  NoGradGuard no_graph;
  const RowBiases all = biases_of(rows);
  const Tensor log_z = bound_in_pieces("extra_scores", rows.size(), samples, chains_at_once,
                                       [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                                         Tensor log_weights;
                                         const RowBiases biases{chains_of(all.visible, first, count, draws),
                                                                chains_of(all.hidden, first, count, draws)};
                                         annealed_rows(biases, rng, &log_weights);
                                         return log_weights.view({count, draws});
                                       });
  return {
      {"log_prob_annealed", ScoreKind::estimate, minus_free_energy(rows.x, all) - log_z,
       fmt::format("log Z of each row from {} annealed chain{} of {} temperatures, too low on average: so "
                   "this is too high on average, and no bound",
                   samples, samples == 1 ? "" : "s", plan().temperatures)}};
}

}  // namespace deepgen
