#include "deepgen/models/boltzmann/enumerated_rbm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {
namespace {

// a b of a row [K] and a matrix [K, N]: [N].
Tensor row_times(const Tensor& row, const Tensor& matrix) {
  Tensor out = at::empty({1, matrix.size(1)}, at::kDouble);
  multiply64(out, row.unsqueeze(0).contiguous(), matrix);
  return out.squeeze(0);
}

Tensor product_of(const Tensor& a, const Tensor& b) {
  Tensor out = at::empty({a.size(0), b.size(1)}, at::kDouble);
  multiply64(out, a, b);
  return out;
}

// The probability of each state of independent units with activations a [R, n]: [R, 2^n]. Of products alone, so
// that its bits do not depend on the number of threads.
Tensor state_table(const Tensor& a) {
  const Tensor on = sigmoid64(a), off = sigmoid64(-a);
  Tensor table = at::ones({a.size(0), 1}, at::kDouble);
  for (std::int64_t i = 0; i < a.size(1); ++i)
    table = at::cat({table * off.narrow(1, i, 1), table * on.narrow(1, i, 1)}, 1);
  return table;
}

Tensor float64(const Tensor& tensor) { return tensor.detach().to(at::kDouble).contiguous(); }

}  // namespace

Tensor RbmMoments::flat() const { return at::cat({products.reshape({-1}), visible, hidden}); }

EnumeratedRbm::EnumeratedRbm(const Tensor& weights, const Tensor& visible_bias, const Tensor& hidden_bias)
    : weights_(float64(weights)), visible_bias_(float64(visible_bias)), hidden_bias_(float64(hidden_bias)) {
  const std::int64_t n = visible(), m = hidden();
  if (std::min(n, m) < 1 || std::max(n, m) > most_units)
    fail_data("enumerated_rbm",
              fmt::format("expected layers of 1 to {} units, whose states are all listed, got {} and {}",
                          most_units, n, m));
  if (visible_bias_.numel() != n || hidden_bias_.numel() != m)
    fail_data("enumerated_rbm", fmt::format("expected {} and {} biases, got {} and {}", n, m,
                                            visible_bias_.numel(), hidden_bias_.numel()));
  visible_states_ = binary_states(0, std::int64_t{1} << n, n);
  hidden_states_ = binary_states(0, std::int64_t{1} << m, m);
  const Tensor to_hidden = product_of(visible_states_, weights_) + hidden_bias_;
  const Tensor to_visible = product_of(hidden_states_, weights_.t()) + visible_bias_;
  hidden_means_ = sigmoid64(to_hidden), visible_means_ = sigmoid64(to_visible);
  up_ = state_table(to_hidden), down_ = state_table(to_visible);
  const Tensor minus_free_energy =
      row_times(visible_bias_, visible_states_.t()) + softplus_row_sum64(to_hidden);
  log_p_visible_ = minus_free_energy - at::logsumexp(minus_free_energy, 0);
}

Tensor EnumeratedRbm::p_hidden() const { return row_times(p_visible(), up_); }

Tensor EnumeratedRbm::after_steps(const Tensor& p, std::int64_t steps) const {
  Tensor now = p;
  for (std::int64_t k = 0; k < steps; ++k) now = row_times(row_times(now, up_), down_);
  return now;
}

RbmMoments EnumeratedRbm::moments(const Tensor& p) const {
  const Tensor weighted = visible_states_ * p.unsqueeze(1);
  return {product_of(weighted.t(), hidden_means_), row_times(p, visible_states_),
          row_times(p, hidden_means_)};
}

double EnumeratedRbm::second_eigenvalue() const {
  constexpr int most_rounds = 1000;
  constexpr double close = 1e-9;  // relative change of a round
  const Tensor p = p_visible(), first = p.sqrt();
  const Tensor to_hidden = up_ * first.unsqueeze(1),
               to_visible = down_ / first.clamp_min(1e-150).unsqueeze(0);
  // x diag(p)^1/2 T diag(p)^-1/2, less its part along the first eigenvector.
  auto round = [&](const Tensor& x) {
    const Tensor y = row_times(row_times(x, to_hidden), to_visible);
    return y - first * (y * first).sum();
  };
  // Any start that no symmetry of the machine makes blind: steps of the golden ratio.
  Tensor x = at::frac(at::arange(p.size(0), at::kDouble) * 0.6180339887498949) - 0.5;
  x = x - first * (x * first).sum();
  double eigenvalue = 0;
  for (int i = 0; i < most_rounds; ++i) {
    const double length = std::sqrt((x * x).sum().item<double>());
    if (!(length > 0)) return 0;
    x = x / length;
    const Tensor y = round(x);
    const double now = (x * y).sum().item<double>();
    const bool settled = std::abs(now - eigenvalue) <= close * std::abs(now);
    eigenvalue = now, x = y;
    if (settled && i > 2) break;
  }
  return std::clamp(eigenvalue, 0.0, 1.0);
}

Tensor state_shares(const Tensor& x) {
  const Tensor dense = float64(x);
  Tensor shares = at::zeros({std::int64_t{1} << x.size(1)}, at::kDouble);
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    std::int64_t state = 0;
    for (std::int64_t i = 0; i < x.size(1); ++i)
      if (dense.data_ptr<double>()[r * x.size(1) + i] > 0.5) state |= std::int64_t{1} << i;
    shares.data_ptr<double>()[state] += 1 / static_cast<double>(x.size(0));
  }
  return shares;
}

}  // namespace deepgen
