#include "deepgen/models/fvbn.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Fvbn::Fvbn(std::int64_t columns)
    : BinaryAutoregressive("fvbn", columns),
      net_(register_module(
          "net", std::make_shared<MaskedNet>(columns, std::vector<std::int64_t>{}, "relu", false))) {
  Rng unused(0);  // without hidden units there is nothing to draw
  ranks_ = net_->draw_ranks(natural_order(columns), unused);
}

void Fvbn::initialise(const Batch& sample, Rng& rng) { net_->initialise(base_rate_logits(sample.x), rng); }

// ---------------------------------------------------------------- conditionals

Tensor Fvbn::logits(const Tensor& x) const { return net_->logits(x, ranks_); }

// ---------------------------------------------------------------- gradients

Metrics Fvbn::gradients(const Batch& batch, const Turn&, Rng&) {
  return descend(bernoulli_log_prob(logits(batch.x), batch.x));
}

// ---------------------------------------------------------------- sampling

Tensor Fvbn::draw_bits(const BitPass& pass) { return net_->draw(pass, ranks_); }

// ---------------------------------------------------------------- scores

Tensor Fvbn::log_prob(const Tensor& x) {
  NoGradGuard no_graph;
  return exact_log_prob(logits(x), x);
}

}  // namespace deepgen
