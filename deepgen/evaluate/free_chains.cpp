#include "deepgen/evaluate/free_chains.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/evaluate/missing_cells.h"

namespace deepgen {
namespace {

struct Range {
  Tensor low, high;    // [D]
  bool whole = false;  // every value is a whole number
};

// Of the columns; of data within [0, 1] that interval, for a column that is always off could be on.
Range range_of(const Tensor& data) {
  const bool unit = data.min().item<float>() >= 0 && data.max().item<float>() <= 1;
  Range range{at::zeros({data.size(1)}), at::ones({data.size(1)}), at::equal(data, data.round())};
  if (!unit) range.low = data.amin(0), range.high = data.amax(0);
  return range;
}

Tensor uniform_rows(const Range& range, std::int64_t count, Rng& rng) {
  const std::int64_t columns = range.low.size(0);
  Tensor u = at::empty({count, columns});
  for (std::int64_t i = 0; i < u.numel(); ++i) u.data_ptr<float>()[i] = static_cast<float>(rng.uniform());
  const Tensor x = range.low + u * (range.high - range.low);
  return range.whole ? x.round() : x;
}

// Distance to the k-th nearest of each row; plain sums of squares, so that equal states are at distance 0.
Tensor kth_distance(const Tensor& a, const Tensor& b, std::int64_t k, bool same) {
  constexpr std::int64_t without_products = 2;  // at::cdist's mode that does not expand the square
  Tensor distance = at::cdist(a, b, 2, without_products);
  if (same) distance.fill_diagonal_(std::numeric_limits<float>::infinity());
  return std::get<0>(distance.kthvalue(k, 1));
}

std::vector<double> sorted(const Tensor& values) {
  const Tensor dense = values.to(at::kDouble).contiguous();
  std::vector<double> result(dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

Tensor dispersed_starts(const HasChain& chain, const Tensor& data, std::int64_t count, Rng& rng) {
  const Range range = range_of(data);
  const Tensor number = at::arange(count), kind = number.remainder(3).unsqueeze(1);
  const Tensor own = chain.chain_start(count, rng);
  const Tensor rows = data.index_select(0, number.div(3, "floor").remainder(data.size(0)));
  const Tensor reflected = range.low + range.high - rows;
  return at::where(kind == 0, own, at::where(kind == 1, reflected, uniform_rows(range, count, rng)));
}

Strays strays(const Tensor& chains, const Tensor& reference) {
  const std::int64_t m = reference.size(0), n = chains.size(0);
  if (n == 0 || m < 3) return {};
  const Tensor all = at::cat({chains, reference});
  const Tensor scale = (all.amax(0) - all.amin(0)).clamp_min(1e-6);  // columns of any unit
  const Tensor a = chains / scale, b = reference / scale;
  const auto k = static_cast<std::int64_t>(std::ceil(0.03 * static_cast<double>(m)));
  const Tensor own = kth_distance(b, b, k, true);
  const double limit = std::get<0>(own.kthvalue(m - k)).item<double>();
  Strays result;
  result.count = (kth_distance(a, b, k, false) > limit * (1 + 1e-6)).sum().item<std::int64_t>();
  const double share = static_cast<double>(k + 1) / static_cast<double>(m + 1);
  const double spread = share * (1 - share) * (1 / static_cast<double>(m + 2) + 1 / static_cast<double>(n));
  result.allowed = static_cast<double>(n) * (share + 4 * std::sqrt(spread)) + 1;
  return result;
}

double distribution_distance(const Tensor& first, const Tensor& second) {
  const std::vector<double> a = sorted(first), b = sorted(second);
  double largest = 0;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
    largest = std::max(largest, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                         static_cast<double>(j) / static_cast<double>(b.size())));
  }
  return largest;
}

double allowed_distance(double n, double m) { return 1.95 * std::sqrt(1 / n + 1 / m); }

std::string leaving_the_data(const Tensor& chains, const Tensor& data) {
  constexpr std::int64_t fewest_rows = 20, fewest_chains = 10;
  constexpr double margin = 3;  // nats: states twenty times as probable as the most probable row
  if (data.size(0) < fewest_rows || chains.size(0) < fewest_chains) return "";
  const double highest = at::quantile(chains, 0.9).item<double>(), lowest = data.min().item<double>();
  if (!(highest < lowest - margin)) return "";
  return fmt::format(
      "free chains leave the data: nine in ten of {} have a free energy below {:.1f}, the lowest of {} rows "
      "of "
      "data is {:.1f}, so the model holds states probable that look like none of them",
      chains.size(0), highest, data.size(0), lowest);
}

std::string free_chains_leave_data(const Model& model, const Tensor& data, Rng& rng) {
  constexpr std::int64_t chains = 100, steps = 200, most_rows = 500;
  const auto* energy = as<HasFreeEnergy>(model);
  const auto* chain = as<HasChain>(model);
  if (!energy || !chain || as<IsConditional>(model)) return "";
  NoGradGuard no_graph;
  const Tensor rows = complete_rows_only(data.narrow(0, 0, std::min(data.size(0), most_rows)));
  if (rows.size(0) == 0) return "";
  const Tensor free = chain->chain_steps(chain->chain_start(chains, rng), steps, rng);
  return leaving_the_data(energy->free_energy(free), energy->free_energy(rows));
}

}  // namespace deepgen
