// Exact learning of the restricted Boltzmann machine: every state of a binary layer, the other summed out.
#include "deepgen/models/boltzmann/rbm_training.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {

// Plus the exact means under the model.
void RbmStep::exact_phase() {
  const double log_z = *rbm_.exact_log_partition();
  const bool by_hidden = rbm_.enumerates_hidden();
  const Tensor w = rbm_.weights, theta = natural_.theta, c = rbm_.hidden_bias;
  const Tensor wide = (by_hidden ? w.t() : w).to(at::kDouble);  // [small, large]
  const Tensor couple =
      natural_.couple.defined() ? natural_.couple.to(at::kDouble) : at::ones({rbm_.visible()}, at::kDouble);
  const Tensor small_bias = (by_hidden ? c : theta).to(at::kDouble);
  const Tensor large_bias = (by_hidden ? theta : c).to(at::kDouble);
  const UnitLayer& large = by_hidden ? rbm_.visible_units_ : rbm_.hidden_units_;
  const Tensor gamma = by_hidden ? natural_.gamma : Tensor();
  Tensor both = at::zeros(wide.sizes(), at::kDouble), small_mean = at::zeros_like(small_bias),
         large_mean = at::zeros_like(large_bias);
  for_each_block_of_states(wide.size(0), wide.size(1), [&](std::int64_t, const Tensor& states) {
    Tensor input = at::empty({states.size(0), wide.size(1)}, at::kDouble);
    multiply64(input, states, wide);
    if (by_hidden) input = input * couple;
    const Tensor a = input + large_bias;
    const Tensor summed = large.all(UnitKind::binary) ? softplus_row_sum64(a) : large.log_partition(a, gamma);
    const Tensor prob = (states.mv(small_bias) + summed - log_z).exp();
    const Tensor weighted = states * prob.unsqueeze(1);
    Tensor mean = large.mean(a, gamma);
    if (by_hidden) mean = mean * couple;
    multiply64(both, weighted.t(), mean, 1, 1);
    small_mean.add_(weighted.sum(0));
    large_mean.add_(mean.t().mv(prob));
  });
  if (by_hidden)
    add_exact_means(both.t(), large_mean, small_mean);
  else
    add_exact_means(both, small_mean, large_mean);
}

// <y h> [V, H], <y> [V] and <h> [H] under the model, float64.
void RbmStep::add_exact_means(Tensor yh, const Tensor& y, Tensor h) {
  if (dz_data_.defined()) h_model_ = h.to(at::kFloat);
  w_.dy.add_(y.to(at::kFloat));
  if (centred()) {  // <(y - mu)(h - lambda)> = <y h> - mu <h> - (<y> - mu) lambda
    const Tensor lambda = rbm_.hidden_offset.to(at::kDouble);
    Tensor mu = rbm_.visible_offset.to(at::kDouble);
    if (natural_.couple.defined()) mu = mu * natural_.couple.to(at::kDouble);
    yh = yh - at::outer(mu, h) - at::outer(y - mu, lambda);
    if (brake_.defined()) yh = yh * brake_.to(at::kDouble).unsqueeze(1);
    w_.centring.dw_lambda().add_(yh.mv(lambda).to(at::kFloat));
    h = h - yh.t().mv(mu);
  }
  dw_.add_(yh.to(at::kFloat));
  dh_.add_(h.to(at::kFloat));
}

}  // namespace deepgen
