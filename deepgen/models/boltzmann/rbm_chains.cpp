// Gibbs sampling and annealing of the restricted Boltzmann machine.
#include <cmath>
#include <utility>

#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/models/boltzmann/rbm_annealing.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {

// ---------------------------------------------------------------- sampling

Tensor Rbm::chain_start(std::int64_t count, Rng& rng) const {
  Tensor v = at::zeros({count, visible()});
  visible_units_.activate(v, base_natural(), 1, rng, {.sample = v});
  return v;
}

Tensor Rbm::chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const {
  return clamped_steps(v, steps, {}, rng);
}

Tensor Rbm::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const {
  torch::NoGradGuard no_graph;
  const NaturalParameters natural = visible_natural();
  Tensor v = x.clone(), h;
  for (std::int64_t k = 0; k < steps; ++k) {
    coupling().input_to_upper(h, natural.couple.defined() ? v * natural.couple : v);
    hidden_units_.activate(h, hidden_natural(), 1, rng, {.sample = h});
    coupling().input_to_lower(v, h);
    visible_units_.activate(v, natural, 1, rng, {.sample = v});
    if (known.defined()) v = at::where(known, x, v);
  }
  return v;
}

Tensor Rbm::chain_mean(const Tensor& v, Rng& rng) const { return mean_v_given_h(sample_h_given_v(v, rng)); }

Tensor Rbm::fill_gaps(const Tensor& v, Rng& rng) const {
  if (!std::isnan(v.sum().item<float>())) return v;
  const Tensor known = v.isnan().logical_not();
  const Tensor start = at::where(known, v, chain_start(v.size(0), rng));
  return clamped_steps(start, learning_.gap_steps, known, rng);
}

// ---------------------------------------------------------------- annealing

namespace {

// Chains of annealed importance sampling; the input of the hidden layer is kept, so a step costs two
// products. The visible part of log p*_beta is linear in beta: its slope, the tilt, is kept as well.
class RbmAnnealedChains : public AnnealedChains {
 public:
  RbmAnnealedChains(const Rbm& rbm, const Tensor& v, Tensor known)
      : rbm_(rbm),
        coupling_(rbm.coupling()),
        base_(rbm.base_natural()),
        model_(rbm.visible_natural()),
        known_(std::move(known)),
        tilt_(model_.theta - base_.theta),
        start_(v),
        v_(v.clone()) {
    binary_visible_ = rbm.visible_layer().all(UnitKind::binary);
    binary_hidden_ = rbm.hidden_layer().all(UnitKind::binary);
    measure();
    h_ = at::empty_like(input_);
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    torch::NoGradGuard no_graph;
    log_weights.add_(tilted_, to - from);
    move_hidden(from, to, log_weights, rng);
    coupling_.input_to_lower(v_, h_);
    if (binary_visible_ && !known_.defined()) {
      at::lerp_out(bias_, base_.theta, model_.theta, to);
      tilted_.zero_();
      binary_layer(v_, bias_, to, rng.next(), {.sample = v_, .weight = tilt_, .row_sum = tilted_});
      coupling_.input_to_upper(input_, v_);
      return;
    }
    rbm_.visible_layer().activate(v_, between(base_, model_, to), to, rng, {.sample = v_});
    if (known_.defined()) v_ = at::where(known_, start_, v_);
    measure();
  }

  Tensor states(Rng&) const override { return v_.clone(); }

 private:
  void measure() {
    const UnitLayer& layer = rbm_.visible_layer();
    tilted_ =
        layer.log_weight(v_, model_.theta, model_.gamma) - layer.log_weight(v_, base_.theta, base_.gamma);
    coupling_.input_to_upper(input_, model_.couple.defined() ? v_ * model_.couple : v_);
  }
  void move_hidden(double from, double to, Tensor& log_weights, Rng& rng) {
    if (binary_hidden_) return anneal_layer(input_, rbm_.hidden_bias, from, to, rng.next(), log_weights, h_);
    const UnitLayer& layer = rbm_.hidden_layer();
    const Tensor a = input_ + rbm_.hidden_bias;
    log_weights.add_(layer.log_partition(a * to, {}) - layer.log_partition(a * from, {}));
    h_ = layer.sample(a * to, {}, rng);
  }

  const Rbm& rbm_;
  const DenseCoupling coupling_;
  NaturalParameters base_, model_;
  Tensor known_, tilt_, bias_ = at::empty({0});
  Tensor start_, v_, h_, input_, tilted_;  // v [chains, V], h and y W [chains, H], slope [chains]
  bool binary_visible_ = false, binary_hidden_ = false;
};

}  // namespace

double Rbm::log_base_partition() const {
  const NaturalParameters base = base_natural();
  const Tensor none = at::zeros({1, hidden()}, at::kDouble);
  return visible_units_.log_partition(base.theta.to(at::kDouble), base.gamma).item<double>() +
         hidden_units_.log_partition(none, {}).item<double>();
}

Tensor Rbm::log_base_partition_given(const Tensor& x) const {
  const NaturalParameters base = base_natural();
  const Tensor known = x.isnan().logical_not();
  const Tensor v = at::where(known, x, at::zeros_like(x));
  const Tensor theta = base.theta.to(at::kDouble).expand({x.size(0), visible()});
  const Tensor none = at::zeros({1, hidden()}, at::kDouble);
  return visible_units_.log_weight(v, base.theta, base.gamma, known) +
         visible_units_.log_partition(theta, base.gamma, known.logical_not()) +
         hidden_units_.log_partition(none, {});
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from(const Tensor& v) const {
  return std::make_unique<RbmAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> Rbm::anneal_given(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  return std::make_unique<RbmAnnealedChains>(*this, at::where(known, x, chain_start(x.size(0), rng)), known);
}

}  // namespace deepgen
