#include "deepgen/parts/likelihoods/mixture_blocks.h"

#include <array>
#include <atomic>
#include <bit>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products64.h"
#include "deepgen/ops/sparse_products.h"

namespace deepgen {
namespace {

// Measured: of fewer components lists of the ones (sparse_products.h) cost as much as dense products.
constexpr std::int64_t components_for_lists = 64;

// Whether products of K columns with the bits x [N, D] or, `across`, with their transpose go by lists.
bool by_lists(const Tensor& x, std::int64_t k, bool across) {
  if (k < components_for_lists) return false;
  const std::int64_t n = x.size(0), d = x.size(1);
  ProductViews product{};
  product.rows = across ? d : n, product.inner = across ? n : d, product.columns = k;
  product.a = x.data_ptr<float>(), product.a_stride = d, product.a_transposed = across;
  return worth_lists(product);
}

}  // namespace

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

// Few components leave no columns to share out: then blocks of rows are.
void rows_times(const Tensor& x, const Tensor& y, Tensor& out) {
  constexpr std::int64_t many = 384, block = block_rows / 2;
  const std::int64_t n = x.size(0), d = x.size(1), k = y.size(0);
  if (k >= many || by_lists(x, k, false)) return multiply(out, x, y.t());
  const float *rows = x.data_ptr<float>(), *others = y.data_ptr<float>();
  auto* products = out.data_ptr<float>();
  share_work((n + block - 1) / block, n * k * d, [&](std::int64_t item) {
    const std::int64_t first = item * block, count = std::min(block, n - first);
    multiply_alone({rows + first * d, count, d, d}, {others, d, k, d, true}, products + first * k, k, false);
  });
}

Tensor shares_times(const Tensor& r, const Tensor& x, Tensor& kept) {
  const std::int64_t d = x.size(1), k = r.size(1);
  if (!kept.defined()) kept = at::empty({d * k});
  const bool across = by_lists(x, k, true);
  Tensor out = across ? kept.view({d, k}) : kept.view({k, d});
  if (!across) {
    multiply(out, r.t(), x);
    return out;
  }
  multiply(out, x.t(), r);
  return out.t();
}

}  // namespace deepgen
