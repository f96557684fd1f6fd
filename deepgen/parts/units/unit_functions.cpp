#include "deepgen/parts/units/unit_functions.h"

#include <algorithm>
#include <cmath>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"

namespace deepgen {
namespace {

constexpr std::int64_t tail = 40;  // copies beyond the activation that matter: e^-40 is below double rounding

// sum over j = 0, 1, ... of softplus(start - j), start at most 1.
Tensor falling_tail(const Tensor& start) {
  Tensor sum = at::zeros_like(start);
  for (std::int64_t j = 0; j < tail; ++j) sum.add_(softplus64(start - j));
  return sum;
}

}  // namespace

Tensor binary_mean(const Tensor& a) {
  const bool has_kernel = a.scalar_type() == at::kFloat && a.device().is_cpu();
  return has_kernel ? activate(a, Activation::sigmoid) : sigmoid64(a).to(a.scalar_type());
}

Tensor interval_log_partition(const Tensor& a) {
  const Tensor size = a.abs();
  const Tensor small = size < 1e-3;
  const Tensor safe = at::where(small, at::ones_like(a), size);
  const Tensor value = a.clamp_min(0) + ((-(-safe).expm1()) / safe).log();
  return at::where(small, a / 2 + a.square() / 24, value);
}

Tensor interval_mean(const Tensor& a) {
  const Tensor small = a.abs() < (a.scalar_type() == at::kDouble ? 1e-4 : 1e-2);
  const Tensor safe = at::where(small, at::ones_like(a), a);
  return at::where(small, a / 12 + 0.5, -1 / (-safe).expm1() - 1 / safe);
}

Tensor interval_activation(const Tensor& m) {
  constexpr double widest = 1e3;  // a mean of 0.001 or 0.999
  return bisect(m.to(at::kDouble), -widest, widest, [](const Tensor& a) { return interval_mean(a); });
}

Tensor steps_log_partition(const Tensor& a, std::int64_t copies) {
  if (copies > 0) {
    Tensor sum = at::zeros_like(a);
    for (std::int64_t k = 1; k <= copies; ++k) sum.add_(softplus64(a - (static_cast<double>(k) - 0.5)));
    return sum;
  }
  // Copies below the activation are mostly on: softplus(x) = x + softplus(-x) takes out m a - m^2 / 2.
  const Tensor m = a.floor().clamp_min(0), rest = a - m;
  Tensor sum = m * a - m.square() / 2 + falling_tail(rest - 0.5);
  for (std::int64_t j = 0; j < tail; ++j)
    sum.add_(at::where(m > j, softplus64(-(rest + 0.5) - j), at::zeros_like(a)));
  return sum;
}

namespace {

// The midpoint rule: sum_k f(a - k + 1/2) = F(a) - f'(a) / 24 + 7 f'''(a) / 5760 - ..., f the sigmoid and
// f''' = slope (1 - 6 slope).
constexpr double first_term = 1.0 / 24, third_term = 7.0 / 5760;

Tensor endless_mean(const Tensor& a) {
  if (a.scalar_type() != at::kFloat || !a.device().is_cpu()) {
    const Tensor s = sigmoid64(a), slope = s * (1 - s);
    return (softplus64(a) - slope * (first_term - third_term * (1 - 6 * slope))).to(a.scalar_type());
  }
  // In training: two kernels and one pass, where torch takes ten; equal bits on any number of threads.
  Tensor mean = activate(a, Activation::softplus);
  const Tensor s = activate(a, Activation::sigmoid);
  parallel_ranges(mean.numel(), 0.5, 1024, [&](std::int64_t begin, std::int64_t end) {
    float* m = mean.data_ptr<float>();
    const float* share = s.data_ptr<float>();
    for (std::int64_t i = begin; i < end; ++i) {
      const float slope = share[i] * (1 - share[i]);
      m[i] -= slope * (static_cast<float>(first_term) - static_cast<float>(third_term) * (1 - 6 * slope));
    }
  });
  return mean;
}

}  // namespace

Tensor steps_mean(const Tensor& a, std::int64_t copies) {
  const auto endless = endless_mean;
  return copies > 0 ? endless(a) - endless(a - static_cast<double>(copies)) : endless(a);
}

Tensor steps_sample(const Tensor& a, std::int64_t copies, Rng& rng) {
  constexpr double sure = 18;  // e^-18 is 1.5e-8: copies that far below the activation are on
  const double most = a.numel() > 0 ? a.max().item<double>() : 0.0;
  const double passes = std::clamp(std::ceil(most + sure), 1.0, 2 * sure + 1);
  Tensor sum = (a - sure).floor().clamp_min(0);
  const Tensor rest = (a - sum).contiguous();
  Tensor one = at::empty_like(rest);
  for (std::int64_t k = 1; k <= (copies > 0 ? std::min(copies, static_cast<std::int64_t>(passes))
                                            : static_cast<std::int64_t>(passes));
       ++k) {
    const Tensor shift = at::full({rest.size(1)}, 0.5 - static_cast<double>(k));
    binary_layer(rest, shift, 1, rng.next(), {.sample = one});
    sum.add_(one);
  }
  return copies > 0 ? sum.clamp_max(static_cast<double>(copies)) : sum;
}

Tensor steps_log_base(const Tensor& x, std::int64_t copies) {
  const Tensor whole = x.to(at::kDouble);
  const double most = whole.numel() > 0 ? std::max(0.0, whole.nan_to_num(0).max().item<double>()) : 0.0;
  // Terms fade like e^-i: beyond some 40 they are zero, unless the number of copies is near.
  Tensor log_base = -whole.square() / 2;
  const std::int64_t last = copies > 0 ? std::min(copies, static_cast<std::int64_t>(most))
                                       : std::min(tail, static_cast<std::int64_t>(most));
  for (std::int64_t i = 1; i <= last; ++i) {
    double term = -std::log1p(-std::exp(-static_cast<double>(i)));
    if (copies > 0) term += std::log1p(-std::exp(-static_cast<double>(copies - i + 1)));
    log_base.add_((whole >= static_cast<double>(i)).to(at::kDouble), term);
  }
  return log_base;
}

namespace {

// Uniform numbers of one element: as many as a rejection may need.
class ElementDraws {
 public:
  ElementDraws(Stream stream, std::int64_t element)
      : stream_(stream), next_(static_cast<std::uint64_t>(element) << 8) {}
  double next() {  // 53 bits
    if (used_ >= 4) block_ = stream_.block(next_++), used_ = 0;
    const std::uint64_t bits = (static_cast<std::uint64_t>(block_[used_]) << 32) | block_[used_ + 1];
    used_ += 2;
    return static_cast<double>(bits >> 11) * 0x1p-53;
  }

 private:
  Stream stream_;
  std::uint64_t next_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

double poisson_by_inversion(double mean, double u) {
  double p = std::exp(-mean), sum = p, k = 0;
  while (u > sum && k < 200) sum += p *= mean / ++k;
  return k;
}

double poisson_by_rejection(double mean, ElementDraws& draws) {
  const double root = std::sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), sure = 0.9277 - 3.6224 / (b - 2);
  for (int attempt = 0; attempt < 120; ++attempt) {
    const double u = draws.next() - 0.5, v = draws.next(), side = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / side + b) * u + mean + 0.43);
    if (side >= 0.07 && v <= sure) return k;
    if (k < 0 || (side < 0.013 && v > side)) continue;
    if (std::log(v * inverse_alpha / (a / (side * side) + b)) <=
        k * std::log(mean) - mean - std::lgamma(k + 1))
      return k;
  }
  return std::floor(mean);  // 120 rejections in a row: less than once in 1e20
}

}  // namespace

Tensor poisson_sample(const Tensor& a, Rng& rng) {
  constexpr double largest = 1e7;
  const Tensor dense = a.to(at::kFloat).contiguous();
  Tensor out = at::empty_like(dense);
  const Stream stream = rng.next();
  for (std::int64_t i = 0; i < dense.numel(); ++i) {
    const double mean = std::min(std::exp(static_cast<double>(dense.data_ptr<float>()[i])), largest);
    ElementDraws draws(stream, i);
    const double k = mean < 10 ? poisson_by_inversion(mean, draws.next()) : poisson_by_rejection(mean, draws);
    out.data_ptr<float>()[i] = static_cast<float>(k);
  }
  return out;
}

}  // namespace deepgen
