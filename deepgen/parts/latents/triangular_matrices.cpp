#include "deepgen/parts/latents/triangular_matrices.h"

#include "deepgen/kernels/kernels.h"

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

// body(triangle, case, own, other): row r of `own` and of `other` [cases * draws, units] beside the triangle
// of their case, for all rows.
template <class Body>
void over_draws(const Tensor& diagonal, const Tensor& below, const Tensor& own, const Tensor& other,
                Body body) {
  const Sizes sizes(diagonal, own);
  over_cases(sizes, [&](std::int64_t b) {
    const Triangle triangle(diagonal, below, b);
    for (std::int64_t r = b * sizes.draws; r < (b + 1) * sizes.draws; ++r)
      body(triangle, b, own.data_ptr<float>() + r * sizes.units, other.data_ptr<float>() + r * sizes.units);
  });
}

// The gradient of the entries of a triangle, added up over its draws.
struct TriangleGradient {
  Tensor diagonal, below;
  TriangleGradient(const Tensor& d, const Tensor& b)
      : diagonal(at::zeros_like(d)), below(at::zeros_like(b)) {}
  // += scale * left right^T in the places of case b's triangle.
  void add_outer(std::int64_t b, const float* left, const float* right, float scale) {
    const std::int64_t units = diagonal.size(1);
    float *on = diagonal.data_ptr<float>() + b * units, *row = below.data_ptr<float>() + b * below.size(1);
    for (std::int64_t i = 0; i < units; row += i, ++i) {
      const float factor = scale * left[i];
      on[i] += factor * right[i];
      for (std::int64_t j = 0; j < i; ++j) row[j] += factor * right[j];
    }
  }
};

//   y = L n
//
// With g the gradient of y, where L has entries:
//
//   dn = L^T g
//   dL = g n^T
class Product : public torch::autograd::Function<Product> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& diagonal, const Tensor& below,
                        const Tensor& noise) {
    Tensor out = at::empty_like(noise);
    over_draws(diagonal, below, noise, out,
               [](const Triangle& l, std::int64_t, const float* n, float* y) { l.multiply(n, y); });
    context->save_for_backward({diagonal, below, noise});
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &diagonal = saved[0], &below = saved[1], &noise = saved[2];
    const Tensor g = gradients[0].contiguous();
    TriangleGradient to_l(diagonal, below);
    Tensor to_noise = at::empty_like(noise);
    over_draws(diagonal, below, g, noise,
               [&](const Triangle&, std::int64_t b, const float* gy, const float* n) {
                 to_l.add_outer(b, gy, n, 1);
               });
    over_draws(diagonal, below, g, to_noise, [](const Triangle& l, std::int64_t, const float* gy, float* gn) {
      l.multiply_transposed(gy, gn);
    });
    return {to_l.diagonal, to_l.below, to_noise};
  }
};

//   u = L^-1 y
//
// With g the gradient of u and w = L^-T g, where L has entries:
//
//   dy = w
//   dL = -w u^T
class Solution : public torch::autograd::Function<Solution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& diagonal, const Tensor& below,
                        const Tensor& y) {
    Tensor out = at::empty_like(y);
    over_draws(diagonal, below, y, out,
               [](const Triangle& l, std::int64_t, const float* row, float* u) { l.solve(row, u); });
    context->save_for_backward({diagonal, below, out});
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &diagonal = saved[0], &below = saved[1], &u = saved[2];
    const Tensor g = gradients[0].contiguous();
    TriangleGradient to_l(diagonal, below);
    Tensor to_y = at::empty_like(u);
    over_draws(diagonal, below, g, to_y,
               [](const Triangle& l, std::int64_t, const float* gu, float* w) { l.solve_transposed(gu, w); });
    over_draws(diagonal, below, to_y, u,
               [&](const Triangle&, std::int64_t b, const float* w, const float* solved) {
                 to_l.add_outer(b, w, solved, -1);
               });
    return {to_l.diagonal, to_l.below, to_y};
  }
};

}  // namespace

Tensor triangular_product(const Tensor& diagonal, const Tensor& below, const Tensor& noise) {
  return Product::apply(diagonal.contiguous(), below.contiguous(), noise.contiguous());
}

Tensor triangular_solution(const Tensor& diagonal, const Tensor& below, const Tensor& y) {
  return Solution::apply(diagonal.contiguous(), below.contiguous(), y.contiguous());
}

Tensor row_squares(const Tensor& below, std::int64_t units) {
  std::vector<Tensor> sums = {at::zeros({below.size(0)}, below.options())};
  for (std::int64_t i = 1; i < units; ++i)
    sums.push_back(below.narrow(1, i * (i - 1) / 2, i).square().sum(1));
  return at::stack(sums, 1);
}

}  // namespace deepgen
