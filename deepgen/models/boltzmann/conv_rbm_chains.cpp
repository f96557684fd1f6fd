// Gibbs sampling and annealing of the convolutional machine.
#include <cmath>
#include <utility>

#include "deepgen/models/boltzmann/conv_rbm.h"
#include "deepgen/models/boltzmann/rbm_annealing.h"

namespace deepgen {

// ---------------------------------------------------------------- sampling

Tensor ConvRbm::chain_start(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor v = at::zeros({count, visible()});
  visible_units_.activate(v, base_natural(), 1, rng, {.sample = v});
  return v;
}

Tensor ConvRbm::chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const {
  return clamped_steps(v, steps, {}, rng);
}

Tensor ConvRbm::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const {
  NoGradGuard no_graph;
  Tensor v = x.clone();
  for (std::int64_t k = 0; k < steps; ++k) {
    v = sample_v_given_h(sample_h_given_v(v, rng), rng);
    if (known.defined()) v = at::where(known, x, v);
  }
  return v;
}

Tensor ConvRbm::chain_mean(const Tensor& v, Rng& rng) const {
  NoGradGuard no_graph;
  return mean_v_given_h(sample_h_given_v(v, rng));
}

Tensor ConvRbm::fill_gaps(const Tensor& v, Rng& rng) const {
  if (!std::isnan(v.sum().item<float>())) return v;
  const Tensor known = v.isnan().logical_not();
  return clamped_steps(at::where(known, v, chain_start(v.size(0), rng)), learning_.gap_steps, known, rng);
}

// ---------------------------------------------------------------- annealing

namespace {

// Chains along E_beta = (1 - beta) E_0 + beta E, the hidden units summed out of the weights:
//
//   log p*_beta(v) = log weight of v between the two layers + sum over blocks of log(1 + sum_j exp(beta a_j)).
class ConvAnnealedChains : public AnnealedChains {
 public:
  ConvAnnealedChains(const ConvRbm& machine, const Tensor& v, Tensor known)
      : machine_(machine),
        base_(machine.base_natural()),
        model_(machine.visible_natural()),
        known_(std::move(known)),
        start_(v),
        v_(v.clone()) {
    measure();
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    NoGradGuard no_graph;
    const PoolingBlocks& blocks = machine_.blocks();
    log_weights.add_(slope_, to - from);
    log_weights.add_(blocks.log_sums(a_, to) - blocks.log_sums(a_, from));
    Tensor h;
    blocks.activate(a_, to, rng, nullptr, &h);
    v_ = machine_.visible_input(h);
    machine_.visible_layer().activate(v_, between(base_, model_, to), to, rng, {.sample = v_});
    if (known_.defined()) v_ = at::where(known_, start_, v_);
    measure();
  }

  Tensor states(Rng&) const override { return v_.clone(); }

 private:
  void measure() {
    const UnitLayer& layer = machine_.visible_layer();
    a_ = machine_.hidden_activation(v_);
    slope_ =
        layer.log_weight(v_, model_.theta, model_.gamma) - layer.log_weight(v_, base_.theta, base_.gamma);
  }

  const ConvRbm& machine_;
  NaturalParameters base_, model_;
  Tensor known_, start_, v_;  // [chains, D]
  Tensor a_, slope_;          // activations; the slope of the visible part in beta, [chains]
};

// log Z of the blocks without weights: each state counts 1.
double free_blocks(const PoolingBlocks& blocks) {
  return static_cast<double>(blocks.blocks()) * std::log(static_cast<double>(blocks.block_units() + 1));
}

}  // namespace

double ConvRbm::log_base_partition() const {
  NoGradGuard no_graph;
  const NaturalParameters base = base_natural();
  return visible_units_.log_partition(base.theta.to(at::kDouble), base.gamma).item<double>() +
         free_blocks(blocks_);
}

Tensor ConvRbm::log_base_partition_given(const Tensor& x) const {
  NoGradGuard no_graph;
  const NaturalParameters base = base_natural();
  const Tensor known = x.isnan().logical_not(), v = at::where(known, x, at::zeros_like(x));
  const Tensor theta = base.theta.to(at::kDouble).expand({x.size(0), visible()});
  return visible_units_.log_weight(v, base.theta, base.gamma, known) +
         visible_units_.log_partition(theta, base.gamma, known.logical_not()) + free_blocks(blocks_);
}

std::unique_ptr<AnnealedChains> ConvRbm::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> ConvRbm::anneal_from(const Tensor& v) const {
  NoGradGuard no_graph;
  return std::make_unique<ConvAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> ConvRbm::anneal_given(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor known = x.isnan().logical_not();
  return std::make_unique<ConvAnnealedChains>(*this, at::where(known, x, chain_start(x.size(0), rng)), known);
}

}  // namespace deepgen
