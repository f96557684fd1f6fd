#include "deepgen/models/sequences/rnn_nade.h"

#include <cmath>

#include "deepgen/model/create.h"
#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/nets/masked_net.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

RnnNade::RnnNade(RnnNadeOptions options, NoOptions learning, const DataShape& data)
    : RecurrentModel("rnn_nade", data), options_(std::move(options)), learning_(std::move(learning)) {
  const std::int64_t visible = data.columns, hidden = options_.hidden, state = options_.recurrent;
  w = register_parameter("W", at::zeros({visible, hidden}));
  v = register_parameter("V", at::zeros({visible, hidden}));
  register_biases(hidden, state);
  recurrent_.input = register_parameter("input", at::zeros({visible, state}));
  recurrent_.state = register_parameter("state", at::zeros({state, state}));
  recurrent_.bias = register_parameter("state_bias", at::zeros({state}));
}

void RnnNade::initialise(const Rows& sample, Rng& rng) {
  const auto limit = [](const Tensor& matrix) {
    return std::sqrt(6.0 / static_cast<double>(matrix.size(0) + matrix.size(1)));
  };
  for (Tensor* each : {&w, &v, &recurrent_.input, &recurrent_.state}) fill_uniform(*each, limit(*each), rng);
  // Small: at first the rows before say little.
  for (Tensor* each : {&to_visible, &to_hidden}) fill_uniform(*each, 0.1 * limit(*each), rng);
  NoGradGuard no_graph;
  hidden_bias.zero_(), recurrent_.bias.zero_();
  // Half of each hidden unit is on before anything is known.
  visible_bias.copy_(base_rate_logits(sample.x) - v.sum(1) * 0.5);
}

// ---------------------------------------------------------------- scores

Tensor RnnNade::logits(const Rows& rows) const {
  NoGradGuard no_graph;
  return nade_logits(rows.x, with(biases_of(rows)));
}

Tensor RnnNade::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return exact_log_prob(logits(rows), rows.x, VariableLayout::of_bits(columns()));
}

Metrics RnnNade::diagnose(const Rows& train, const Rows& valid, Rng&) {
  const double own = mean_over_cases(log_prob(train));
  Metrics metrics = {{"train_log_prob_per_row", own}};
  if (valid.size() > 0) metrics.emplace_back("gap_per_row", own - mean_over_cases(log_prob(valid)));
  return metrics;
}

// ---------------------------------------------------------------- learning and drawing

Metrics RnnNade::row_gradients(const Tensor& x, const RowBiases& biases, RowBiases& slopes, const Turn&,
                               Rng&) {
  NadeWeights gradients{kept_gradient(w), slopes.hidden, kept_gradient(v), slopes.visible};
  const Tensor log_prob = nade_gradients(x, with(biases), gradients, buffers_);
  return {{"batch_log_prob_per_row", mean_over_cases(log_prob)}};
}

Tensor RnnNade::draw_rows(const RowBiases& biases, Rng& rng) const {
  Tensor x = at::zeros_like(biases.visible);
  nade_draw(x, uniform(x.size(0), x.size(1), rng.next()), {}, with(biases));
  return x;
}

template std::shared_ptr<Model> create<RnnNadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
