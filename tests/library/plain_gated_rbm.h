// The gated machine of bits in plain double precision: sums over the mapping units by the definition of the
// energy.
#pragma once

#include "deepgen/models/boltzmann/gated_rbm.h"
#include "tests/library/machines.h"

namespace deepgen::machines {

struct PlainGatedRbm {
  std::int64_t D, X, F, K;
  Doubles u, v, w, b, c, m;

  explicit PlainGatedRbm(const GatedRbm& machine)
      : D(machine.columns()),
        X(machine.first()),
        F(machine.mapping_factors.size(0)),
        K(machine.mappings()),
        u(doubles(machine.input_factors)),
        v(doubles(machine.output_factors)),
        w(doubles(machine.mapping_factors)),
        b(doubles(machine.visible_bias)),
        c(doubles(machine.mapping_bias)),
        m(doubles(machine.data_mean)) {}

  // -E of cells x [D] and the mapping units that are the bits of h.
  double log_joint(const Doubles& x, std::int64_t h) const {
    double sum = 0;
    for (std::int64_t i = 0; i < D; ++i) sum += b[size(i)] * x[size(i)];
    for (std::int64_t k = 0; k < K; ++k)
      if (h >> k & 1) sum += c[size(k)];
    for (std::int64_t f = 0; f < F; ++f) {
      double first = 0, second = 0, mapped = 0;
      for (std::int64_t i = 0; i < X; ++i) first += u[size(i * F + f)] * (x[size(i)] - m[size(i)]);
      for (std::int64_t i = X; i < D; ++i) second += v[size((i - X) * F + f)] * (x[size(i)] - m[size(i)]);
      for (std::int64_t k = 0; k < K; ++k)
        if (h >> k & 1) mapped += w[size(f * K + k)];
      sum += first * second * mapped;
    }
    return sum;
  }
  double log_unnormalised(const Doubles& x) const {
    Doubles terms;
    for (std::int64_t h = 0; h < std::int64_t{1} << K; ++h) terms.push_back(log_joint(x, h));
    return log_sum_exp(terms);
  }
  Doubles cells(std::int64_t state) const {
    Doubles x;
    for (std::int64_t i = 0; i < D; ++i) x.push_back(real(state >> i & 1));
    return x;
  }
  Doubles log_unnormalised() const {
    Doubles all;
    for (std::int64_t s = 0; s < std::int64_t{1} << D; ++s) all.push_back(log_unnormalised(cells(s)));
    return all;
  }
};

}  // namespace deepgen::machines
