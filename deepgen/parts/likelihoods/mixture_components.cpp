#include "deepgen/parts/likelihoods/mixture_components.h"

#include <cmath>
#include <limits>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/units/unit_functions.h"

namespace deepgen {

// ---------------------------------------------------------------- sums

ColumnMoments column_moments(const Tensor& x) {
  const std::int64_t n = x.size(0), d = x.size(1);
  const Tensor dense = x.to(at::kFloat).contiguous();
  const float* values = dense.data_ptr<float>();
  ColumnMoments moments{at::zeros({d}, at::kDouble), at::zeros({d}, at::kDouble)};
  double *mean = moments.mean.data_ptr<double>(), *variance = moments.variance.data_ptr<double>();
  std::vector<double> known(static_cast<std::size_t>(d));
  auto each = [&](auto visit) {  // row by row, in their order
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < d; ++j)
        if (!std::isnan(values[i * d + j])) visit(static_cast<std::size_t>(j), values[i * d + j]);
  };
  each([&](std::size_t j, float value) { mean[j] += value, known[j] += 1; });
  for (std::size_t j = 0; j < known.size(); ++j) mean[j] /= std::max(1.0, known[j]);
  each([&](std::size_t j, float value) { variance[j] += (value - mean[j]) * (value - mean[j]); });
  for (std::size_t j = 0; j < known.size(); ++j) {
    variance[j] /= std::max(1.0, known[j]);
    if (variance[j] <= 0) variance[j] = 1;
  }
  return moments;
}

Tensor spread_rows(const Tensor& x, std::int64_t count, const Tensor& scale, Rng& rng) {
  const std::int64_t n = x.size(0), d = x.size(1);
  const Tensor scaled = (x * scale).contiguous();
  const float* values = scaled.data_ptr<float>();
  std::vector<double> nearest(static_cast<std::size_t>(n), std::numeric_limits<double>::infinity());
  std::vector<std::int64_t> chosen = {static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(n)))};
  while (static_cast<std::int64_t>(chosen.size()) < count) {
    const float* from = values + chosen.back() * d;
    parallel_ranges(n, 0.5 * static_cast<double>(d), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = 0; j < d; ++j) {
          const double step = values[i * d + j] - from[j];
          sum += step * step;
        }
        double& best = nearest[static_cast<std::size_t>(i)];
        best = std::min(best, sum);
      }
    });
    double total = 0;
    for (const double each : nearest) total += each;
    const double u = rng.uniform() * total;
    // Fewer different rows than components: any row will do.
    chosen.push_back(
        total > 0 ? pick_category(n, u, [&](std::int64_t i) { return nearest[static_cast<std::size_t>(i)]; })
                  : static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(n))));
  }
  return x.index_select(0, at::tensor(chosen, at::kLong));
}

Tensor column_totals(const Tensor& rows) {
  const std::int64_t n = rows.size(0), k = rows.size(1);
  const Tensor dense = rows.contiguous();
  Tensor totals = at::zeros({k}, at::kDouble);
  const auto* values = dense.data_ptr<double>();
  auto* sums = totals.data_ptr<double>();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < k; ++j) sums[j] += values[i * k + j];
  return totals;
}

// ---------------------------------------------------------------- bits

namespace {

// A probability is kept this far from 0 and 1, so that its logit is a number; the maximiser within these
// limits is the free one cut off at them.
constexpr double least_probability = 1e-7;

// At the start no bit is as good as known: a component should still be able to change its mind.
constexpr double least_at_start = 1e-3;

Tensor known_cells(const Tensor& x) { return x.isnan().logical_not().to(at::kFloat); }

Tensor logit_of(const Tensor& p) { return (p.log() - (-p).log1p()).to(at::kFloat); }

}  // namespace

BernoulliComponents::BernoulliComponents(std::int64_t count, std::int64_t columns, double pseudo_count)
    : logits(register_parameter("logits", at::zeros({count, columns}))),
      pseudo_count_(pseudo_count),
      units_(UnitLayer::of(UnitKind::binary, columns)),
      ones_(sums("ones", {count, columns})),
      seen_(sums("seen", {count, columns})) {}

void BernoulliComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void BernoulliComponents::start(const ColumnMoments&, const Tensor& centres) {
  NoGradGuard no_graph;
  logits.copy_(logit_of(centres.to(at::kDouble).clamp(least_at_start, 1 - least_at_start)));
}

// A missing cell makes none of all products with it, which is seen sooner in them than in the cells.
Tensor BernoulliComponents::log_densities(const Tensor& x) const {
  NoGradGuard no_graph;
  const Tensor rows = x.to(at::kFloat).contiguous(), own = logits.detach();
  Tensor out = at::empty({rows.size(0), own.size(0)});
  rows_times(rows, own, out);
  if (!any_missing(out)) {
    const auto partition = partition_.of({own}, [&] { return softplus_row_sum64(own.to(at::kDouble)); });
    return out.to(at::kDouble).sub_(*partition);
  }
  rows_times(rows.nan_to_num(0), own, out);
  Tensor result = out.to(at::kDouble);
  rows_times(known_cells(rows), at::softplus(own.to(at::kDouble)).to(at::kFloat), out);
  return result.sub_(out);
}

void BernoulliComponents::gather(const Tensor& x, const Tensor& r) {
  NoGradGuard no_graph;
  const Tensor rows = x.to(at::kFloat).contiguous(), shares = r.to(at::kFloat).contiguous();
  const Tensor ones = shares_times(shares, rows, product_);
  if (!at::isnan(ones.sum()).item<bool>()) {
    ones_.add_(ones);
    seen_.add_(column_totals(shares.to(at::kDouble)).unsqueeze(1));  // rounded as in the products
    return;
  }
  ones_.add_(shares_times(shares, rows.nan_to_num(0), product_));
  seen_.add_(shares_times(shares, known_cells(rows), product_));
}

void BernoulliComponents::maximise() {
  NoGradGuard no_graph;
  const Tensor seen = seen_ + 2 * pseudo_count_;
  const Tensor p = ((ones_ + pseudo_count_) / seen).clamp(least_probability, 1 - least_probability);
  logits.copy_(at::where(seen > no_mass, logit_of(p), logits));  // a component without rows stays as it is
  ones_.zero_(), seen_.zero_();
}

double BernoulliComponents::log_prior() const {
  NoGradGuard no_graph;
  const Tensor wide = logits.to(at::kDouble);
  const Tensor partitions = softplus_row_sum64(wide) + softplus_row_sum64(-wide);
  double sum = 0;
  for (std::int64_t k = 0; k < partitions.size(0); ++k) sum -= partitions.data_ptr<double>()[k];
  return pseudo_count_ * sum;  // log p + log(1 - p) = -softplus(l) - softplus(-l)
}

Tensor BernoulliComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor p = means().index_select(0, which);
  const Tensor bits = (uniform(x.size(0), x.size(1), rng.next()) < p).to(at::kFloat);
  return at::where(x.isnan(), bits, x);
}

Tensor BernoulliComponents::means() const { return binary_mean(logits.detach()); }

}  // namespace deepgen
