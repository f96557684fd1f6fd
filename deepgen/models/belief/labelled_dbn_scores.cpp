// Scores, samples and codes of the deep belief network with labels.
#include "deepgen/models/belief/labelled_dbn.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {
namespace {

constexpr std::int64_t labelled_draws_at_once = 2000;

// log p(x) of units with the activations a, row by row: [B] float64.
Tensor log_density_at(const UnitLayer& layer, const Tensor& x, const Tensor& a) {
  return layer.log_weight(x, a, {}) - layer.log_partition(a, {});
}

}  // namespace

// ---------------------------------------------------------------- scores

// log exp(-F) prod_l p(h_l-1 | h_l) / q(h_l | h_l-1) of `draws` draws from q for each row: [B, draws].
Tensor LabelledDbn::log_weights(const Tensor& x, std::int64_t draws, Rng& rng) const {
  Tensor below = x, sum = at::zeros({x.size(0) * draws}, at::kDouble);
  for (std::size_t l = 0; l < levels(); ++l) {
    const Rbm& rbm = machine(l);
    Tensor up, down;
    rbm.coupling().input_to_upper(up, below);
    up.add_(rbm.hidden_bias);
    if (l == 0) up = up.repeat_interleave(draws, 0), below = below.repeat_interleave(draws, 0);
    const Tensor above = rbm.hidden_layer().sample(up, {}, rng);
    DenseCoupling(generative_weights(l)).input_to_lower(down, above);
    sum += log_density_at(rbm.visible_layer(), below, down.add_(rbm.visible_bias));
    sum -= log_density_at(rbm.hidden_layer(), above, up);
    below = above;
  }
  const Tensor energy = top_->free_energy(below);
  if (levels() == 0) return -energy.unsqueeze(1).expand({-1, draws});
  return (sum - energy).view({-1, draws});
}

Tensor LabelledDbn::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  return bound_in_pieces("labelled_dbn", rows.size(), samples, labelled_draws_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           return log_weights(rows.x.narrow(0, first, count), draws, rng);
                         });
}

// ---------------------------------------------------------------- samples

Tensor LabelledDbn::states_of(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor h = x;
  for (const auto& machine : machines_) h = machine->sample_h_given_v(h, rng);
  return h;
}

Tensor LabelledDbn::cases_of(const Tensor& states, bool means, Rng& rng) const {
  NoGradGuard no_graph;
  if (levels() == 0) return means ? top_->chain_mean(states, rng) : states;
  Tensor h = states;
  for (std::size_t l = levels(); l > 0; --l) h = layer_below(l - 1, h, means && l == 1, rng);
  return h;
}

Tensor LabelledDbn::cases_given(const Tensor& y, std::int64_t steps, bool means, Rng& rng) const {
  NoGradGuard no_graph;
  const std::int64_t count = y.size(0), columns = top_->columns();
  check_labels(y, count, classes(), "labelled_dbn");
  const Tensor start = top_->joint_rows(top_->chain_start(count, rng), y);
  const Tensor held =
      at::cat({at::zeros({count, columns}, at::kBool), at::ones({count, classes()}, at::kBool)}, 1);
  const Tensor end = top_->joint().clamped_steps(start, steps, held, rng);
  if (levels() == 0 && means) return top_->joint().chain_mean(end, rng).narrow(1, 0, columns).contiguous();
  return cases_of(end.narrow(1, 0, columns).contiguous(), means, rng);
}

// ---------------------------------------------------------------- codes

Tensor LabelledDbn::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  return top_->encode(top_means(rows.x));
}

Tensor LabelledDbn::decode(const Rows& codes) const {
  NoGradGuard no_graph;
  Rng unused(0);
  Tensor h = top_->joint().mean_v_given_h(codes.x).narrow(1, 0, top_->columns()).contiguous();
  for (std::size_t l = levels(); l > 0; --l) h = layer_below(l - 1, h, true, unused);
  return h;
}

}  // namespace deepgen
