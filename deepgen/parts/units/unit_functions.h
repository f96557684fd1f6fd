// The functions of the unit algebra that are no one-liners, element by element.
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// 1 / (1 + e^-a), in the precision of a; float32 of equal bits on any number of threads.
Tensor binary_mean(const Tensor& a);

// log((e^a - 1) / a): a unit with values in [0, 1]. Float64 in, float64 out.
Tensor interval_log_partition(const Tensor& a);
Tensor interval_mean(const Tensor& a);
// The a at which the mean is m, 0 < m < 1.
Tensor interval_activation(const Tensor& m);

// sum_k=1..copies log(1 + e^(a - k + 1/2)); copies 0: endlessly many. Float64.
Tensor steps_log_partition(const Tensor& a, std::int64_t copies);
// Its derivative within 2e-5, in the precision of a.
Tensor steps_mean(const Tensor& a, std::int64_t copies);
// The number of copies that are on: an exact draw, one pass over a per copy that can be on.
Tensor steps_sample(const Tensor& a, std::int64_t copies, Rng& rng);
// log e_x: how much all states of the copies with x of them on weigh at a = 0. x whole, 0 <= x (<= copies).
Tensor steps_log_base(const Tensor& x, std::int64_t copies);

// Draws of a Poisson variable with mean e^a, by inversion below 10 and by transformed rejection above
// (Hoermann 1993, "The transformed rejection method for generating Poisson random variables", PTRS). Means
// above 1e7 are drawn as 1e7.
Tensor poisson_sample(const Tensor& a, Rng& rng);

// The x at which an increasing function is `target`, element by element, by bisection between low and high.
template <class F>
Tensor bisect(const Tensor& target, double low, double high, F increasing) {
  Tensor from = at::full_like(target, low), to = at::full_like(target, high);
  for (int i = 0; i < 80; ++i) {
    const Tensor middle = (from + to) / 2;
    const Tensor below = increasing(middle) < target;
    from = at::where(below, middle, from);
    to = at::where(below, to, middle);
  }
  return (from + to) / 2;
}

}  // namespace deepgen
