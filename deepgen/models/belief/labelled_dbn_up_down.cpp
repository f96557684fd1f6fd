// Up-down learning of the deep belief network with labels: a pass up, some steps of the uppermost machine, a
// pass down, and the gradients that these states make.
#include "deepgen/models/belief/labelled_dbn.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

Tensor up_down_gradient(const Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  return parameter.mutable_grad();
}

double share_of_states(const Tensor& rows) { return 1.0 / static_cast<double>(rows.size(0)); }

}  // namespace

// ---------------------------------------------------------------- states

// A draw of layer l given the one above it, or its means.
Tensor LabelledDbn::layer_below(std::size_t l, const Tensor& above, bool mean, Rng& rng) const {
  const Rbm& rbm = machine(l);
  Tensor h;
  DenseCoupling(generative_weights(l)).input_to_lower(h, above);
  const LayerOutputs wanted = mean ? LayerOutputs{.mean = h} : LayerOutputs{.sample = h};
  rbm.visible_layer().activate(h, rbm.visible_natural(), 1, rng, wanted);
  return h;
}

// [h, e_y], a label drawn where it is unknown.
Tensor LabelledDbn::top_rows(const Tensor& h, const Tensor& y, Rng& rng) const {
  if (!y.defined()) return top_->drawn_joint_rows(h, rng);
  const Tensor rows = top_->joint_rows(h, y);
  if ((y >= 0).all().item<bool>()) return rows;
  return at::where(rows.isnan(), top_->drawn_joint_rows(h, rng), rows);
}

UpDownStates LabelledDbn::draw_up_down(const Rows& batch, std::int64_t steps, Rng& rng) const {
  NoGradGuard no_graph;
  UpDownStates states;
  states.wake.push_back(batch.x);
  for (std::size_t l = 0; l < levels(); ++l)
    states.wake.push_back(machine(l).sample_h_given_v(states.wake.back(), rng));
  states.chain_start = top_rows(states.wake.back(), batch.y, rng);
  states.chain_end = top_->joint().chain_steps(states.chain_start, steps, rng);
  states.sleep.resize(levels() + 1);
  states.sleep.back() = states.chain_end.narrow(1, 0, top_->columns()).contiguous();
  const bool means_of_bits = options_.visible_units == "expected_bits";
  for (std::size_t l = levels(); l > 0; --l)
    states.sleep[l - 1] = layer_below(l - 1, states.sleep[l], means_of_bits && l == 1, rng);
  return states;
}

// ---------------------------------------------------------------- gradients

void LabelledDbn::follow_up_down(const UpDownStates& states) {
  NoGradGuard no_graph;
  for (std::size_t l = 0; l < levels(); ++l) {
    follow_wake(l, states.wake[l], states.wake[l + 1]);
    follow_sleep(l, states.sleep[l], states.sleep[l + 1]);
  }
  follow_chain(states.chain_start, states.chain_end);
}

// Of the mean of -log p(below | above).
void LabelledDbn::follow_wake(std::size_t l, const Tensor& below, const Tensor& above) {
  Rng unused(0);
  const Tensor& weights = generative_weights(l);
  const Tensor residual = below - layer_below(l, above, true, unused);
  Tensor dw = up_down_gradient(weights), db = up_down_gradient(machine(l).visible_bias);
  DenseCoupling(weights).add_products(dw, residual, above, -share_of_states(below), 0);
  column_sums(residual, -share_of_states(below), false, db);
}

// Of the mean of -log q(above | below).
void LabelledDbn::follow_sleep(std::size_t l, const Tensor& below, const Tensor& above) {
  const Rbm& rbm = machine(l);
  const Tensor residual = above - rbm.mean_h_given_v(below);
  Tensor dw = up_down_gradient(rbm.weights), dc = up_down_gradient(rbm.hidden_bias);
  rbm.coupling().add_products(dw, below, residual, -share_of_states(below), 0);
  column_sums(residual, -share_of_states(below), false, dc);
}

// Of the mean of F at the start of the chain less that at its end, F of the pairs (h_L-1, y).
void LabelledDbn::follow_chain(const Tensor& start, const Tensor& end) {
  const Rbm& joint = top_->joint();
  const double share = share_of_states(start);
  Tensor dw = up_down_gradient(joint.weights), db = up_down_gradient(joint.visible_bias),
         dc = up_down_gradient(joint.hidden_bias);
  auto add = [&](const Tensor& v, double factor, bool to_first) {
    const Tensor h = joint.mean_h_given_v(v);
    joint.coupling().add_products(dw, v, h, factor, to_first ? 1 : 0);
    column_sums(v, factor, to_first, db);
    column_sums(h, factor, to_first, dc);
  };
  add(start, -share, false);
  add(end, share, true);
}

}  // namespace deepgen
