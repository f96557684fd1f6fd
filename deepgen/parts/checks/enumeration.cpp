#include "deepgen/parts/checks/enumeration.h"

#include <algorithm>
#include <cmath>

namespace deepgen {

Tensor binary_states(std::int64_t first, std::int64_t count, std::int64_t n) {
  Tensor states = at::empty({count, n}, at::kDouble);
  double* out = states.data_ptr<double>();
  for (std::int64_t s = 0; s < count; ++s)
    for (std::int64_t i = 0; i < n; ++i) out[s * n + i] = static_cast<double>(((first + s) >> i) & 1);
  return states;
}

void for_each_block_of_states(std::int64_t n, std::int64_t width,
                              const std::function<void(std::int64_t first, const Tensor& states)>& body) {
  const std::int64_t all = std::int64_t{1} << n;
  // About 8 MB of float64 activations a block: large enough for the matrix product, small enough for the
  // cache.
  const std::int64_t block =
      std::clamp<std::int64_t>((std::int64_t{1} << 20) / std::max<std::int64_t>(width, 1), 64, 8192);
  for (std::int64_t first = 0; first < all; first += block)
    body(first, binary_states(first, std::min(block, all - first), n));
}

void LogSumExp::add(const Tensor& values) {
  if (values.numel() == 0) return;
  const double largest = values.max().item<double>();
  if (largest == -std::numeric_limits<double>::infinity()) return;
  const double sum = (values - largest).exp().sum().item<double>();
  if (largest <= maximum_) {
    sum_ += sum * std::exp(largest - maximum_);
  } else {
    sum_ = sum_ * std::exp(maximum_ - largest) + sum;
    maximum_ = largest;
  }
}

double LogSumExp::value() const { return maximum_ + std::log(sum_); }

}  // namespace deepgen
