#include "deepgen/parts/latents/gaussian_latent.h"

#include <cmath>

#include "deepgen/core/constants.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/latents/triangular_matrices.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Sums over units in float32 lanes: half a thousand units at most lose nothing that a draw would not.
constexpr std::int64_t lanes = 16;

// body(row, case) for all rows of z, the draws of a case together.
template <class Body>
void over_cases(std::int64_t cases, std::int64_t draws, std::int64_t units, Body body) {
  parallel_ranges(cases, 1.0 * static_cast<double>(draws * units), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t b = begin; b < end; ++b) body(b);
                  });
}

// z, mean, log_variance and exp(-log_variance) of the density, saved between forward and backward.
class DiagonalDensity : public torch::autograd::Function<DiagonalDensity> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& z_given, const Tensor& mean_given,
                        const Tensor& log_variance) {
    const Tensor z = z_given.contiguous(), mean = mean_given.contiguous();
    const Tensor precision = log_variance.neg().exp_().contiguous();
    context->save_for_backward({z, mean, precision});
    const std::int64_t cases = mean.size(0), units = mean.size(1), draws = z.size(0) / cases;
    const Tensor constant =
        (log_variance.to(at::kDouble).sum(1) + static_cast<double>(units) * log_two_pi).mul_(-0.5);
    Tensor out = at::empty({z.size(0)}, at::kDouble);
    over_cases(cases, draws, units, [&](std::int64_t b) {
      const float *m = mean.data_ptr<float>() + b * units, *p = precision.data_ptr<float>() + b * units;
      for (std::int64_t r = b * draws; r < (b + 1) * draws; ++r)
        out.data_ptr<double>()[r] =
            constant.data_ptr<double>()[b] -
            0.5 * static_cast<double>(weighted_square(z.data_ptr<float>() + r * units, m, p, units));
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &z = saved[0], &mean = saved[1], &precision = saved[2];
    const std::int64_t cases = mean.size(0), units = mean.size(1), draws = z.size(0) / cases;
    const Tensor g = gradients[0].to(at::kFloat).contiguous();
    Tensor gz = at::empty_like(z), gm = at::zeros_like(mean), gv = at::zeros_like(mean);
    over_cases(cases, draws, units, [&](std::int64_t b) {
      const float *m = mean.data_ptr<float>() + b * units, *p = precision.data_ptr<float>() + b * units;
      float *to_m = gm.data_ptr<float>() + b * units, *to_v = gv.data_ptr<float>() + b * units;
      for (std::int64_t r = b * draws; r < (b + 1) * draws; ++r) {
        const float *x = z.data_ptr<float>() + r * units, weight = g.data_ptr<float>()[r];
        float* to_z = gz.data_ptr<float>() + r * units;
        for (std::int64_t j = 0; j < units; ++j) {
          const float distance = x[j] - m[j], pull = weight * distance * p[j];
          to_z[j] = -pull;
          to_m[j] += pull;
          to_v[j] += 0.5F * (pull * distance - weight);
        }
      }
    });
    return {gz, gm, gv};
  }

 private:
  static float weighted_square(const float* x, const float* m, const float* p, std::int64_t units) {
    float sums[lanes] = {};
    std::int64_t j = 0;
    for (; j + lanes <= units; j += lanes)
      for (std::int64_t k = 0; k < lanes; ++k) {
        const float distance = x[j + k] - m[j + k];
        sums[k] += distance * distance * p[j + k];
      }
    for (; j < units; ++j) sums[0] += (x[j] - m[j]) * (x[j] - m[j]) * p[j];
    float total = 0;
    for (const float part : sums) total += part;
    return total;
  }
};

class StandardDensity : public torch::autograd::Function<StandardDensity> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& z) {
    context->save_for_backward({z});
    return (row_dots(z, z).to(at::kDouble) + static_cast<double>(z.size(1)) * log_two_pi).mul_(-0.5);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {context->get_saved_variables()[0] * gradients[0].to(at::kFloat).neg().unsqueeze(1)};
  }
};

}  // namespace

Tensor draw(const Gaussian& q, const Tensor& noise) {
  const std::int64_t cases = q.mean.size(0), units = q.mean.size(1);
  const Tensor deviation = (q.log_variance * 0.5).exp();
  if (q.below.defined())
    return (q.mean.unsqueeze(1) + triangular_product(deviation, q.below, noise).view({cases, -1, units}))
        .view(noise.sizes());
  if (noise.size(0) == cases) return q.mean + deviation * noise;
  return (q.mean.unsqueeze(1) + deviation.unsqueeze(1) * noise.view({cases, -1, units})).view(noise.sizes());
}

Tensor log_density(const Gaussian& q, const Tensor& z) {
  if (!q.below.defined()) return DiagonalDensity::apply(z, q.mean, q.log_variance);
  const std::int64_t cases = q.mean.size(0), units = q.mean.size(1);
  const Tensor y = (z.view({cases, -1, units}) - q.mean.unsqueeze(1)).view(z.sizes());
  const Tensor u = triangular_solution((q.log_variance * 0.5).exp(), q.below, y);
  const Tensor log_determinant = q.log_variance.to(at::kDouble).sum(1) * 0.5;
  return (StandardDensity::apply(u).view({cases, -1}) - log_determinant.unsqueeze(1)).view({-1});
}

Tensor standard_log_density(const Tensor& z) { return StandardDensity::apply(z); }

namespace {
// Of each unit, the others summed out.
Tensor marginal_variance(const Gaussian& q) {
  const Tensor own = q.log_variance.exp();
  return q.below.defined() ? own + row_squares(q.below, q.mean.size(1)) : own;
}
}  // namespace

Tensor divergence_from_standard(const Gaussian& q) {
  return (q.mean.square() + marginal_variance(q) - q.log_variance - 1) * 0.5;
}

Tensor divergence(const Gaussian& q, const Gaussian& p) {
  const Tensor distance = (q.mean - p.mean).square() + marginal_variance(q);
  return (distance * (-p.log_variance).exp() + p.log_variance - q.log_variance - 1) * 0.5;
}

namespace composed {
namespace {
// L of each case, [B, units, units] float64.
Tensor factor(const Gaussian& q) {
  const std::int64_t units = q.mean.size(1);
  Tensor l = at::diag_embed((q.log_variance.to(at::kDouble) * 0.5).exp());
  if (!q.below.defined()) return l;
  const Tensor where = at::tril_indices(units, units, -1, at::TensorOptions(at::kLong));
  return l.index_put({Tensor(), where[0], where[1]}, q.below.to(at::kDouble));
}
}  // namespace

Tensor draw(const Gaussian& q, const Tensor& noise) {
  const std::int64_t cases = q.mean.size(0), units = q.mean.size(1);
  const Tensor n = noise.to(at::kDouble).view({cases, -1, units});
  return (q.mean.unsqueeze(1) + at::matmul(n, factor(q).transpose(1, 2))).view(noise.sizes());
}

// By the covariance and not by its factor.
Tensor log_density(const Gaussian& q, const Tensor& z) {
  const std::int64_t cases = q.mean.size(0), units = q.mean.size(1);
  const Tensor l = factor(q), covariance = at::matmul(l, l.transpose(1, 2));
  const Tensor y = z.to(at::kDouble).view({cases, -1, units}) - q.mean.to(at::kDouble).unsqueeze(1);
  const Tensor square = (at::matmul(y, at::inverse(covariance)) * y).sum(2);
  const double constant = static_cast<double>(units) * log_two_pi;
  return ((square + at::logdet(covariance).unsqueeze(1) + constant) * -0.5).view({-1});
}
}  // namespace composed
}  // namespace deepgen
