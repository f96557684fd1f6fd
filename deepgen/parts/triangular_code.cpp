// Gaussians with full covariance (gaussian_code.h): products with and solutions by small triangular matrices.
#include "deepgen/parts/triangular_code.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/parts/gaussian_code.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Sizes {
  std::int64_t cases, units, draws;
  Sizes(const Tensor& diagonal, const Tensor& rows)
      : cases(diagonal.size(0)),
        units(diagonal.size(1)),
        draws(rows.size(0) / std::max<std::int64_t>(1, cases)) {}
};

// body(case) for all cases.
template <class Body>
void over_cases(const Sizes& sizes, Body body) {
  const double work = 0.5 * static_cast<double>(sizes.draws * sizes.units * sizes.units);
  parallel_ranges(sizes.cases, work, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) body(b);
  });
}

// One case's matrix: the diagonal, and the rest row by row.
struct Triangle {
  const float *diagonal, *below;
  std::int64_t units;
  Triangle(const Tensor& d, const Tensor& b, std::int64_t which)
      : diagonal(d.data_ptr<float>() + which * d.size(1)),
        below(b.data_ptr<float>() + which * b.size(1)),
        units(d.size(1)) {}
  const float* row(std::int64_t i) const { return below + i * (i - 1) / 2; }

  void multiply(const float* n, float* out) const {  // L n
    for (std::int64_t i = 0; i < units; ++i) {
      float sum = diagonal[i] * n[i];
      for (std::int64_t j = 0; j < i; ++j) sum += row(i)[j] * n[j];
      out[i] = sum;
    }
  }
  void solve(const float* y, float* out) const {  // L^-1 y
    for (std::int64_t i = 0; i < units; ++i) {
      float rest = y[i];
      for (std::int64_t j = 0; j < i; ++j) rest -= row(i)[j] * out[j];
      out[i] = rest / diagonal[i];
    }
  }
  void multiply_transposed(const float* g, float* out) const {  // L^T g
    for (std::int64_t j = 0; j < units; ++j) out[j] = diagonal[j] * g[j];
    for (std::int64_t i = 0; i < units; ++i)
      for (std::int64_t j = 0; j < i; ++j) out[j] += row(i)[j] * g[i];
  }
  void solve_transposed(const float* g, float* out) const {  // L^-T g
    for (std::int64_t i = 0; i < units; ++i) out[i] = g[i];
    for (std::int64_t i = units - 1; i >= 0; --i) {
      out[i] /= diagonal[i];
      for (std::int64_t j = 0; j < i; ++j) out[j] -= row(i)[j] * out[i];
    }
  }
};

// += scale * a b^T in the places of a triangle.
void add_outer(float* diagonal, float* below, const float* a, const float* b, float scale,
               std::int64_t units) {
  for (std::int64_t i = 0; i < units; ++i) {
    const float left = scale * a[i];
    diagonal[i] += left * b[i];
    float* row = below + i * (i - 1) / 2;
    for (std::int64_t j = 0; j < i; ++j) row[j] += left * b[j];
  }
}

class Product : public torch::autograd::Function<Product> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& diagonal_given, const Tensor& below_given,
                        const Tensor& noise_given) {
    const Tensor diagonal = diagonal_given.contiguous(), below = below_given.contiguous(),
                 noise = noise_given.contiguous();
    const Sizes sizes(diagonal, noise);
    Tensor out = at::empty_like(noise);
    over_cases(sizes, [&](std::int64_t b) {
      const Triangle triangle(diagonal, below, b);
      for (std::int64_t r = b * sizes.draws; r < (b + 1) * sizes.draws; ++r)
        triangle.multiply(noise.data_ptr<float>() + r * sizes.units, out.data_ptr<float>() + r * sizes.units);
    });
    context->save_for_backward({diagonal, below, noise});
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &diagonal = saved[0], &below = saved[1], &noise = saved[2];
    const Sizes sizes(diagonal, noise);
    const Tensor g = gradients[0].contiguous();
    Tensor to_diagonal = at::zeros_like(diagonal), to_below = at::zeros_like(below),
           to_noise = at::empty_like(noise);
    over_cases(sizes, [&](std::int64_t b) {
      const Triangle triangle(diagonal, below, b);
      for (std::int64_t r = b * sizes.draws; r < (b + 1) * sizes.draws; ++r) {
        const float* row = g.data_ptr<float>() + r * sizes.units;
        add_outer(to_diagonal.data_ptr<float>() + b * sizes.units,
                  to_below.data_ptr<float>() + b * below.size(1), row,
                  noise.data_ptr<float>() + r * sizes.units, 1, sizes.units);
        triangle.multiply_transposed(row, to_noise.data_ptr<float>() + r * sizes.units);
      }
    });
    return {to_diagonal, to_below, to_noise};
  }
};

// u = L^-1 y. With w = L^-T g:  dy = w,  dL = -w u^T where L has entries.
class Solution : public torch::autograd::Function<Solution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& diagonal_given, const Tensor& below_given,
                        const Tensor& y_given) {
    const Tensor diagonal = diagonal_given.contiguous(), below = below_given.contiguous(),
                 y = y_given.contiguous();
    const Sizes sizes(diagonal, y);
    Tensor out = at::empty_like(y);
    over_cases(sizes, [&](std::int64_t b) {
      const Triangle triangle(diagonal, below, b);
      for (std::int64_t r = b * sizes.draws; r < (b + 1) * sizes.draws; ++r)
        triangle.solve(y.data_ptr<float>() + r * sizes.units, out.data_ptr<float>() + r * sizes.units);
    });
    context->save_for_backward({diagonal, below, out});
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &diagonal = saved[0], &below = saved[1], &u = saved[2];
    const Sizes sizes(diagonal, u);
    const Tensor g = gradients[0].contiguous();
    Tensor to_diagonal = at::zeros_like(diagonal), to_below = at::zeros_like(below), to_y = at::empty_like(u);
    over_cases(sizes, [&](std::int64_t b) {
      const Triangle triangle(diagonal, below, b);
      for (std::int64_t r = b * sizes.draws; r < (b + 1) * sizes.draws; ++r) {
        float* w = to_y.data_ptr<float>() + r * sizes.units;
        triangle.solve_transposed(g.data_ptr<float>() + r * sizes.units, w);
        add_outer(to_diagonal.data_ptr<float>() + b * sizes.units,
                  to_below.data_ptr<float>() + b * below.size(1), w, u.data_ptr<float>() + r * sizes.units,
                  -1, sizes.units);
      }
    });
    return {to_diagonal, to_below, to_y};
  }
};

}  // namespace

Tensor triangular_product(const Tensor& diagonal, const Tensor& below, const Tensor& noise) {
  return Product::apply(diagonal, below, noise);
}

Tensor triangular_solution(const Tensor& diagonal, const Tensor& below, const Tensor& y) {
  return Solution::apply(diagonal, below, y);
}

Tensor row_squares(const Tensor& below, std::int64_t units) {
  std::vector<Tensor> sums = {at::zeros({below.size(0)}, below.options())};
  for (std::int64_t i = 1; i < units; ++i)
    sums.push_back(below.narrow(1, i * (i - 1) / 2, i).square().sum(1));
  return at::stack(sums, 1);
}

}  // namespace deepgen
