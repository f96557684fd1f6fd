// Matrix products whose bits do not depend on the number of threads.
//
// OpenBLAS cuts the inner dimension differently with one thread and with several, so its sums round
// differently. Here the columns of the output are cut by its size alone into parts of some two hundred, each
// an ordinary one-threaded product, and the parts are shared out among the threads. Where the first factor is
// mostly zeros, as bits and one-hot groups are, the product runs over lists of the others (sparse_products.h).
#pragma once

#include <functional>

#include "deepgen/core/torch.h"

namespace deepgen {

// out [M, N] = keep * out + scale * a b, a [M, K], b [K, N] float32; a and b dense or transposed, out dense.
void multiply(Tensor& out, const Tensor& a, const Tensor& b, double scale = 1, double keep = 0);

// out = keep * out + scale * (a - s) b, where row i of a [M, K] is taken less s_i of `shift` [M]. With an `a` of
// mostly zeros it is formed as a b - s (1 b), which leaves the zeros out.
void multiply_shifted(Tensor& out, const Tensor& a, const Tensor& shift, const Tensor& b, double scale = 1,
                      double keep = 0);

// sum_j a(i, j) b(i, j) for each row i, [M]; a [M, N] dense, b [M, N] dense or one row [1, N] for all.
Tensor row_dots(const Tensor& a, const Tensor& b);

// A matrix in memory, row by row, its rows `stride` floats apart; transposed: memory holds its transpose.
struct RawMatrix {
  const float* data;
  std::int64_t rows, columns, stride;
  bool transposed = false;
};

// out [M, N], its rows out_stride apart, = (add ? out : 0) + a b on the calling thread, within share_items.
void multiply_alone(const RawMatrix& a, const RawMatrix& b, float* out, std::int64_t out_stride, bool add);

// body(item, thread) for every item of [0, items), items shared out among threads() threads, each of which
// takes its own in order. Matrix products inside keep to their thread, so their bits depend on neither.
void share_items(std::int64_t items, const std::function<void(std::int64_t item, int thread)>& body);

namespace composed {
Tensor row_dots(const Tensor& a, const Tensor& b);
void multiply(Tensor& out, const Tensor& a, const Tensor& b, double scale = 1, double keep = 0);
}  // namespace composed

}  // namespace deepgen
