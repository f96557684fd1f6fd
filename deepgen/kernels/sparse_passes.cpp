// The loops of sparse_passes.h written plainly, and the choice between the sets.
#include "deepgen/kernels/sparse_passes.h"

#include <cmath>
#include <string_view>

#include "deepgen/kernels/kernels.h"

namespace deepgen {
namespace {

bool list_nonzeros(const NonzeroLists& lists, std::int64_t begin, std::int64_t end) {
  bool ones = true;
  for (std::int64_t list = begin; list < end; ++list) {
    const std::int64_t all = lists.by_columns ? lists.rows : lists.columns;
    std::int32_t length = 0;
    for (std::int64_t i = 0; i < all; ++i) {
      const float x = lists.matrix[lists.by_columns ? i * lists.stride + list : list * lists.stride + i];
      if (x == 0) continue;
      lists.place[list * lists.capacity + length] = static_cast<std::int32_t>(i);
      lists.value[list * lists.capacity + length++] = x;
      ones = ones && x == 1;
    }
    lists.length[list] = length;
  }
  return ones;
}

void sparse_product(const SparseProduct& p, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t r = row_begin; r < row_end; ++r)
    for (std::int64_t j = 0; j < p.columns; ++j) {
      float sum = p.shift ? -p.shift[r] * p.across[j] : 0;
      for (std::int64_t e = r * p.capacity; e < r * p.capacity + p.length[r]; ++e) {
        const float x = p.dense[p.place[e] * p.dense_stride + j];
        sum = p.value ? std::fma(p.value[e], x, sum) : sum + x;
      }
      float& out = p.out[r * p.out_stride + p.first + j];
      out = p.keep == 0 ? p.scale * sum : std::fma(p.scale, sum, p.keep * out);
    }
}

void pack_transposed(const PackedTranspose& p) {
  for (std::int64_t j = 0; j < p.count; ++j)
    for (std::int64_t k = 0; k < p.inner; ++k) p.packed[k * p.count + j] = p.rows[j * p.stride + k];
}

}  // namespace

const SparsePasses reference_sparse_passes = {list_nonzeros, sparse_product, pack_transposed};

const SparsePasses& sparse_passes() {
  const std::string_view name = kernels().name;
  if (name == "avx512") return avx512_sparse_passes;
  if (name == "avx2") return avx2_sparse_passes;
  return reference_sparse_passes;
}

}  // namespace deepgen
