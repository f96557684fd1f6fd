#include "deepgen/models/boltzmann/dbm_doubled.h"

#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/couplings/dense_coupling.h"

namespace deepgen {
namespace {

Tensor means_of_copies(const Tensor& input, const Tensor& bias, double strength) {
  Tensor mean = at::empty_like(input);
  Rng unused(0);
  binary_layer(input, bias, strength, unused.next(), {.mean = mean});
  return mean;
}

Tensor sum_of_copies(const Tensor& input, const Tensor& bias, double strength, std::int64_t copies,
                     Rng& rng) {
  Tensor sum = at::empty_like(input);
  binary_layer(input, bias, strength, rng.next(), {.sample = sum});
  for (std::int64_t copy = 1; copy < copies; ++copy) {
    Tensor other = at::empty_like(input);
    binary_layer(input, bias, strength, rng.next(), {.sample = other});
    sum.add_(other);
  }
  return sum;
}

}  // namespace

Tensor DoubledMachine::input_to_upper(const Tensor& lower_sum) const {
  Tensor input;
  DenseCoupling(weights).input_to_upper(input, lower_sum);
  return input;
}

Tensor DoubledMachine::input_to_lower(const Tensor& upper_sum) const {
  Tensor input;
  DenseCoupling(weights).input_to_lower(input, upper_sum);
  return input;
}

Tensor DoubledMachine::upper_means(const Tensor& input) const {
  return means_of_copies(input, upper_bias, strength());
}

Tensor DoubledMachine::lower_means(const Tensor& input) const {
  return means_of_copies(input, lower_bias, strength());
}

Tensor DoubledMachine::draw_upper(const Tensor& input, Rng& rng) const {
  return sum_of_copies(input, upper_bias, strength(), upper_copies(), rng);
}

Tensor DoubledMachine::draw_lower(const Tensor& input, Rng& rng) const {
  return sum_of_copies(input, lower_bias, strength(), lower_copies(), rng);
}

}  // namespace deepgen
