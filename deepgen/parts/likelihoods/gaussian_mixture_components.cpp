// Gaussian components. Their squares are summed in float64 loops: as float32 products x^2 / s^2 - 2 x m / s^2
// + m^2 / s^2 they would lose every digit where s is far below the spread of the data.
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {
namespace {

const double log_two_pi = std::log(2 * std::numbers::pi);

Tensor wide(const Tensor& x) { return x.detach().to(at::kDouble).contiguous(); }

const double* data(const Tensor& x) { return x.data_ptr<double>(); }

double total(const Tensor& x) {  // in order, whatever the number of threads
  double sum = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += x.data_ptr<double>()[i];
  return sum;
}

// What is left of a sum of responsibilities counts as nothing below this.
constexpr double no_mass = 1e-12;

}  // namespace

// ---------------------------------------------------------------- independent columns

DiagonalComponents::DiagonalComponents(std::int64_t count, std::int64_t columns, GaussianPrior prior)
    : mean(register_parameter("mean", at::zeros({count, columns}))),
      log_deviation(register_parameter("log_deviation", at::zeros({count, columns}))),
      prior_(prior),
      units_(UnitLayer::of(UnitKind::gaussian, columns)),
      spread_(register_buffer("spread", at::ones({columns}, at::kDouble))),
      mass_(sums("mass", {count, columns})),
      first_(sums("first", {count, columns})),
      second_(sums("second", {count, columns})) {}

void DiagonalComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void DiagonalComponents::start(const ColumnMoments& moments, const Tensor& centres) {
  NoGradGuard no_graph;
  mean.copy_(centres);
  spread_.copy_(moments.variance);
  log_deviation.copy_((moments.variance.log() / 2).expand_as(log_deviation));
}

Tensor DiagonalComponents::log_densities(const Tensor& x) const {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = wide(x), centre = wide(mean), deviation = wide(log_deviation),
               scale = (-deviation).exp();
  Tensor out = at::empty({n, k}, at::kDouble);
  auto density = [&](const double* row, std::int64_t component) {
    const std::int64_t at = component * d;
    double sum = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      const double z = (row[j] - data(centre)[at + j]) * data(scale)[at + j];
      const double term = z * z / 2 + data(deviation)[at + j] + log_two_pi / 2;
      sum += std::isnan(row[j]) ? 0 : term;
    }
    return -sum;
  };
  parallel_ranges(n, 2.0 * static_cast<double>(d * k), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t c = 0; c < k; ++c) out.data_ptr<double>()[i * k + c] = density(data(rows) + i * d, c);
  });
  return out;
}

void DiagonalComponents::gather(const Tensor& x, const Tensor& r) {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = wide(x), centre = wide(mean), parts = r.contiguous();
  auto add = [&](std::int64_t c) {  // one thread a component: the order of the rows is the order of the sum
    const std::int64_t at = c * d;
    double *mass = mass_.data_ptr<double>() + at, *first = first_.data_ptr<double>() + at,
           *second = second_.data_ptr<double>() + at;
    for (std::int64_t i = 0; i < n; ++i) {
      const double part = parts.data_ptr<float>()[i * k + c];
      if (part == 0) continue;
      for (std::int64_t j = 0; j < d; ++j) {
        const double value = data(rows)[i * d + j];
        const bool known = !std::isnan(value);
        const double weight = known ? part : 0, step = known ? value - data(centre)[at + j] : 0;
        mass[j] += weight, first[j] += weight * step, second[j] += weight * step * step;
      }
    }
  };
  parallel_ranges(k, 2.0 * static_cast<double>(n * d), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) add(c);
  });
}

void DiagonalComponents::maximise() {
  NoGradGuard no_graph;
  const Tensor some = mass_ > no_mass;
  const Tensor step = at::where(some, first_ / mass_, at::zeros_like(mass_));
  const double c = prior_.pseudo_count;
  const Tensor squares = at::where(some, second_ - mass_ * step.square(), at::zeros_like(mass_));
  Tensor variance = (squares + c * spread_) / (mass_ + c);
  variance = at::maximum(variance, (prior_.floor * prior_.floor * spread_).expand_as(variance));
  mean.copy_(wide(mean) + step);
  // A component without rows and without a prior stays as it is.
  log_deviation.copy_(at::where(mass_ + c > no_mass, variance.log() / 2, wide(log_deviation)));
  mass_.zero_(), first_.zero_(), second_.zero_();
}

double DiagonalComponents::log_prior() const {
  if (prior_.pseudo_count == 0) return 0;
  const Tensor deviation = wide(log_deviation);
  return -prior_.pseudo_count * total((deviation + spread_ * (deviation * -2).exp() / 2).contiguous());
}

Tensor DiagonalComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor noise = normal(x.size(0), x.size(1), rng.next());
  const Tensor deviation = log_deviation.exp().index_select(0, which);
  return at::where(x.isnan(), mean.index_select(0, which) + deviation * noise, x).detach();
}

// ---------------------------------------------------------------- full covariances

namespace {

// A component seen from rows that all lack the same cells: its columns with the known ones first, and the
// Cholesky factor of the covariance in this order. With z = L^-1 (x - mean) for the known columns, the
// missing ones have mean + L z and the covariance of the rest of L.
struct View {
  std::int64_t size = 0, known = 0;
  std::vector<std::int64_t> order;
  std::vector<double> factor, mean;  // size * size; in this order

  const double* row(std::int64_t i) const { return factor.data() + i * size; }
};

// The lower Cholesky factor in place; false when the matrix is not positive definite.
bool cholesky(double* a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::int64_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0)) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  return true;
}

// L of component k as stored, [D, D] float64 with zeros above the diagonal.
Tensor factor_of(const Tensor& factor, const Tensor& log_diagonal, std::int64_t k) {
  return at::tril(wide(factor[k]), -1) + at::diag(wide(log_diagonal[k]).exp());
}

View view_of(const Tensor& lower, const Tensor& mean, const std::vector<std::int64_t>& order,
             std::int64_t known) {
  View view{static_cast<std::int64_t>(order.size()), known, order, {}, {}};
  for (const std::int64_t column : order) view.mean.push_back(data(mean)[column]);
  if (known == view.size) {
    view.factor.assign(data(lower), data(lower) + lower.numel());
    return view;
  }
  const std::int64_t n = view.size;
  view.factor.resize(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      const double *a = data(lower) + order[static_cast<std::size_t>(i)] * n,
                   *b = data(lower) + order[static_cast<std::size_t>(j)] * n;
      double sum = 0;
      for (std::int64_t c = 0; c < n; ++c) sum += a[c] * b[c];
      view.factor[static_cast<std::size_t>(i * n + j)] = sum;
    }
  if (!cholesky(view.factor.data(), n))
    fail_numerical("gaussian components",
                   "a covariance is not positive definite; raise "
                   "training.smallest_deviation or training.pseudo_count");
  return view;
}

// Rows that lack the same cells: the columns, known ones first, and the rows' numbers.
struct Pattern {
  std::vector<std::int64_t> order;
  std::int64_t known = 0;
  std::vector<std::int64_t> rows;
};

std::vector<Pattern> patterns_of(const Tensor& rows) {
  const std::int64_t n = rows.size(0), d = rows.size(1);
  std::map<std::vector<bool>, Pattern> found;
  std::vector<bool> gaps(static_cast<std::size_t>(d));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < d; ++j)
      gaps[static_cast<std::size_t>(j)] = std::isnan(data(rows)[i * d + j]);
    found[gaps].rows.push_back(i);
  }
  std::vector<Pattern> all;
  for (auto& [missing, pattern] : found) {
    for (const bool wanted : {false, true})
      for (std::int64_t j = 0; j < d; ++j)
        if (missing[static_cast<std::size_t>(j)] == wanted) pattern.order.push_back(j);
    for (const bool gap : missing) pattern.known += gap ? 0 : 1;
    all.push_back(std::move(pattern));
  }
  return all;
}

// z [size]: of the known columns; returns log p(known).
double solve(const View& view, const double* x, std::vector<double>& z) {
  double log_density = 0;
  for (std::int64_t i = 0; i < view.known; ++i) {
    const auto at = static_cast<std::size_t>(i);
    double sum = x[view.order[at]] - view.mean[at];
    for (std::int64_t j = 0; j < i; ++j) sum -= view.row(i)[j] * z[static_cast<std::size_t>(j)];
    z[at] = sum / view.row(i)[i];
    log_density -= z[at] * z[at] / 2 + std::log(view.row(i)[i]) + log_two_pi / 2;
  }
  return log_density;
}

// The values of the missing columns, given z of them (zero: their expectation), into out [D].
void fill(const View& view, const std::vector<double>& z, double* out) {
  for (std::int64_t i = view.known; i < view.size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    double sum = view.mean[at];
    for (std::int64_t j = 0; j <= i; ++j) sum += view.row(i)[j] * z[static_cast<std::size_t>(j)];
    out[view.order[at]] = sum;
  }
}

// sums [D, D] += weight * covariance of the missing columns given the known ones, lower half.
void add_conditional(const View& view, double weight, double* sums) {
  for (std::int64_t i = view.known; i < view.size; ++i)
    for (std::int64_t j = view.known; j <= i; ++j) {
      double sum = 0;
      for (std::int64_t c = view.known; c <= j; ++c) sum += view.row(i)[c] * view.row(j)[c];
      const std::int64_t a = view.order[static_cast<std::size_t>(i)],
                         b = view.order[static_cast<std::size_t>(j)];
      sums[std::max(a, b) * view.size + std::min(a, b)] += weight * sum;
    }
}

}  // namespace

FullComponents::FullComponents(std::int64_t count, std::int64_t columns, GaussianPrior prior)
    : mean(register_parameter("mean", at::zeros({count, columns}))),
      factor(register_parameter("factor", at::zeros({count, columns, columns}))),
      log_diagonal(register_parameter("log_diagonal", at::zeros({count, columns}))),
      prior_(prior),
      units_(UnitLayer::of(UnitKind::gaussian, columns)),
      spread_(register_buffer("spread", at::ones({columns}, at::kDouble))),
      mass_(sums("mass", {count})),
      first_(sums("first", {count, columns})),
      second_(sums("second", {count, columns, columns})) {}

void FullComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void FullComponents::start(const ColumnMoments& moments, const Tensor& centres) {
  NoGradGuard no_graph;
  mean.copy_(centres);
  spread_.copy_(moments.variance);
  factor.zero_();
  log_diagonal.copy_((moments.variance.log() / 2).expand_as(log_diagonal));
}

Tensor FullComponents::log_densities(const Tensor& x) const {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = wide(x), centres = wide(mean);
  const std::vector<Pattern> patterns = patterns_of(rows);
  Tensor out = at::empty({n, k}, at::kDouble);
  for (std::int64_t c = 0; c < k; ++c) {
    const Tensor lower = factor_of(factor, log_diagonal, c), centre = centres[c];
    for (const Pattern& pattern : patterns) {
      const View view = view_of(lower, centre, pattern.order, pattern.known);
      const auto count = static_cast<std::int64_t>(pattern.rows.size());
      parallel_ranges(count, static_cast<double>(d * d), 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<double> z(static_cast<std::size_t>(d));
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t row = pattern.rows[static_cast<std::size_t>(i)];
          out.data_ptr<double>()[row * k + c] = solve(view, data(rows) + row * d, z);
        }
      });
    }
  }
  return out;
}

void FullComponents::gather(const Tensor& x, const Tensor& r) {
  const std::int64_t d = x.size(1), k = mean.size(0);
  const Tensor rows = wide(x), centres = wide(mean), parts = r.contiguous();
  const std::vector<Pattern> patterns = patterns_of(rows);
  std::vector<double> z(static_cast<std::size_t>(d)), step(static_cast<std::size_t>(d));
  for (std::int64_t c = 0; c < k; ++c) {
    const Tensor lower = factor_of(factor, log_diagonal, c), centre = centres[c];
    double *first = first_.data_ptr<double>() + c * d, *second = second_.data_ptr<double>() + c * d * d;
    for (const Pattern& pattern : patterns) {
      const View view = view_of(lower, centre, pattern.order, pattern.known);
      double mass = 0;
      for (const std::int64_t row : pattern.rows) {
        const double part = parts.data_ptr<float>()[row * k + c];
        if (part == 0) continue;
        mass += part;
        std::copy(data(rows) + row * d, data(rows) + (row + 1) * d, step.begin());
        std::fill(z.begin(), z.end(), 0.0);
        solve(view, data(rows) + row * d, z);
        fill(view, z, step.data());
        for (std::int64_t j = 0; j < d; ++j) step[static_cast<std::size_t>(j)] -= data(centre)[j];
        for (std::int64_t i = 0; i < d; ++i) {
          const double weighted = part * step[static_cast<std::size_t>(i)];
          first[i] += weighted;
          for (std::int64_t j = 0; j <= i; ++j)
            second[i * d + j] += weighted * step[static_cast<std::size_t>(j)];
        }
      }
      mass_.data_ptr<double>()[c] += mass;
      add_conditional(view, mass, second);
    }
  }
}

// In units of the floor the maximiser of -log |C| - trace(C^-1 S) over C >= 1 is S with its eigenvalues
// raised to 1.
void FullComponents::set_covariance(std::int64_t k, const Tensor& covariance) {
  const std::int64_t d = covariance.size(0);
  const Tensor floor = prior_.floor * spread_.sqrt(), scale = at::outer(floor, floor);
  Tensor scaled = covariance / scale;
  Tensor above = (scaled - at::eye(d, at::kDouble)).contiguous();
  if (!cholesky(above.data_ptr<double>(), d)) {
    const auto [values, vectors] = at::linalg_eigh(scaled);
    scaled = (vectors * values.clamp_min(1)).mm(vectors.t());
  }
  Tensor lower = (scaled * scale).contiguous();
  if (!cholesky(lower.data_ptr<double>(), d))
    fail_numerical("gaussian components",
                   "a covariance is not positive definite; raise "
                   "training.smallest_deviation or training.pseudo_count");
  factor[k].copy_(at::tril(lower, -1));
  log_diagonal[k].copy_(lower.diagonal().log());
}

void FullComponents::maximise() {
  NoGradGuard no_graph;
  const double c = prior_.pseudo_count;
  for (std::int64_t k = 0; k < mean.size(0); ++k) {
    const double mass = data(mass_)[k];
    if (mass + c <= no_mass) continue;  // stays as it is
    const Tensor lower = second_[k];
    Tensor squares = lower + at::tril(lower, -1).t();
    if (mass > no_mass) {
      const Tensor step = first_[k] / mass;
      squares = squares - mass * at::outer(step, step);
      mean[k].copy_(wide(mean[k]) + step);
    }
    set_covariance(k, (squares + c * at::diag(spread_)) / (mass + c));
  }
  mass_.zero_(), first_.zero_(), second_.zero_();
}

// -c / 2 (log |C| + trace(C^-1 V)), V the variances of the data: the trace is that of (L^-1 V^1/2)^2.
double FullComponents::log_prior() const {
  if (prior_.pseudo_count == 0) return 0;
  double sum = 0;
  const std::int64_t d = mean.size(1);
  for (std::int64_t k = 0; k < mean.size(0); ++k) {
    const Tensor lower = factor_of(factor, log_diagonal, k);
    const Tensor inverse =
        std::get<0>(at::triangular_solve(at::diag(spread_.sqrt()), lower, /*upper=*/false));
    sum += total(wide(log_diagonal[k])) + total(inverse.square().contiguous().view({d * d})) / 2;
  }
  return -prior_.pseudo_count * sum;
}

Tensor FullComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  const std::int64_t d = x.size(1);
  const Tensor rows = wide(x), centres = wide(mean), noise = wide(normal(x.size(0), d, rng.next()));
  Tensor out = rows.clone();
  const std::vector<Pattern> patterns = patterns_of(rows);
  for (std::int64_t c = 0; c < mean.size(0); ++c) {
    const Tensor lower = factor_of(factor, log_diagonal, c), centre = centres[c];
    for (const Pattern& pattern : patterns) {
      std::optional<View> view;
      for (const std::int64_t row : pattern.rows) {
        if (pattern.known == d || which.data_ptr<std::int64_t>()[row] != c) continue;
        if (!view) view = view_of(lower, centre, pattern.order, pattern.known);
        std::vector<double> z(data(noise) + row * d, data(noise) + (row + 1) * d);
        solve(*view, data(rows) + row * d, z);
        fill(*view, z, out.data_ptr<double>() + row * d);
      }
    }
  }
  return at::where(x.isnan(), out.to(at::kFloat), x);  // known cells bit for bit
}

}  // namespace deepgen
