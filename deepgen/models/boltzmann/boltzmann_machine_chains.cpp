// Gibbs sampling and annealing of the general Boltzmann machine.
#include <numbers>
#include <utility>

#include "deepgen/models/boltzmann/boltzmann_machine.h"
#include "deepgen/models/boltzmann/boltzmann_sweeps.h"

namespace deepgen {

// ---------------------------------------------------------------- sampling

Tensor BoltzmannMachine::chain_start(std::int64_t count, Rng& rng) const {
  Tensor x = at::zeros({count, visible()});
  visible_units_.activate(x, {base_activation(), {}, {}}, 1, rng, {.sample = x});
  return x;
}

Tensor BoltzmannMachine::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  return clamped_steps(x, steps, {}, rng);
}

Tensor BoltzmannMachine::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known,
                                       Rng& rng) const {
  torch::NoGradGuard no_graph;
  BoltzmannRows rows(weights(), biases, at::cat({x, sample_hidden(hidden_input(x), 1, rng)}, 1));
  const Tensor held = known.defined() ? known.expand(x.sizes()).contiguous() : Tensor();
  for (std::int64_t k = 0; k < steps; ++k) rows.sweep({.known = held}, rng);
  return rows.states().narrow(1, 0, visible()).contiguous();
}

Tensor BoltzmannMachine::chain_mean(const Tensor& x, Rng& rng) const {
  torch::NoGradGuard no_graph;
  BoltzmannRows rows(weights(), biases, at::cat({x, sample_hidden(hidden_input(x), 1, rng)}, 1));
  const Tensor mean = at::empty(rows.states().sizes());
  rows.sweep({.mean = mean}, rng);
  return mean.narrow(1, 0, visible()).contiguous();
}

Tensor BoltzmannMachine::fill_gaps(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  if (known.all().item<bool>()) return x;
  return clamped_steps(at::where(known, x, chain_start(x.size(0), rng)), learning_.gap_steps, known, rng);
}

// ---------------------------------------------------------------- annealing

namespace {

// Chains of annealed importance sampling. With few hidden units a chain is its visible ones: log p*_beta(x)
// sums the hidden ones out, and a transition begins with a draw from p_beta(h | x). With many it is all
// units, and log p*_beta is linear in beta; h is drawn given x when the first temperature is known.
class BoltzmannAnnealedChains : public AnnealedChains {
 public:
  BoltzmannAnnealedChains(const BoltzmannMachine& machine, const Tensor& x, Tensor known)
      : machine_(machine),
        rows_(machine.weights(), machine.biases, at::cat({x, at::zeros({x.size(0), machine.hidden()})}, 1)),
        biases_(machine.biases.to(at::kDouble)),
        base_(at::cat({machine.base_activation(), at::zeros({machine.hidden()})}).to(at::kDouble)),
        known_(std::move(known)),
        summed_(machine.hidden() <= BoltzmannMachine::summed_hidden) {}

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    torch::NoGradGuard no_graph;
    const Tensor input = machine_.hidden_input(visible());
    if (!summed_ && !begun_) rows_.put_last(machine_.sample_hidden(input, from, rng));
    begun_ = true;
    if (summed_) rows_.put_last(at::zeros({input.size(0), machine_.hidden()}));
    log_weights.add_(slope() * (to - from));
    if (summed_) {
      log_weights.add_(machine_.log_hidden_sum(input, to) - machine_.log_hidden_sum(input, from));
      rows_.put_last(machine_.sample_hidden(input, to, rng));
    }
    rows_.sweep({.beta = to, .base = base_, .known = known_}, rng);
  }

  Tensor states(Rng&) const override { return visible().clone(); }

 private:
  Tensor visible() const { return rows_.states().narrow(1, 0, machine_.visible()).contiguous(); }
  // -E(s) less the base's exponent: s'W s / 2 + b's - base's.
  Tensor slope() const {
    const Tensor s = rows_.states().to(at::kDouble);
    return ((rows_.received() + biases_) / 2 - base_).mul_(s).sum(1);
  }

  const BoltzmannMachine& machine_;
  BoltzmannRows rows_;
  Tensor biases_, base_;  // [D] float64
  Tensor known_;          // [chains, V], or undefined
  bool summed_, begun_ = false;
};

}  // namespace

Tensor BoltzmannMachine::base_activation() const { return visible_units_.at_moments(data_mean, {}).theta; }

double BoltzmannMachine::log_base_partition() const {
  return visible_units_.log_partition(base_activation().to(at::kDouble), {}).item<double>() +
         static_cast<double>(hidden()) * std::numbers::ln2;
}

Tensor BoltzmannMachine::log_base_partition_given(const Tensor& x) const {
  const Tensor known = x.isnan().logical_not(), base = base_activation();
  const Tensor v = at::where(known, x, at::zeros_like(x));
  const Tensor theta = base.to(at::kDouble).expand({x.size(0), visible()});
  return visible_units_.log_weight(v, base, {}, known) +
         visible_units_.log_partition(theta, {}, known.logical_not()) +
         static_cast<double>(hidden()) * std::numbers::ln2;
}

std::unique_ptr<AnnealedChains> BoltzmannMachine::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> BoltzmannMachine::anneal_from(const Tensor& x) const {
  return std::make_unique<BoltzmannAnnealedChains>(*this, x, Tensor());
}

std::unique_ptr<AnnealedChains> BoltzmannMachine::anneal_given(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  const Tensor start = at::where(known, x, chain_start(x.size(0), rng));
  return std::make_unique<BoltzmannAnnealedChains>(*this, start, known.contiguous());
}

}  // namespace deepgen
