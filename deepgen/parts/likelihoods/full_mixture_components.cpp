// Gaussian components with full covariances L L'.
//
//   log p(x | k) = -|L^-1 (x - m)|^2 / 2 - sum_j ln L_jj - D ln(2 pi) / 2
//
// A block of rows less the mean is solved for at once (a triangular solve of many right sides), and what rows
// add to the sums of a pass is the square of a block, rows multiplied by the roots of their shares. Rows with
// gaps go one by one (mixture_gaps.h).
#include <cmath>
#include <optional>

#include "deepgen/ops/products64.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/mixture_blocks.h"
#include "deepgen/parts/likelihoods/mixture_components.h"
#include "deepgen/parts/likelihoods/mixture_gaps.h"

namespace deepgen {
namespace {

// Rows whose share is below this part of what a component has of a batch are left out of its sums: beside the
// others they are less than what float64 rounds away.
constexpr double least_part = 1e-30;

constexpr std::int64_t slab_rows = 4 * block_rows;  // for which a thread reads a factor

std::int64_t length(const std::vector<std::int64_t>& list) { return static_cast<std::int64_t>(list.size()); }

// C [D, D] where its eigenvalues are below 1: these raised to 1.
void raise_eigenvalues(double* matrix, std::int64_t d) {
  NoGradGuard no_graph;  // of this thread
  Tensor tensor = at::from_blob(matrix, {d, d}, at::kDouble);
  const auto [values, vectors] = at::linalg_eigh(tensor);
  multiply64(tensor, vectors * values.clamp_min(1), vectors.t());
}

}  // namespace

// One component as the calling thread works with it; its memory is that of the thread.
struct FullComponents::One {
  std::int64_t columns;
  double *lower, *mean;  // [D, D] with zeros above the diagonal, [D]
  double log_determinant;

  // The steps x - m of one row.
  void step(const float* row, double* out) const {
    for (std::int64_t j = 0; j < columns; ++j) out[j] = row[j] - mean[j];
  }
};

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

FullComponents::One FullComponents::one(std::int64_t c) const {
  const std::int64_t d = mean.size(1);
  One made{d, kept_numbers(0, d * d), kept_numbers(1, d), 0};
  const float *below = factor.data_ptr<float>() + c * d * d, *logs = log_diagonal.data_ptr<float>() + c * d,
              *means = mean.data_ptr<float>() + c * d;
  for (std::int64_t i = 0; i < d; ++i) {
    double* row = made.lower + i * d;
    std::copy(below + i * d, below + i * d + i, row);
    std::fill(row + i, row + d, 0.0);
    row[i] = std::exp(static_cast<double>(logs[i]));
    made.mean[i] = means[i], made.log_determinant += logs[i];
  }
  return made;
}

// ---------------------------------------------------------------- densities

// Rows without gaps: those with the given numbers, `count` of them.
void FullComponents::whole_densities(std::int64_t c, const float* x, const std::int64_t* rows,
                                     std::int64_t count, double* out) const {
  const One me = one(c);
  const std::int64_t d = me.columns, k = mean.size(0);
  const double base = me.log_determinant + static_cast<double>(d) * half_log_two_pi;
  double* z = kept_numbers(2, block_rows * d);
  each_block(count, [&](std::int64_t first, std::int64_t some) {
    for (std::int64_t i = 0; i < some; ++i) me.step(x + rows[first + i] * d, z + i * d);
    solve_rows_alone64(me.lower, d, z, some);
    for (std::int64_t i = 0; i < some; ++i) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t j = 0; j < d; ++j) sum += z[i * d + j] * z[i * d + j];
      out[rows[first + i] * k + c] = -sum / 2 - base;
    }
  });
}

Tensor FullComponents::log_densities(const Tensor& x) const {
  const std::int64_t d = x.size(1), k = mean.size(0);
  const Tensor rows = x.to(at::kFloat).contiguous();
  const float* cells = rows.data_ptr<float>();
  const RowsByGaps found = rows_by_gaps(rows);
  Tensor densities = at::empty({x.size(0), k}, at::kDouble);
  auto* out = densities.data_ptr<double>();
  const std::int64_t whole = length(found.complete), slabs = (whole + slab_rows - 1) / slab_rows;
  share_items(k * slabs, [&](std::int64_t item, int) {
    const std::int64_t first = item % slabs * slab_rows;
    whole_densities(item / slabs, cells, found.complete.data() + first, std::min(slab_rows, whole - first),
                    out);
  });
  const auto patterns = static_cast<std::int64_t>(found.patterns.size());
  share_items(k * patterns, [&](std::int64_t item, int) {
    const std::int64_t c = item / patterns;
    const GapPattern& pattern = found.patterns[static_cast<std::size_t>(item % patterns)];
    const One me = one(c);
    const GapView view(me.lower, me.mean, pattern);
    double* z = kept_numbers(2, d);
    for (const std::int64_t row : pattern.rows) out[row * k + c] = view.solve(cells + row * d, z);
  });
  return densities;
}

// ---------------------------------------------------------------- sums

// Rows without gaps, each multiplied by the root of its share, so that their squares are what is added.
double FullComponents::add_whole(const One& me, const float* x, const std::vector<std::int64_t>& rows,
                                 const double* shares, double least, const Sums& sums) const {
  const std::int64_t d = me.columns, k = mean.size(0);
  double *steps = kept_numbers(2, block_rows * d), mass = 0;
  std::int64_t filled = 0;
  for (const std::int64_t row : rows) {
    const double share = shares[row * k];
    if (share <= least) continue;
    double* step = steps + filled * d;
    me.step(x + row * d, step);
    const double root = std::sqrt(share);
    for (std::int64_t j = 0; j < d; ++j) sums.first[j] += share * step[j], step[j] *= root;
    mass += share;
    if (++filled < block_rows) continue;
    add_squares_alone64(steps, filled, d, sums.second);
    filled = 0;
  }
  if (filled > 0) add_squares_alone64(steps, filled, d, sums.second);
  return mass;
}

// Rows with gaps, filled in by what is expected of them.
double FullComponents::add_filled(const One& me, const float* x, const GapPattern& pattern,
                                  const double* shares, double least, const Sums& sums) const {
  const std::int64_t d = me.columns, k = mean.size(0);
  const GapView view(me.lower, me.mean, pattern);
  double *z = kept_numbers(2, d), *step = kept_numbers(3, d), mass = 0;
  for (const std::int64_t row : pattern.rows) {
    const double share = shares[row * k];
    if (share <= least) continue;
    mass += share;
    std::fill_n(z, d, 0.0);
    view.solve(x + row * d, z);
    std::copy(x + row * d, x + (row + 1) * d, step);
    view.fill(z, step);
    for (std::int64_t j = 0; j < d; ++j) step[j] -= me.mean[j];
    for (std::int64_t i = 0; i < d; ++i) {
      const double weighted = share * step[i];
      sums.first[i] += weighted;
      for (std::int64_t j = 0; j <= i; ++j) sums.second[i * d + j] += weighted * step[j];
    }
  }
  view.add_conditional(mass, sums.second);
  return mass;
}

void FullComponents::gather(const Tensor& x, const Tensor& r) {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = x.to(at::kFloat).contiguous(), parts = in_float64(r);
  const float* cells = rows.data_ptr<float>();
  const RowsByGaps found = rows_by_gaps(rows);
  const auto* all_shares = parts.data_ptr<double>();
  double *masses = mass_.data_ptr<double>(), *first = first_.data_ptr<double>(),
         *second = second_.data_ptr<double>();
  share_items(k, [&](std::int64_t c, int) {  // the order of the rows is the order of a component's sums
    const double* shares = all_shares + c;
    const Sums into{first + c * d, second + c * d * d};
    double all = 0;
    for (std::int64_t i = 0; i < n; ++i) all += shares[i * k];
    const One me = one(c);
    double mass = add_whole(me, cells, found.complete, shares, least_part * all, into);
    for (const GapPattern& pattern : found.patterns)
      mass += add_filled(me, cells, pattern, shares, least_part * all, into);
    masses[c] += mass;
  });
}

// ---------------------------------------------------------------- the rest

// In units of the floor the maximiser of -log |C| - trace(C^-1 S) over C >= 1 is S with its eigenvalues
// raised to 1. The covariance [D, D] becomes its factor.
void FullComponents::set_covariance(std::int64_t c, double* covariance) {
  const std::int64_t d = mean.size(1), cells = d * d;
  const auto* variances = spread_.data_ptr<double>();
  double *above = kept_numbers(2, cells), *floor = kept_numbers(3, d);
  for (std::int64_t i = 0; i < d; ++i) floor[i] = prior_.floor * std::sqrt(variances[i]);
  for (std::int64_t i = 0; i < d; ++i)
    for (std::int64_t j = 0; j < d; ++j) covariance[i * d + j] /= floor[i] * floor[j];
  std::copy(covariance, covariance + cells, above);
  for (std::int64_t i = 0; i < d; ++i) above[i * d + i] -= 1;
  if (!cholesky(above, d)) raise_eigenvalues(covariance, d);
  for (std::int64_t i = 0; i < d; ++i)
    for (std::int64_t j = 0; j < d; ++j) covariance[i * d + j] *= floor[i] * floor[j];
  if (!cholesky(covariance, d)) fail_covariance();
  float *below = factor.data_ptr<float>() + c * cells, *logs = log_diagonal.data_ptr<float>() + c * d;
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t j = 0; j < i; ++j) below[i * d + j] = static_cast<float>(covariance[i * d + j]);
    logs[i] = static_cast<float>(std::log(covariance[i * d + i]));
  }
}

void FullComponents::maximise() {
  const std::int64_t d = mean.size(1);
  const double prior = prior_.pseudo_count;
  const double *masses = mass_.data_ptr<double>(), *first = first_.data_ptr<double>(),
               *second = second_.data_ptr<double>(), *variances = spread_.data_ptr<double>();
  share_items(mean.size(0), [&](std::int64_t c, int) {
    const double mass = masses[c], rows = mass + prior;
    if (rows <= no_mass) return;  // stays as it is
    double *covariance = kept_numbers(0, d * d), *step = kept_numbers(1, d);
    float* means = mean.data_ptr<float>() + c * d;
    for (std::int64_t j = 0; j < d; ++j) {
      step[j] = mass > no_mass ? first[c * d + j] / mass : 0;
      means[j] = static_cast<float>(means[j] + step[j]);
    }
    for (std::int64_t i = 0; i < d; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        const double own =
            second[(c * d + i) * d + j] - mass * step[i] * step[j] + (i == j ? prior * variances[i] : 0);
        covariance[i * d + j] = covariance[j * d + i] = own / rows;
      }
    set_covariance(c, covariance);
  });
  mass_.zero_(), first_.zero_(), second_.zero_();
}

// -c / 2 (log |C| + trace(C^-1 V)), V the variances of the data: the trace is that of (L^-1 V^1/2)^2.
double FullComponents::log_prior() const {
  if (prior_.pseudo_count == 0) return 0;
  const std::int64_t d = mean.size(1), k = mean.size(0);
  const auto* variances = spread_.data_ptr<double>();
  std::vector<double> terms(static_cast<std::size_t>(k));
  share_items(k, [&](std::int64_t c, int) {
    const One me = one(c);
    double *roots = kept_numbers(2, d * d), sum = 0;
    std::fill_n(roots, d * d, 0.0);
    for (std::int64_t j = 0; j < d; ++j) roots[j * d + j] = std::sqrt(variances[j]);
    solve_rows_alone64(me.lower, d, roots, d);
    for (std::int64_t i = 0; i < d * d; ++i) sum += roots[i] * roots[i];
    terms[static_cast<std::size_t>(c)] = me.log_determinant + sum / 2;
  });
  double sum = 0;
  for (const double term : terms) sum += term;
  return -prior_.pseudo_count * sum;
}

Tensor FullComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  const std::int64_t d = x.size(1);
  const Tensor rows = x.to(at::kFloat).contiguous(), noise = in_float64(normal(x.size(0), d, rng.next()));
  Tensor out = in_float64(rows);
  const RowsByGaps found = rows_by_gaps(rows);
  std::vector<double> z(static_cast<std::size_t>(d));
  for (std::int64_t c = 0; c < mean.size(0); ++c) {
    const One me = one(c);
    for (const GapPattern& pattern : found.patterns) {
      std::optional<GapView> view;
      for (const std::int64_t row : pattern.rows) {
        if (which.data_ptr<std::int64_t>()[row] != c) continue;
        if (!view) view.emplace(me.lower, me.mean, pattern);
        std::copy_n(noise.data_ptr<double>() + row * d, d, z.begin());
        view->solve(rows.data_ptr<float>() + row * d, z.data());
        view->fill(z.data(), out.data_ptr<double>() + row * d);
      }
    }
  }
  return at::where(x.isnan(), out.to(at::kFloat), x);  // known cells bit for bit
}

}  // namespace deepgen
