// Hybrid Monte Carlo: moves along the slope of an energy, accepted so that exp(-energy) stays.
//
// With momenta p ~ N(0, 1) and a scale sigma_d for each column,
//
//   H(x, p) = energy(x) + |p|^2 / 2,
//
// n leapfrog steps of length e
//
//   p -= e / 2 sigma slope(x)
//   x += e sigma p
//   p -= e / 2 sigma slope(x)
//
// keep volume, run backwards when p is turned round, and keep H up to terms of e^2. The end is accepted with
// probability min(1, exp(H(start) - H(end))), row by row, else the row stays where it was. A column whose
// scale is 0 is held. The step of each move is drawn evenly from 0.8 to 1.2 times e, the same for all rows,
// which keeps trajectories from coming back to where they began.
//
// Known to fail: as all local moves, between modes that are far apart.
//
// Sources: Duane, Kennedy, Pendleton, Roweth 1987, "Hybrid Monte Carlo"; Neal 2010, "MCMC using Hamiltonian
// dynamics", sections 2.3, 3.2 and 4.2.
#pragma once

#include <cstdint>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

class EnergyField {
 public:
  virtual ~EnergyField() = default;
  virtual Tensor energy(const Tensor& x) const = 0;  // [B] float64, nats
  virtual Tensor slope(const Tensor& x) const = 0;   // of the energy, [B, D] float32
};

struct HybridPlan {
  double step = 0.1;  // e
  std::int64_t leapfrogs = 20;
  Tensor scale;  // sigma, [D] or [B, D]
};

struct PhasePoint {
  Tensor x, p;  // [B, D] each
};

PhasePoint leapfrog(const EnergyField& field, const PhasePoint& start, const HybridPlan& plan);

struct HybridMove {
  Tensor x;             // [B, D]
  double accepted = 0;  // share of the rows
};

HybridMove hybrid_move(const EnergyField& field, const Tensor& x, const HybridPlan& plan, Rng& rng);

// A step length that comes to have nine tenths of the moves accepted; [2]: the step, and the moving average
// of what is accepted. A tensor, so that a model keeps it as a buffer.
Tensor new_step_length(double step);
void follow_acceptance(Tensor& step_length, double accepted);

}  // namespace deepgen
