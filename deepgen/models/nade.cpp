#include "deepgen/models/nade.h"

#include <cmath>

#include "deepgen/ops/layers.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Nade::Nade(NadeOptions options, std::int64_t columns)
    : BinaryAutoregressive("nade", columns), options_(std::move(options)) {
  weights.w = register_parameter("W", at::zeros({columns, options_.hidden}));
  weights.c = register_parameter("c", at::zeros({options_.hidden}));
  weights.v = register_parameter("V", at::zeros({columns, options_.hidden}));
  weights.b = register_parameter("b", at::zeros({columns}));
}

void Nade::initialise(const Batch& sample, Rng& rng) {
  const double limit = std::sqrt(6.0 / static_cast<double>(columns_ + options_.hidden));
  fill_uniform(weights.w, limit, rng);
  fill_uniform(weights.v, limit, rng);
  NoGradGuard no_graph;
  weights.c.zero_();
  // Half of each hidden unit is on before anything is known.
  weights.b.copy_(base_rate_logits(sample.x) - weights.v.sum(1) * 0.5);
}

// ---------------------------------------------------------------- conditionals

Tensor Nade::logits(const Tensor& x) const { return nade_logits(x, weights); }

// ---------------------------------------------------------------- gradients

Metrics Nade::gradients(const Batch& batch, const Turn&, Rng&) {
  auto gradient = [](Tensor& parameter) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    return parameter.grad();
  };
  NadeWeights g{gradient(weights.w), gradient(weights.c), gradient(weights.v), gradient(weights.b)};
  return {{"batch_log_prob", mean_over_cases(nade_gradients(batch.x, weights, g))}};
}

// ---------------------------------------------------------------- sampling

Tensor Nade::draw_bits(const BitPass& pass) {
  Tensor x = pass.x;
  return nade_draw(x, pass.uniform, pass.held, weights);
}

// ---------------------------------------------------------------- scores

Tensor Nade::log_prob(const Tensor& x) {
  NoGradGuard no_graph;
  return exact_log_prob(logits(x), x);
}

}  // namespace deepgen
