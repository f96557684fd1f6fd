#include "deepgen/ops/products.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>

#include "deepgen/core/interruption.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/kernels/team.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/column_parts.h"
#include "deepgen/ops/sparse_products.h"

namespace deepgen {
namespace {

// How BLAS sees a matrix: row by row, or as the transpose of one that is.
struct View {
  const float* data;
  bool usable, transposed;
  std::int64_t stride;
};

View view_of(const Tensor& x) {
  const bool plain = x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 2;
  if (!plain) return {nullptr, false, false, 0};
  const float* data = x.data_ptr<float>();
  if (x.stride(1) == 1 || x.size(1) == 1)
    return {data, x.stride(0) >= x.size(1) || x.size(0) == 1, false, std::max(x.stride(0), x.size(1))};
  if (x.stride(0) == 1 || x.size(0) == 1)
    return {data, x.stride(1) >= x.size(0), true, std::max(x.stride(1), x.size(0))};
  return {nullptr, false, false, 0};
}

// Once: OpenBLAS cuts products differently for several threads, and its own would contend with ours. It changes
// how many threads OpenMP gives to others, which must stay.
void keep_blas_to_its_thread() {
  static const bool done = [] {
    const int before = omp_get_max_threads();
    openblas_set_num_threads(1);
    omp_set_num_threads(before);
    return true;
  }();
  static_cast<void>(done);
}

constexpr std::int64_t small_product = 262144;  // multiplications below which OpenBLAS itself uses one thread
constexpr std::int64_t part_columns = 192;      // narrower parts spend too much on packing `a` again for each

ProductViews lists_view(const View& a, const View& b, Tensor& out, std::int64_t inner, double scale,
                        double keep) {
  return {.rows = out.size(0),
          .inner = inner,
          .columns = out.size(1),
          .a = a.data,
          .a_stride = a.stride,
          .a_transposed = a.transposed,
          .b = b.data,
          .b_stride = b.stride,
          .b_transposed = b.transposed,
          .out = out.data_ptr<float>(),
          .scale = static_cast<float>(scale),
          .keep = static_cast<float>(keep)};
}

}  // namespace

void multiply_shifted(Tensor& out, const Tensor& a, const Tensor& shift, const Tensor& b, double scale,
                      double keep) {
  interruption_point();
  const View va = view_of(a), vb = view_of(b);
  if (va.usable && vb.usable && shift.is_contiguous() && out.is_contiguous()) {
    ProductViews product = lists_view(va, vb, out, a.size(1), scale, keep);
    if (worth_lists(product)) {
      Tensor across = at::empty({b.size(1)});
      column_sums(b, 1, false, across);
      product.shift = shift.data_ptr<float>(), product.across = across.data_ptr<float>();
      return multiply_lists(product);
    }
  }
  multiply(out, a - shift.unsqueeze(1), b, scale, keep);
}

void multiply(Tensor& out, const Tensor& a, const Tensor& b, double scale, double keep) {
  interruption_point();
  const View va = view_of(a), vb = view_of(b);
  if (!va.usable || !vb.usable || !out.is_contiguous()) return composed::multiply(out, a, b, scale, keep);
  const ProductViews lists = lists_view(va, vb, out, a.size(1), scale, keep);
  if (worth_lists(lists)) return multiply_lists(lists);
  const std::int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  float* c = out.data_ptr<float>();
  auto columns = [&](std::int64_t begin, std::int64_t end) {
    const float* slice = vb.data + (vb.transposed ? begin * vb.stride : begin);
    cblas_sgemm(CblasRowMajor, va.transposed ? CblasTrans : CblasNoTrans,
                vb.transposed ? CblasTrans : CblasNoTrans, static_cast<int>(m), static_cast<int>(end - begin),
                static_cast<int>(k), static_cast<float>(scale), va.data, static_cast<int>(va.stride), slice,
                static_cast<int>(vb.stride), static_cast<float>(keep), c + begin, static_cast<int>(n));
  };
  if (m * n * k <= small_product) return columns(0, n);
  const ColumnParts parts = ColumnParts::of(n, part_columns);
  keep_blas_to_its_thread();
  share_parts(parts.count, threads(),
              [&](std::int64_t part, int) { columns(parts.border(part), parts.border(part + 1)); });
}

void multiply_alone(const RawMatrix& a, const RawMatrix& b, float* out, std::int64_t out_stride, bool add) {
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, static_cast<int>(a.rows), static_cast<int>(b.columns),
              static_cast<int>(a.columns), 1, a.data, static_cast<int>(a.stride), b.data,
              static_cast<int>(b.stride), add ? 1.0F : 0.0F, out, static_cast<int>(out_stride));
}

void share_items(std::int64_t items, const std::function<void(std::int64_t, int)>& body) {
  keep_blas_to_its_thread();
  share_parts(items, threads(), [&](std::int64_t item, int thread) {
    interruption_point();  // heard by the calling thread, which has a share
    body(item, thread);
  });
}

Tensor row_dots(const Tensor& a, const Tensor& b) {
  interruption_point();
  auto usable = [](const Tensor& x) {
    return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
  };
  if (!usable(a) || !usable(b)) return composed::row_dots(a, b);
  constexpr std::int64_t lanes = 32;  // partial sums, so that the compiler can use wide registers
  const std::int64_t n = a.size(1);
  Tensor out = at::empty({a.size(0)});
  parallel_ranges(a.size(0), 0.1 * static_cast<double>(n), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* x = a.data_ptr<float>() + i * n;
      const float* y = b.data_ptr<float>() + (b.size(0) == 1 ? 0 : i * n);
      float sums[lanes] = {};
      std::int64_t j = 0;
      for (; j + lanes <= n; j += lanes)
        for (std::int64_t k = 0; k < lanes; ++k) sums[k] += x[j + k] * y[j + k];
      for (; j < n; ++j) sums[0] += x[j] * y[j];
      float total = 0;
      for (const float part : sums) total += part;
      out.data_ptr<float>()[i] = total;
    }
  });
  return out;
}

namespace composed {
Tensor row_dots(const Tensor& a, const Tensor& b) { return (a * b).sum(1); }

void multiply(Tensor& out, const Tensor& a, const Tensor& b, double scale, double keep) {
  torch::NoGradGuard no_graph;
  at::addmm_out(out, out, a, b, keep, scale);
}
}  // namespace composed
}  // namespace deepgen
