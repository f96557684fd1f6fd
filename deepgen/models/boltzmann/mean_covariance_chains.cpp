// Mean-covariance machines: chains and annealing by hybrid Monte Carlo.
#include <utility>

#include "deepgen/models/boltzmann/mean_covariance.h"

namespace deepgen {

// ---------------------------------------------------------------- chains

HybridPlan MeanCovarianceMachine::plan(const Tensor& known) const {
  Tensor scale = data_variance.sqrt();
  if (known.defined()) scale = at::where(known, at::zeros_like(scale), scale);
  return {step_length[0].item<double>(), learning_.leapfrogs, scale};
}

Tensor MeanCovarianceMachine::chain_start(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  return base().draw(count, rng);
}

Tensor MeanCovarianceMachine::chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const {
  return clamped_steps(v, steps, {}, rng);
}

Tensor MeanCovarianceMachine::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known,
                                            Rng& rng) const {
  NoGradGuard no_graph;
  const HybridPlan moves = plan(known);
  Tensor v = x.clone();
  for (std::int64_t k = 0; k < steps; ++k) v = hybrid_move(*this, v, moves, rng).x;
  return v;
}

// ---------------------------------------------------------------- annealing

namespace {

// (1 - beta) E_0 + beta F.
class PathField : public EnergyField {
 public:
  PathField(const MeanCovarianceMachine& machine, GaussianBase base, double beta)
      : machine_(machine), base_(std::move(base)), beta_(beta) {}
  Tensor energy(const Tensor& x) const override {
    return base_.energy(x) * (1 - beta_) + machine_.energy(x) * beta_;
  }
  Tensor slope(const Tensor& x) const override {
    return (x - base_.mean) / base_.variance * (1 - beta_) + machine_.slope(x) * beta_;
  }

 private:
  const MeanCovarianceMachine& machine_;
  GaussianBase base_;
  double beta_;
};

class MeanCovarianceAnnealedChains : public AnnealedChains {
 public:
  MeanCovarianceAnnealedChains(const MeanCovarianceMachine& machine, const Tensor& v, const Tensor& known)
      : machine_(machine), base_(machine.base()), plan_(machine.plan(known)), v_(v.clone()) {}

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    NoGradGuard no_graph;
    log_weights.add_(base_.energy(v_) - machine_.energy(v_), to - from);
    v_ = hybrid_move(PathField(machine_, base_, to), v_, plan_, rng).x;
  }

  Tensor states(Rng&) const override { return v_.clone(); }

 private:
  const MeanCovarianceMachine& machine_;
  GaussianBase base_;
  HybridPlan plan_;
  Tensor v_;  // [chains, D]
};

}  // namespace

std::unique_ptr<AnnealedChains> MeanCovarianceMachine::anneal_from_base(std::int64_t count, Rng& rng) const {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> MeanCovarianceMachine::anneal_from(const Tensor& v) const {
  return std::make_unique<MeanCovarianceAnnealedChains>(*this, v, Tensor());
}

std::unique_ptr<AnnealedChains> MeanCovarianceMachine::anneal_given(const Tensor& x, Rng& rng) const {
  const Tensor known = x.isnan().logical_not();
  const Tensor start = at::where(known, x, chain_start(x.size(0), rng));
  return std::make_unique<MeanCovarianceAnnealedChains>(*this, start, known);
}

}  // namespace deepgen
