// Components of independent counts, in double precision: of a count of thousands x log rate is large, and most
// of it cancels.
#include <cmath>

#include "deepgen/ops/products64.h"
#include "deepgen/parts/likelihoods/mixture_products.h"

namespace deepgen {
namespace {

constexpr double smallest_rate = 1e-6;
constexpr double smallest_rate_at_start = 0.01;  // then a component should still be able to change its mind

// Cells in double precision, missing ones as zeros, and which are known; `known` undefined: all.
struct Counts {
  Tensor cells, known;
};

Counts counts_of(const Tensor& x) {
  const Tensor rows = x.to(at::kFloat).contiguous();
  if (!any_missing(rows)) return {in_float64(rows), {}};
  return {in_float64(rows.nan_to_num(0)), in_float64(rows.isnan().logical_not())};
}

// The sum of log x! of each row, [B] float64.
Tensor log_factorials(const Tensor& cells) {
  const std::int64_t n = cells.size(0), d = cells.size(1);
  Tensor totals = at::zeros({n}, at::kDouble);
  const auto* values = cells.data_ptr<double>();
  auto* out = totals.data_ptr<double>();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < d; ++j) out[i] += std::lgamma(values[i * d + j] + 1);
  return totals;
}

}  // namespace

PoissonComponents::PoissonComponents(std::int64_t count, std::int64_t columns, double pseudo_count)
    : log_rate(register_parameter("log_rate", at::zeros({count, columns}))),
      pseudo_count_(pseudo_count),
      units_(UnitLayer::of(UnitKind::count, columns)),
      average_(register_buffer("average", at::ones({columns}, at::kDouble))),
      mass_(sums("mass", {count, columns})),
      first_(sums("first", {count, columns})) {}

void PoissonComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void PoissonComponents::start(const ColumnMoments& data, const Tensor& centres) {
  NoGradGuard no_graph;
  average_.copy_(data.mean);
  log_rate.copy_(centres.to(at::kDouble).clamp_min(smallest_rate_at_start).log());
}

Tensor PoissonComponents::log_densities(const Tensor& x) const {
  NoGradGuard no_graph;
  const Counts counts = counts_of(x);
  const Tensor logs = in_float64(log_rate), rates = logs.exp();
  Tensor out = at::empty({x.size(0), logs.size(0)}, at::kDouble);
  multiply64(out, counts.cells, logs.t());
  if (counts.known.defined())
    multiply64(out, counts.known, rates.t(), -1, 1);
  else
    out.sub_(column_totals(rates.t()));
  return out.sub_(log_factorials(counts.cells).unsqueeze(1));
}

void PoissonComponents::gather(const Tensor& x, const Tensor& r) {
  NoGradGuard no_graph;
  const Counts counts = counts_of(x);
  const Tensor shares = in_float64(r);
  multiply64(first_, shares.t(), counts.cells, 1, 1);
  if (counts.known.defined())
    multiply64(mass_, shares.t(), counts.known, 1, 1);
  else
    mass_.add_(column_totals(shares).unsqueeze(1));
}

void PoissonComponents::maximise() {
  NoGradGuard no_graph;
  const Tensor rows = mass_ + pseudo_count_;
  const Tensor rate = ((first_ + pseudo_count_ * average_) / rows).clamp_min(smallest_rate);
  log_rate.copy_(at::where(rows > no_mass, rate.log(), in_float64(log_rate)));
  mass_.zero_(), first_.zero_();
}

double PoissonComponents::log_prior() const {
  if (pseudo_count_ == 0) return 0;
  NoGradGuard no_graph;
  const Tensor logs = in_float64(log_rate), terms = (average_ * logs - logs.exp()).contiguous();
  double sum = 0;
  for (std::int64_t i = 0; i < terms.numel(); ++i) sum += terms.data_ptr<double>()[i];
  return pseudo_count_ * sum;
}

Tensor PoissonComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor drawn = units_.sample(log_rate.detach().index_select(0, which), {}, rng);
  return at::where(x.isnan(), drawn, x);
}

Tensor PoissonComponents::means() const { return log_rate.detach().exp(); }

}  // namespace deepgen
