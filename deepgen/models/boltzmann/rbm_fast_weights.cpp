// Fast weights of the restricted Boltzmann machine (parts/couplings/fast_weights.h): training.learning=fpcd.
//
// The chains of pcd move under
//
//   W + W_fast,  b + b_fast,  c + c_fast
//
// and so cross between modes while the machine's own rate is small. Variances have no fast part, and what
// sparsity pulls at does not go into it. The fast parts are buffers; no score, sample or code sees them.
#include "deepgen/models/boltzmann/rbm_training.h"
#include "deepgen/parts/couplings/fast_weights.h"

namespace deepgen {

LevelMachine RbmStep::chain_machine() {
  if (!rbm_.fast_weights.defined()) return {rbm_.coupling(), natural_, rbm_.hidden_natural()};
  if (!w_.driven.defined()) w_.driven = at::empty_like(rbm_.weights);
  at::add_out(w_.driven, rbm_.weights, rbm_.fast_weights);
  NaturalParameters visible = natural_;
  const Tensor& gamma = natural_.gamma;
  visible.theta =
      natural_.theta + (gamma.defined() ? rbm_.fast_visible_bias * gamma : rbm_.fast_visible_bias);
  return {DenseCoupling(w_.driven), visible, {rbm_.hidden_bias + rbm_.fast_hidden_bias, {}, {}}};
}

void RbmStep::learn_fast_weights() {
  const double rate = rbm_.learning_.fast_rate;
  learn_fast(rbm_.fast_weights, dw_, rate);
  learn_fast(rbm_.fast_visible_bias, rbm_.visible_bias.grad(), rate);
  learn_fast(rbm_.fast_hidden_bias, dh_, rate);
}

}  // namespace deepgen
