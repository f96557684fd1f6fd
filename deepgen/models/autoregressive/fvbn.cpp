#include "deepgen/models/autoregressive/fvbn.h"

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Fvbn::Fvbn(FvbnOptions options, NoOptions learning, const DataShape& data)
    : DiscreteAutoregressive("fvbn", data),
      options_(std::move(options)),
      learning_(std::move(learning)),
      net_(register_module(
          "net", std::make_shared<MaskedNet>(layout_, std::vector<std::int64_t>{}, "relu", false))) {
  Rng unused(0);  // without hidden units there is nothing to draw
  natural_ = net_->draw_ranks(natural_order(layout_.variables()), unused);
  if (options_.order == "random")
    order_ = register_buffer("order", at::arange(layout_.variables(), at::kLong));
}

void Fvbn::initialise(const Rows& sample, Rng& rng) {
  if (order_.defined()) order_.copy_(at::tensor(rng.permutation(layout_.variables()), at::kLong));
  net_->initialise(base_logits(sample.x), rng);
}

Ranks Fvbn::ranks() const {
  if (!order_.defined()) return natural_;
  const std::int64_t* first = order_.data_ptr<std::int64_t>();
  const std::vector<std::int64_t> order(first, first + layout_.variables());
  std::vector<std::int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != natural_.order)  // of a damaged file
    fail_data("fvbn", "expected an order that has every variable once; the file is damaged");
  Rng unused(0);
  return net_->draw_ranks(order, unused);
}

// ---------------------------------------------------------------- conditionals

Tensor Fvbn::logits(const Tensor& x) const { return net_->logits(x, ranks()); }

// ---------------------------------------------------------------- gradients

Metrics Fvbn::gradients(const Rows& batch, const Turn&, Rng&) {
  return descend(differentiable_log_prob(logits(batch.x), batch.x));
}

// ---------------------------------------------------------------- sampling

Tensor Fvbn::draw_pass(const AncestralPass& pass) const { return net_->draw(pass, ranks()); }

// ---------------------------------------------------------------- scores

Tensor Fvbn::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return exact_log_prob(logits(rows.x), rows.x, layout_);
}

template std::shared_ptr<Model> create<FvbnCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
