// Components of independent categories.
#include <algorithm>
#include <cmath>

#include "deepgen/kernels/kernels.h"
#include "deepgen/parts/likelihoods/mixture_products.h"

namespace deepgen {
namespace {

constexpr double smallest_share = 1e-7;     // of a category
constexpr double smallest_at_start = 1e-3;  // then a component should still be able to change its mind

UnitLayer categories_of(const std::vector<std::int64_t>& sizes) {
  std::vector<UnitGroup> groups;
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    groups.push_back({UnitKind::softmax, first, size, 0});
    first += size;
  }
  return UnitLayer(groups);
}

// body(k, group, cells) for every group of columns of every row k of x [K, D] float64.
template <class F>
void each_group(const Tensor& x, const std::vector<UnitGroup>& groups, F body) {
  const std::int64_t d = x.size(1);
  auto* cells = x.data_ptr<double>();
  parallel_ranges(x.size(0), 10.0 * static_cast<double>(d), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k)
      for (const UnitGroup& group : groups) body(k, group, cells + k * d + group.first);
  });
}

// Logits less the logarithm of their sum in each group, [K, D] float64.
Tensor normalised_logits(const Tensor& logits, const std::vector<UnitGroup>& groups) {
  const Tensor out = in_float64(logits);
  each_group(out, groups, [](std::int64_t, const UnitGroup& group, double* cells) {
    const double largest = *std::max_element(cells, cells + group.size);
    double sum = 0;
    for (std::int64_t j = 0; j < group.size; ++j) sum += std::exp(cells[j] - largest);
    const double log_sum = largest + std::log(sum);
    for (std::int64_t j = 0; j < group.size; ++j) cells[j] -= log_sum;
  });
  return out;
}

// Counts become the shares that maximise sum_j count_j log share_j with none below the smallest. What is
// raised is taken from the others, which may bring more of them down: each round finds all or more.
void to_shares(double* counts, std::int64_t size, double total) {
  std::int64_t low = 0, before = -1;
  while (low > before) {
    before = low, low = 0;
    double rest = 0;
    for (std::int64_t j = 0; j < size; ++j) {
      if (counts[j] < smallest_share * total)
        ++low;
      else
        rest += counts[j];
    }
    total = rest / (1 - smallest_share * static_cast<double>(low));
  }
  for (std::int64_t j = 0; j < size; ++j) counts[j] = std::max(counts[j] / total, smallest_share);
}

// A missing cell counts for nothing.
Tensor without_gaps(const Tensor& x) {
  const Tensor rows = x.to(at::kFloat).contiguous();
  return any_missing(rows) ? rows.nan_to_num(0) : rows;
}

}  // namespace

CategoricalComponents::CategoricalComponents(std::int64_t count, const std::vector<std::int64_t>& sizes,
                                             double pseudo_count)
    : pseudo_count_(pseudo_count), units_(categories_of(sizes)) {
  logits = register_parameter("logits", at::zeros({count, units_.size()}));
  ones_ = sums("ones", {count, units_.size()});
}

void CategoricalComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void CategoricalComponents::start(const ColumnMoments&, const Tensor& centres) {
  NoGradGuard no_graph;
  logits.copy_(centres.to(at::kDouble).clamp_min(smallest_at_start).log());
}

Tensor CategoricalComponents::log_densities(const Tensor& x) const {
  NoGradGuard no_graph;
  const auto logs = log_probs_.of(
      {logits}, [this] { return normalised_logits(logits, units_.groups()).to(at::kFloat).contiguous(); });
  const Tensor rows = without_gaps(x);
  Tensor out = at::empty({rows.size(0), logits.size(0)});
  rows_times(rows, *logs, out);
  return out.to(at::kDouble);
}

void CategoricalComponents::gather(const Tensor& x, const Tensor& r) {
  NoGradGuard no_graph;
  const Tensor rows = without_gaps(x), shares = r.to(at::kFloat).contiguous();
  ones_.add_(shares_times(shares, rows, product_));
}

// What a component has of a group is the sum over its categories: rows that lack the group are not in it.
void CategoricalComponents::maximise() {
  NoGradGuard no_graph;
  const Tensor counts = ones_ + pseudo_count_;
  const std::int64_t d = counts.size(1);
  auto* own = logits.data_ptr<float>();
  each_group(counts, units_.groups(), [own, d](std::int64_t k, const UnitGroup& group, double* cells) {
    double total = 0;
    for (std::int64_t j = 0; j < group.size; ++j) total += cells[j];
    if (total <= no_mass) return;  // a component without rows stays as it is
    to_shares(cells, group.size, total);
    float* out = own + k * d + group.first;
    for (std::int64_t j = 0; j < group.size; ++j) out[j] = static_cast<float>(std::log(cells[j]));
  });
  ones_.zero_();
}

double CategoricalComponents::log_prior() const {
  if (pseudo_count_ == 0) return 0;
  const Tensor logs = normalised_logits(logits, units_.groups());
  double sum = 0;
  for (std::int64_t i = 0; i < logs.numel(); ++i) sum += logs.data_ptr<double>()[i];
  return pseudo_count_ * sum;
}

Tensor CategoricalComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor drawn = units_.sample(logits.detach().index_select(0, which), {}, rng);
  return at::where(x.isnan(), drawn, x);
}

Tensor CategoricalComponents::means() const { return units_.mean(logits.detach(), {}); }

// Two categories that differ are two columns that differ: they count as one bit.
Tensor CategoricalComponents::distance_scale(const ColumnMoments&) const {
  return at::full({units_.size()}, std::sqrt(0.5), at::kFloat);
}

}  // namespace deepgen
