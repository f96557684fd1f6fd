#include "deepgen/models/sequences/recurrent_model.h"

#include "deepgen/core/interruption.h"
#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen {

RecurrentModel::RecurrentModel(std::string name, const DataShape& data)
    : name_(std::move(name)), units_(UnitLayer::of(UnitKind::binary, data.columns)) {}

void RecurrentModel::register_biases(std::int64_t hidden, std::int64_t recurrent) {
  visible_bias = register_parameter("b", at::zeros({units_.size()}));
  hidden_bias = register_parameter("c", at::zeros({hidden}));
  to_visible = register_parameter("to_visible", at::zeros({recurrent, units_.size()}));
  to_hidden = register_parameter("to_hidden", at::zeros({recurrent, hidden}));
}

void RecurrentModel::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, name_, what, first_row);
  refuse_missing(x, name_, what, first_row);
}

RecurrentModel::RowBiases RecurrentModel::biases_after(const Tensor& states) const {
  NoGradGuard no_graph;
  RowBiases biases{at::empty({states.size(0), visible_bias.size(0)}),
                   at::empty({states.size(0), hidden_bias.size(0)})};
  multiply(biases.visible, states, to_visible);
  multiply(biases.hidden, states, to_hidden);
  biases.visible.add_(visible_bias), biases.hidden.add_(hidden_bias);
  return biases;
}

RecurrentModel::RowBiases RecurrentModel::biases_of(const Rows& rows) const {
  const PackedSequences packed = pack_sequences(rows.starts, rows.size());
  const Tensor states = recurrent_states(packed, packed.packed(rows.x), recurrent());
  return biases_after(packed.unpacked(states_before(packed, states)));
}

Tensor kept_gradient(const Tensor& parameter) {
  Tensor same = parameter;  // the same parameter
  if (!same.grad().defined()) same.mutable_grad() = at::zeros_like(same);
  return same.grad();
}

Metrics RecurrentModel::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  NoGradGuard no_graph;
  for (const Tensor& parameter : parameters()) kept_gradient(parameter).zero_();
  const RecurrentWeights weights = recurrent();
  const PackedSequences packed = pack_sequences(batch.starts, batch.size());
  const Tensor x = packed.packed(batch.x), states = recurrent_states(packed, x, weights);
  const Tensor before = states_before(packed, states);
  const RowBiases biases = biases_after(before);
  RowBiases slopes{at::empty_like(biases.visible), at::empty_like(biases.hidden)};
  const Metrics metrics = row_gradients(x, biases, slopes, turn, rng);

  Tensor d_visible = kept_gradient(visible_bias), d_hidden = kept_gradient(hidden_bias);
  column_sums(slopes.visible, 1, true, d_visible);
  column_sums(slopes.hidden, 1, true, d_hidden);
  Tensor d_to_visible = kept_gradient(to_visible), d_to_hidden = kept_gradient(to_hidden);
  multiply(d_to_visible, before.t(), slopes.visible, 1, 1);
  multiply(d_to_hidden, before.t(), slopes.hidden, 1, 1);
  Tensor d_before = at::empty_like(before);
  multiply(d_before, slopes.visible, to_visible.t());
  multiply(d_before, slopes.hidden, to_hidden.t(), 1, 1);
  RecurrentWeights gradients{kept_gradient(weights.input), kept_gradient(weights.state),
                             kept_gradient(weights.bias), weights.f};
  recurrent_gradients(packed, x, states, d_before, weights, gradients);
  return metrics;
}

Tensor RecurrentModel::continue_sequences(const Rows& begun, std::int64_t steps, Rng& rng) const {
  NoGradGuard no_graph;
  const RecurrentWeights weights = recurrent();
  const PackedSequences packed = pack_sequences(begun.starts, begun.size());
  Tensor state = at::zeros({begun.cases(), weights.bias.size(0)});
  if (begun.size() > 0)
    state = final_states(packed, recurrent_states(packed, packed.packed(begun.x), weights));
  Tensor drawn = at::empty({begun.cases(), steps, columns()});
  for (std::int64_t step = 0; step < steps; ++step) {
    interruption_point();
    const Tensor x = draw_rows(biases_after(state), rng);
    drawn.select(1, step).copy_(x);
    state = next_state(x, state, weights);
  }
  return drawn;
}

}  // namespace deepgen
