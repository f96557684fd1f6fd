#include "deepgen/models/autoregressive/nade.h"

#include <cmath>

#include "deepgen/model/create.h"
#include "deepgen/models/autoregressive/nade_groups.h"
#include "deepgen/ops/layers.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Nade::Nade(NadeOptions options, NoOptions learning, const DataShape& data)
    : DiscreteAutoregressive("nade", data), options_(std::move(options)), learning_(std::move(learning)) {
  weights.w = register_parameter("W", at::zeros({columns_, options_.hidden}));
  weights.c = register_parameter("c", at::zeros({options_.hidden}));
  weights.v = register_parameter("V", at::zeros({columns_, options_.hidden}));
  weights.b = register_parameter("b", at::zeros({columns_}));
}

void Nade::initialise(const Rows& sample, Rng& rng) {
  const double limit = std::sqrt(6.0 / static_cast<double>(columns_ + options_.hidden));
  fill_uniform(weights.w, limit, rng);
  fill_uniform(weights.v, limit, rng);
  NoGradGuard no_graph;
  weights.c.zero_();
  // Half of each hidden unit is on before anything is known.
  weights.b.copy_(base_logits(sample.x) - weights.v.sum(1) * 0.5);
}

// ---------------------------------------------------------------- conditionals

Tensor Nade::logits(const Tensor& x) const {
  return layout_.bits() ? nade_logits(x, weights) : nade_group_logits(x, layout_, weights);
}

// ---------------------------------------------------------------- gradients

Metrics Nade::gradients(const Rows& batch, const Turn&, Rng&) {
  auto gradient = [](Tensor& parameter) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    return parameter.grad();
  };
  NadeWeights g{gradient(weights.w), gradient(weights.c), gradient(weights.v), gradient(weights.b)};
  const Tensor log_prob = layout_.bits() ? nade_gradients(batch.x, weights, g, buffers_)
                                         : nade_group_gradients(batch.x, layout_, weights, g, buffers_);
  return {{"batch_log_prob", mean_over_cases(log_prob)}};
}

// ---------------------------------------------------------------- sampling

Tensor Nade::draw_pass(const AncestralPass& pass) const {
  if (!layout_.bits()) return nade_group_draw(pass, layout_, weights);
  Tensor x = pass.x;
  return nade_draw(x, pass.uniform, pass.held, weights);
}

// ---------------------------------------------------------------- scores

Tensor Nade::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return exact_log_prob(logits(rows.x), rows.x, layout_);
}

template std::shared_ptr<Model> create<NadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
