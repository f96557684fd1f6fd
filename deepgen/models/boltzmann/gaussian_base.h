// What machines of real columns have in common: the independent Gaussians that they begin as and are annealed
// from, the filling of gaps, and the numbers of their learning curves.
#pragma once

#include <string>

#include "deepgen/model/capabilities.h"

namespace deepgen {

// Independent Gaussians at the moments of the data,
//
//   E_0(v) = sum_d (v_d - m_d)^2 / (2 variance_d).
struct GaussianBase {
  Tensor mean, variance;  // [D]

  Tensor draw(std::int64_t count, Rng& rng) const;  // [count, D]
  Tensor energy(const Tensor& v) const;             // E_0, [B] float64
  double log_partition() const;                     // log of the integral of exp(-E_0), nats
  // The same over the missing (NaN) cells of x with the others held, [B] float64.
  Tensor log_partition_given(const Tensor& x) const;
};

// x with its missing cells drawn by `steps` steps of the model's chain that hold the others; x itself where none
// is missing, or there are no rows (undefined).
template <class Machine>
Tensor gaps_filled(const Machine& machine, const Tensor& x, std::int64_t steps, Rng& rng) {
  if (!x.defined()) return x;
  const Tensor known = x.isnan().logical_not();
  if (known.all().template item<bool>()) return x;
  return machine.clamped_steps(at::where(known, x, machine.chain_start(x.size(0), rng)), steps, known, rng);
}

// Mean free energies of training rows, validation rows and persistent chains (the latter two undefined: none),
// and their gaps.
Metrics energy_metrics(const HasFreeEnergy& model, const Tensor& train, const Tensor& valid,
                       const Tensor& chains);
// Why training has diverged by these metrics: chains that are very far from the data; or "".
std::string chains_have_left(const Metrics& metrics, std::int64_t columns);

// The gradient of a parameter, zeros where there was none.
Tensor fresh_gradient(Tensor& parameter);

}  // namespace deepgen
