#include "deepgen/parts/likelihoods/mixture_components.h"

#include <cmath>
#include <limits>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/sparse_products.h"
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

// Measured: of fewer components lists of the ones (sparse_products.h) cost as much as dense products.
constexpr std::int64_t components_for_lists = 64;

// Whether products of K columns with the bits x [N, D] or, `across`, with their transpose go by lists.
bool by_lists(const Tensor& x, std::int64_t k, bool across) {
  if (k < components_for_lists) return false;
  const std::int64_t n = x.size(0), d = x.size(1);
  ProductViews product{};
  product.rows = across ? d : n, product.inner = across ? n : d, product.columns = k;
  product.a = x.data_ptr<float>(), product.a_stride = d, product.a_transposed = across;
  return worth_lists(product);
}

// out [N, K] = x y', x [N, D] and y [K, D] dense float32. Few components leave no columns to share out: then
// blocks of rows are.
void rows_times(const Tensor& x, const Tensor& y, Tensor& out) {
  constexpr std::int64_t many = 384, block = block_rows / 2;
  const std::int64_t n = x.size(0), d = x.size(1), k = y.size(0);
  if (k >= many || by_lists(x, k, false)) return multiply(out, x, y.t());
  const float *rows = x.data_ptr<float>(), *others = y.data_ptr<float>();
  auto* products = out.data_ptr<float>();
  share_work((n + block - 1) / block, n * k * d, [&](std::int64_t item) {
    const std::int64_t first = item * block, count = std::min(block, n - first);
    multiply_alone({rows + first * d, count, d, d}, {others, d, k, d, true}, products + first * k, k, false);
  });
}

// r' x [K, D], r [N, K] and x [N, D] dense float32, in the memory of `kept`.
Tensor shares_times(const Tensor& r, const Tensor& x, Tensor& kept) {
  const std::int64_t d = x.size(1), k = r.size(1);
  if (!kept.defined()) kept = at::empty({d * k});
  const bool across = by_lists(x, k, true);
  Tensor out = across ? kept.view({d, k}) : kept.view({k, d});
  if (!across) {
    multiply(out, r.t(), x);
    return out;
  }
  multiply(out, x.t(), r);
  return out.t();
}

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

// ---------------------------------------------------------------- blocks of columns

JoinedComponents::JoinedComponents(std::int64_t columns, std::vector<Block> blocks)
    : columns_(columns), blocks_(std::move(blocks)) {
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    register_module("block" + std::to_string(b), blocks_[b].components);
    index_.push_back(at::tensor(blocks_[b].columns, at::kLong));
  }
}

Tensor JoinedComponents::take(const Tensor& x, std::size_t block) const {
  return blocks_.size() == 1 ? x : x.index_select(-1, index_[block]);
}

void JoinedComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (x.size(1) != columns_) return blocks_[0].components->check(x, what, first_row);  // says so
  for (std::size_t b = 0; b < blocks_.size(); ++b) blocks_[b].components->check(take(x, b), what, first_row);
}

void JoinedComponents::start(const ColumnMoments& data, const Tensor& centres) {
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    blocks_[b].components->start({take(data.mean, b), take(data.variance, b)}, take(centres, b));
}

Tensor JoinedComponents::log_densities(const Tensor& x) const {
  Tensor sum;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Tensor part = blocks_[b].components->log_densities(take(x, b));
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

void JoinedComponents::gather(const Tensor& x, const Tensor& r) {
  for (std::size_t b = 0; b < blocks_.size(); ++b) blocks_[b].components->gather(take(x, b), r);
}

void JoinedComponents::maximise() {
  for (Block& block : blocks_) block.components->maximise();
}

double JoinedComponents::log_prior() const {
  double sum = 0;
  for (const Block& block : blocks_) sum += block.components->log_prior();
  return sum;
}

Tensor JoinedComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  Tensor out = x.clone();
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    out.index_copy_(1, index_[b], blocks_[b].components->draw(take(x, b), which, rng));
  return out;
}

Tensor JoinedComponents::means() const {
  Tensor out;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Tensor part = blocks_[b].components->means();
    if (!out.defined()) out = at::zeros({part.size(0), columns_});
    out.index_copy_(1, index_[b], part);
  }
  return out;
}

}  // namespace deepgen
