// Gibbs sampling, annealing and tempering of the RBM.
#include <cmath>
#include <limits>

#include "deepgen/models/rbm_step.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

// (1 - beta) E_0 + beta E of the visible layer in its natural form.
NaturalParameters between(const NaturalParameters& base, const NaturalParameters& model, double beta) {
  NaturalParameters p{at::lerp(base.theta, model.theta, beta), {}, model.couple};
  if (model.gamma.defined()) p.gamma = at::lerp(base.gamma, model.gamma, beta);
  return p;
}

}  // namespace

// ---------------------------------------------------------------- sampling

Tensor Rbm::chain_start(std::int64_t count, Rng& rng) {
  Tensor v = at::zeros({count, visible()});
  NaturalParameters base = base_natural();
  visible_units_.activate(v, base, 1, rng, {.sample = v});
  return v;
}

Tensor Rbm::chain_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) {
  torch::NoGradGuard no_graph;
  const NaturalParameters natural = visible_natural();
  Tensor v = x.clone(), h;
  for (std::int64_t k = 0; k < steps; ++k) {
    product(h, natural.couple.defined() ? v * natural.couple : v, weights);
    hidden_units_.activate(h, hidden_natural(), 1, rng, {.sample = h});
    product(v, h, weights.t());
    visible_units_.activate(v, natural, 1, rng, {.sample = v});
    if (known.defined()) v = at::where(known, x, v);
  }
  return v;
}

Tensor Rbm::chain_mean(const Tensor& x, Rng& rng) { return mean_v_given_h(sample_h_given_v(x, rng)); }

// ---------------------------------------------------------------- annealing

namespace {

// Chains of annealed importance sampling; the input of the hidden layer is kept, so a step costs two
// products. The visible part of log p*_beta is linear in beta: its slope, the tilt, is kept as well.
class RbmAnnealedChains : public AnnealedChains {
 public:
  RbmAnnealedChains(const Rbm& rbm, const Tensor& v, Tensor known)
      : rbm_(rbm),
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
    product(v_, h_, rbm_.weights.t());
    if (binary_visible_ && !known_.defined()) {
      at::lerp_out(bias_, base_.theta, model_.theta, to);
      tilted_.zero_();
      binary_layer(v_, bias_, to, rng.next(), {.sample = v_, .weight = tilt_, .row_sum = tilted_});
      product(input_, v_, rbm_.weights);
      return;
    }
    rbm_.visible_layer().activate(v_, between(base_, model_, to), to, rng, {.sample = v_});
    if (known_.defined()) v_ = at::where(known_, start_, v_);
    measure();
  }

 private:
  void measure() {
    const UnitLayer& layer = rbm_.visible_layer();
    tilted_ =
        layer.log_weight(v_, model_.theta, model_.gamma) - layer.log_weight(v_, base_.theta, base_.gamma);
    product(input_, model_.couple.defined() ? v_ * model_.couple : v_, rbm_.weights);
  }
  void move_hidden(double from, double to, Tensor& log_weights, Rng& rng) {
    if (binary_hidden_) return anneal_layer(input_, rbm_.hidden_bias, from, to, rng.next(), log_weights, h_);
    const UnitLayer& layer = rbm_.hidden_layer();
    const Tensor a = input_ + rbm_.hidden_bias;
    log_weights.add_(layer.log_partition(a * to, {}) - layer.log_partition(a * from, {}));
    h_ = layer.sample(a * to, {}, rng);
  }

  const Rbm& rbm_;
  NaturalParameters base_, model_;
  Tensor known_, tilt_, bias_ = at::empty({0});
  Tensor start_, v_, h_, input_, tilted_;  // v [chains, V], h and y W [chains, H], slope [chains]
  bool binary_visible_ = false, binary_hidden_ = false;
};

}  // namespace

double Rbm::log_base_partition() {
  const NaturalParameters base = base_natural();
  const Tensor none = at::zeros({1, hidden()}, at::kDouble);
  return visible_units_.log_partition(base.theta.to(at::kDouble).unsqueeze(0), base.gamma).item<double>() +
         hidden_units_.log_partition(none, {}).item<double>();
}

Tensor Rbm::log_base_partition_given(const Tensor& x) {
  const NaturalParameters base = base_natural();
  const Tensor known = x.isnan().logical_not();
  const Tensor v = at::where(known, x, at::zeros_like(x));
  const Tensor theta = base.theta.to(at::kDouble).expand({x.size(0), visible()});
  const Tensor none = at::zeros({1, hidden()}, at::kDouble);
  return visible_units_.log_weight(v, base.theta, base.gamma, known) +
         visible_units_.log_partition(theta, base.gamma, known.logical_not()) +
         hidden_units_.log_partition(none, {});
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from_base(std::int64_t count, Rng& rng) {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from(const Tensor& v) {
  return std::make_unique<RbmAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> Rbm::anneal_given(const Tensor& x, Rng& rng) {
  const Tensor known = x.isnan().logical_not();
  return std::make_unique<RbmAnnealedChains>(*this, at::where(known, x, chain_start(x.size(0), rng)), known);
}

// ---------------------------------------------------------------- parallel tempering

// Chains at inverse temperatures 0, 1/(T-1), ..., 1 along the annealing path; after each update neighbours
// swap states with the Metropolis probability of their free energies. Those at 1 are the model's.
void Rbm::tempered_phase(const Turn& turn, Rng& rng) {
  Workspace& w = *workspace_;
  const std::int64_t levels = learning_.temperatures, count = learning_.chains;
  const NaturalParameters base = base_natural();
  const std::int64_t steps = gibbs_steps(turn);
  auto level = [&](Tensor& rows, std::int64_t t) { return rows.narrow(0, t * count, count); };
  auto beta = [&](std::int64_t t) { return static_cast<double>(t) / static_cast<double>(levels - 1); };
  auto move_hidden = [&] {
    for (std::int64_t t = 0; t < levels; ++t) {
      const NaturalParameters p{hidden_bias * beta(t), {}, {}};
      hidden_units_.activate(level(w.h, t), p, beta(t), rng, {.sample = level(chains, t)}, true);
    }
  };
  for (std::int64_t k = 0; k < steps; ++k) {
    product(w.v, chains, weights.t());
    for (std::int64_t t = 0; t < levels; ++t)
      visible_units_.activate(level(w.v, t), between(base, w.natural, beta(t)), beta(t), rng,
                              {.sample = level(w.v, t)}, true);
    product(w.h, w.natural.couple.defined() ? w.v * w.natural.couple : w.v, weights);
    if (k + 1 < steps) move_hidden();
  }
  const Tensor order = swap_order(w.v, w.h, turn.step, rng);
  w.v = w.v.index_select(0, order), w.h = w.h.index_select(0, order);
  move_hidden();
  Tensor y = level(w.v, levels - 1);
  if (w.natural.couple.defined()) y = y * w.natural.couple;
  Tensor h = level(w.h, levels - 1).contiguous();
  hidden_units_.activate(h, hidden_natural(), 1, rng, {.mean = h});
  add_model_statistics(y, h);
}

// Which row takes which place. Pairs (t, t + 1) with t even or odd by turns; v [T M, V], input y W [T M, H].
Tensor Rbm::swap_order(const Tensor& v, const Tensor& input, std::int64_t step, Rng& rng) {
  const std::int64_t levels = learning_.temperatures, count = learning_.chains;
  const NaturalParameters base = base_natural(), model = visible_natural();
  const Tensor slope = visible_units_.log_weight(v, model.theta, model.gamma) -
                       visible_units_.log_weight(v, base.theta, base.gamma);
  const Tensor a = input + hidden_bias;
  std::vector<std::int64_t> order(static_cast<std::size_t>(levels * count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  constexpr double memory = 0.99;
  for (std::int64_t t = step % 2; t + 1 < levels; t += 2) {
    const double low = static_cast<double>(t) / static_cast<double>(levels - 1),
                 high = static_cast<double>(t + 1) / static_cast<double>(levels - 1);
    auto gain = [&](std::int64_t from) {  // log p*_high - log p*_low of the states at this level
      const Tensor rows = a.narrow(0, from * count, count);
      return slope.narrow(0, from * count, count) * (high - low) +
             hidden_units_.log_partition(rows * high, {}) - hidden_units_.log_partition(rows * low, {});
    };
    const Tensor log_ratio = gain(t) - gain(t + 1);
    double accepted = 0;
    for (std::int64_t m = 0; m < count; ++m) {
      if (std::log(rng.uniform()) >= log_ratio.data_ptr<double>()[m]) continue;
      std::swap(order[static_cast<std::size_t>(t * count + m)],
                order[static_cast<std::size_t>((t + 1) * count + m)]);
      accepted += 1;
    }
    float& rate = swap_rates.data_ptr<float>()[t];
    rate = static_cast<float>(memory * static_cast<double>(rate) +
                              (1 - memory) * accepted / static_cast<double>(count));
  }
  return at::tensor(order, at::kLong);
}

}  // namespace deepgen
