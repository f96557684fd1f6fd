// Products whose first factor is mostly zeros: bits, one-hot groups, samples of units.
//
// The factor becomes lists of its entries that are not zero, and a row of the product is the sum, in the order
// of its list, of rows of the other factor:
//
//   out(r, j) = keep out(r, j) + scale (sum_e value(r, e) dense(place(r, e), j) - shift(r) across(j)).
//
// A dense product spends a multiplication on every entry, this one on those that count: digits are 13 to 19 %
// ones. Every variant adds the same terms in the same order by fused multiply-adds, so all agree to the bit,
// and no cut into rows or columns changes a sum.
#pragma once

#include <cstdint>

namespace deepgen {

// Where matrix [rows, columns] is not zero: list r of row r, or with `by_columns` list j of column j, in rising
// order. Lists are `capacity` apart, which leaves room for the longest and, behind each, for list_slack entries.
constexpr std::int64_t list_slack = 16;

struct NonzeroLists {
  const float* matrix;
  std::int64_t rows, columns, stride;
  bool by_columns = false;
  std::int64_t capacity;
  std::int32_t* place;   // [lists, capacity]: columns (by_columns: rows)
  float* value;          // [lists, capacity]
  std::int32_t* length;  // [lists]
};

struct SparseProduct {
  const std::int32_t *place, *length;  // as above
  const float* value;                  // nullptr: every entry is 1
  std::int64_t capacity;
  const float* dense;                // [any, columns]
  std::int64_t dense_stride, first;  // `first`: the column of `out` where column 0 of `dense` goes
  std::int64_t columns;
  const float* shift = nullptr;   // [rows], or nullptr: zero
  const float* across = nullptr;  // [columns], where there is a shift
  float* out;                     // [rows, out_stride]
  std::int64_t out_stride;
  float scale = 1, keep = 0;
};

// packed(k, j) = rows(j, k): `count` rows of `inner` columns, `stride` apart, become columns side by side.
struct PackedTranspose {
  const float* rows;
  std::int64_t count, inner, stride;
  float* packed;  // [inner, count]
};

struct SparsePasses {
  // Makes lists [begin, end); true when every entry is 1.
  bool (*list_nonzeros)(const NonzeroLists&, std::int64_t begin, std::int64_t end);
  void (*sparse_product)(const SparseProduct&, std::int64_t row_begin, std::int64_t row_end);
  void (*pack_transposed)(const PackedTranspose&);
};

// Those of the kernels in use; of these kernels by name.
const SparsePasses& sparse_passes();

extern const SparsePasses reference_sparse_passes, avx2_sparse_passes, avx512_sparse_passes;

}  // namespace deepgen
