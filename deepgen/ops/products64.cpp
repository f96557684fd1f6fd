#include "deepgen/ops/products64.h"

#include <cblas.h>

#include <algorithm>

#include "deepgen/core/interruption.h"
#include "deepgen/ops/column_parts.h"

namespace deepgen {
namespace {

// How BLAS sees a matrix: row by row, or as the transpose of one that is; data is null where it cannot.
RawMatrix64 dense64(const Tensor& x) {
  const bool plain = x.device().is_cpu() && x.scalar_type() == at::kDouble && x.dim() == 2;
  if (!plain) return {nullptr, 0, 0, 0};
  const std::int64_t rows = x.size(0), columns = x.size(1), down = x.stride(0), right = x.stride(1);
  if ((right == 1 || columns == 1) && (down >= columns || rows == 1))
    return {x.data_ptr<double>(), rows, columns, std::max(down, columns), false};
  if ((down == 1 || rows == 1) && (right >= rows || columns == 1))
    return {x.data_ptr<double>(), rows, columns, std::max(right, rows), true};
  return {nullptr, 0, 0, 0};
}

CBLAS_TRANSPOSE blas_flag(const RawMatrix64& x) { return x.transposed ? CblasTrans : CblasNoTrans; }

RawMatrix64 some_columns(RawMatrix64 x, std::int64_t begin, std::int64_t end) {
  x.data += begin * (x.transposed ? x.stride : 1);
  x.columns = end - begin;
  return x;
}

void dgemm(const RawMatrix64& a, const RawMatrix64& b, double* out, std::int64_t out_stride, double scale,
           double keep) {
  cblas_dgemm(CblasRowMajor, blas_flag(a), blas_flag(b), static_cast<int>(a.rows),
              static_cast<int>(b.columns), static_cast<int>(a.columns), scale, a.data,
              static_cast<int>(a.stride), b.data, static_cast<int>(b.stride), keep, out,
              static_cast<int>(out_stride));
}

constexpr std::int64_t narrowest64 = 96;  // narrower parts spend too much on packing `a` again for each

}  // namespace

void multiply64(Tensor& out, const Tensor& a, const Tensor& b, double scale, double keep) {
  interruption_point();
  const RawMatrix64 left = dense64(a), right = dense64(b);
  if (!left.data || !right.data || !out.is_contiguous() || out.scalar_type() != at::kDouble)
    return composed::multiply64(out, a, b, scale, keep);
  const std::int64_t m = left.rows, k = left.columns, n = right.columns;
  auto* c = out.data_ptr<double>();
  if (m == 0 || n == 0) return;
  if (m * n * k <= small_product64) return dgemm(left, right, c, n, scale, keep);
  const ColumnParts parts = ColumnParts::of(n, narrowest64);
  share_items(parts.count, [&](std::int64_t part, int) {
    dgemm(left, some_columns(right, parts.border(part), parts.border(part + 1)), c + parts.border(part), n,
          scale, keep);
  });
}

void multiply_alone64(const RawMatrix64& a, const RawMatrix64& b, double* out, std::int64_t out_stride,
                      bool add) {
  dgemm(a, b, out, out_stride, 1, add ? 1 : 0);
}

void solve_rows_alone64(const double* lower, std::int64_t columns, double* rows, std::int64_t count) {
  const int d = static_cast<int>(columns);
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, static_cast<int>(count), d, 1,
              lower, d, rows, d);
}

void add_squares_alone64(const double* rows, std::int64_t count, std::int64_t columns, double* out) {
  const int d = static_cast<int>(columns);
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, d, static_cast<int>(count), 1, rows, d, 1, out, d);
}

namespace composed {
void multiply64(Tensor& out, const Tensor& a, const Tensor& b, double scale, double keep) {
  torch::NoGradGuard no_graph;
  at::addmm_out(out, out, a, b, keep, scale);
}
}  // namespace composed
}  // namespace deepgen
