#include "deepgen/parts/likelihoods/mixture_gaps.h"

#include <cmath>
#include <map>

#include "deepgen/core/error.h"
#include "deepgen/parts/likelihoods/mixture_blocks.h"

namespace deepgen {
namespace {

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

bool cholesky(double* a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      const double rest = a[i * n + j] - dot(a + i * n, a + j * n, j);
      if (i == j && !(rest > 0)) return false;
      a[i * n + j] = i == j ? std::sqrt(rest) : rest / a[j * n + j];
    }
  return true;
}

void fail_covariance() {
  fail_numerical("gaussian components",
                 "a covariance is not positive definite; raise training.smallest_deviation or "
                 "training.pseudo_count");
}

RowsByGaps rows_by_gaps(const Tensor& x) {
  const std::int64_t n = x.size(0), d = x.size(1);
  RowsByGaps found;
  std::map<std::vector<bool>, GapPattern> patterns;
  std::vector<bool> gaps(static_cast<std::size_t>(d));
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = x.data_ptr<float>() + i * d;
    const std::int64_t missing = missing_among(row, d);
    if (missing == 0) {
      found.complete.push_back(i);
      continue;
    }
    for (std::int64_t j = 0; j < d; ++j) gaps[static_cast<std::size_t>(j)] = std::isnan(row[j]);
    GapPattern& pattern = patterns[gaps];
    pattern.known = d - missing;
    pattern.rows.push_back(i);
  }
  for (auto& [missing, pattern] : patterns) {
    for (const bool wanted : {false, true})
      for (std::int64_t j = 0; j < d; ++j)
        if (missing[static_cast<std::size_t>(j)] == wanted) pattern.order.push_back(j);
    found.patterns.push_back(std::move(pattern));
  }
  return found;
}

GapView::GapView(const double* lower, const double* mean, const GapPattern& pattern)
    : size_(static_cast<std::int64_t>(pattern.order.size())), known_(pattern.known), order_(pattern.order) {
  for (const std::int64_t column : order_) mean_.push_back(mean[column]);
  factor_.resize(static_cast<std::size_t>(size_ * size_));
  for (std::int64_t i = 0; i < size_; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      const std::int64_t a = order_[static_cast<std::size_t>(i)], b = order_[static_cast<std::size_t>(j)];
      factor_[static_cast<std::size_t>(i * size_ + j)] =
          dot(lower + a * size_, lower + b * size_, std::min(a, b) + 1);
    }
  if (!cholesky(factor_.data(), size_)) fail_covariance();
}

double GapView::solve(const float* x, double* z) const {
  double log_density = 0;
  for (std::int64_t i = 0; i < known_; ++i) {
    const auto at = static_cast<std::size_t>(i);
    z[i] = (x[order_[at]] - mean_[at] - dot(row(i), z, i)) / row(i)[i];
    log_density -= z[i] * z[i] / 2 + std::log(row(i)[i]) + half_log_two_pi;
  }
  return log_density;
}

void GapView::fill(const double* z, double* out) const {
  for (std::int64_t i = known_; i < size_; ++i) {
    const auto at = static_cast<std::size_t>(i);
    out[order_[at]] = mean_[at] + dot(row(i), z, i + 1);
  }
}

void GapView::add_conditional(double weight, double* sums) const {
  for (std::int64_t i = known_; i < size_; ++i)
    for (std::int64_t j = known_; j <= i; ++j) {
      const std::int64_t a = order_[static_cast<std::size_t>(i)], b = order_[static_cast<std::size_t>(j)];
      sums[std::max(a, b) * size_ + std::min(a, b)] +=
          weight * dot(row(i) + known_, row(j) + known_, j + 1 - known_);
    }
}

}  // namespace deepgen
