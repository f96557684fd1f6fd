#include "deepgen/models/autoregressive/made.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Made::Made(MadeOptions options, MadeLearning learning, const DataShape& data)
    : DiscreteAutoregressive("made", data),
      options_(std::move(options)),
      learning_(std::move(learning)),
      net_(register_module("net",
                           std::make_shared<MaskedNet>(layout_, parse_sizes("model.hidden", options_.hidden),
                                                       options_.activation, options_.direct))),
      mask_seed_(register_buffer("mask_seed", at::zeros({1}, at::kLong))) {}

void Made::initialise(const Rows& sample, Rng& rng) {
  mask_seed_.fill_(static_cast<std::int64_t>(rng.bits() >> 1));
  net_->initialise(base_logits(sample.x), rng);
}

// ---------------------------------------------------------------- conditionals

Ranks Made::ranks(std::int64_t mask) const {
  if (mask < 0 || mask >= options_.masks)
    fail_usage("made", fmt::format("expected a mask from 0 to {}, got {}", options_.masks - 1, mask));
  Rng rng = Rng(static_cast<std::uint64_t>(mask_seed_.item<std::int64_t>()))
                .fork({static_cast<std::uint64_t>(mask)});
  std::vector<std::int64_t> order =
      options_.order == "random" ? rng.permutation(layout_.variables()) : natural_order(layout_.variables());
  return net_->draw_ranks(std::move(order), rng);
}

Tensor Made::logits(const Tensor& x, std::int64_t mask) const { return net_->logits(x, ranks(mask)); }

// ---------------------------------------------------------------- gradients

Metrics Made::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  const Dropout dropout{learning_.input_dropout, learning_.dropout, &rng};
  const Tensor logits = net_->logits(batch.x, ranks(turn.step % options_.masks), dropout);
  return descend(differentiable_log_prob(logits, batch.x));
}

// ---------------------------------------------------------------- sampling

Tensor Made::draw_pass(const AncestralPass& pass) const { return net_->draw(pass, ranks(0)); }

// ---------------------------------------------------------------- scores

Tensor Made::log_prob_under(const Rows& rows, std::int64_t mask) const {
  NoGradGuard no_graph;
  return exact_log_prob(logits(rows.x, mask), rows.x, layout_);
}

template std::shared_ptr<Model> create<MadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
