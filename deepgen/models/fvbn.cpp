#include "deepgen/models/fvbn.h"

#include <algorithm>

#include "deepgen/core/error.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Fvbn::Fvbn(FvbnOptions options, std::int64_t columns)
    : BinaryAutoregressive("fvbn", columns),
      options_(std::move(options)),
      net_(register_module(
          "net", std::make_shared<MaskedNet>(columns, std::vector<std::int64_t>{}, "relu", false))) {
  Rng unused(0);  // without hidden units there is nothing to draw
  natural_ = net_->draw_ranks(natural_order(columns), unused);
  if (options_.order == "random") order_ = register_buffer("order", at::arange(columns, at::kLong));
}

void Fvbn::initialise(const Batch& sample, Rng& rng) {
  if (order_.defined()) order_.copy_(at::tensor(rng.permutation(columns_), at::kLong));
  net_->initialise(base_rate_logits(sample.x), rng);
}

Ranks Fvbn::ranks() const {
  if (!order_.defined()) return natural_;
  const std::int64_t* first = order_.data_ptr<std::int64_t>();
  const std::vector<std::int64_t> order(first, first + columns_);
  std::vector<std::int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != natural_.order)  // of a damaged file
    fail_data("fvbn", "expected an order that has every column once; the file is damaged");
  Rng unused(0);
  return net_->draw_ranks(order, unused);
}

// ---------------------------------------------------------------- conditionals

Tensor Fvbn::logits(const Tensor& x) const { return net_->logits(x, ranks()); }

// ---------------------------------------------------------------- gradients

Metrics Fvbn::gradients(const Batch& batch, const Turn&, Rng&) {
  return descend(bernoulli_log_prob(logits(batch.x), batch.x));
}

// ---------------------------------------------------------------- sampling

Tensor Fvbn::draw_bits(const BitPass& pass) { return net_->draw(pass, ranks()); }

// ---------------------------------------------------------------- scores

Tensor Fvbn::log_prob(const Tensor& x) {
  NoGradGuard no_graph;
  return exact_log_prob(logits(x), x);
}

}  // namespace deepgen
