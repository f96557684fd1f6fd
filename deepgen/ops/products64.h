// Float64 products whose bits do not depend on the number of threads: products.h in double precision, for sums
// that must keep more digits than float32 has.
#pragma once

#include "deepgen/ops/products.h"

namespace deepgen {

// out [M, N] = keep * out + scale * a b, a [M, K], b [K, N] float64; a and b dense or transposed, out dense.
void multiply64(Tensor& out, const Tensor& a, const Tensor& b, double scale = 1, double keep = 0);

// Multiplications below which OpenBLAS uses one thread for a general product: where a whole piece of work has
// no more, multiply_alone64 may be called outside share_items too, and nobody is woken.
constexpr std::int64_t small_product64 = 262144;

// ---------------------------------------------------------------- on the calling thread, within share_items

// A matrix in memory, row by row, its rows `stride` numbers apart; transposed: memory holds its transpose.
struct RawMatrix64 {
  const double* data;
  std::int64_t rows, columns, stride;
  bool transposed = false;
};

// out [M, N], its rows out_stride apart, = (add ? out : 0) + a b.
void multiply_alone64(const RawMatrix64& a, const RawMatrix64& b, double* out, std::int64_t out_stride,
                      bool add);

// Each of `count` dense rows [D] becomes L^-1 row; lower [D, D] dense, what is above its diagonal is not read.
void solve_rows_alone64(const double* lower, std::int64_t columns, double* rows, std::int64_t count);

// The lower half of out [D, D] += rows' rows, rows [count, D] dense; what is above its diagonal stays.
void add_squares_alone64(const double* rows, std::int64_t count, std::int64_t columns, double* out);

namespace composed {
void multiply64(Tensor& out, const Tensor& a, const Tensor& b, double scale = 1, double keep = 0);
}  // namespace composed

}  // namespace deepgen
