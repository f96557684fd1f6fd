#include "deepgen/parts/likelihoods/mixture_blocks.h"

#include <array>
#include <atomic>
#include <bit>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products64.h"

namespace deepgen {

double* kept_numbers(std::size_t slot, std::int64_t size) {
  thread_local std::array<std::vector<double>, 6> kept;
  std::vector<double>& own = kept.at(slot);
  if (own.size() < static_cast<std::size_t>(size)) own = std::vector<double>(static_cast<std::size_t>(size));
  return own.data();
}

void share_work(std::int64_t items, std::int64_t multiplications,
                const std::function<void(std::int64_t)>& body) {
  if (multiplications > small_product64)
    return share_items(items, [&](std::int64_t item, int) { body(item); });
  for (std::int64_t item = 0; item < items; ++item) body(item);
}

// By their bits: a sum of them would wait for each addition.
std::int64_t missing_among(const float* values, std::int64_t count) {
  constexpr std::int32_t without_sign = 0x7fffffff, infinite = 0x7f800000;
  std::int32_t found = 0;
#pragma omp simd reduction(+ : found)
  for (std::int64_t i = 0; i < count; ++i)
    found += (std::bit_cast<std::int32_t>(values[i]) & without_sign) > infinite ? 1 : 0;
  return found;
}

bool any_missing(const Tensor& x) {
  const float* values = x.data_ptr<float>();
  std::atomic<bool> found = false;
  parallel_ranges(x.numel(), 0.2, 4096, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t piece = 65536;
    for (; begin < end && !found; begin += piece)
      if (missing_among(values + begin, std::min(piece, end - begin)) > 0) found = true;
  });
  return found;
}

}  // namespace deepgen
