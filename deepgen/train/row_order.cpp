#include "deepgen/train/row_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/data/known_labels.h"

namespace deepgen {
namespace {

std::vector<double> checked_weights(const Split& split) {
  const Tensor dense = split.weights.to(at::kDouble).contiguous();
  const std::string who = fmt::format("weights of {}", split.name);
  if (dense.dim() != 1 || dense.size(0) != split.rows())
    fail_data(who, fmt::format("expected one for each of {} rows, got {}", split.rows(), dense.numel()));
  std::vector<double> weights(dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel());
  double total = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] >= 0) || !std::isfinite(weights[i]))
      fail_data(who, fmt::format("expected a number of 0 or more, got {} at row {}", weights[i], i));
    total += weights[i];
  }
  if (!(total > 0)) fail_data(who, "expected a weight above 0, got none: no row counts");
  return weights;
}

// Points offset, offset + 1, ... below N are laid over the rows, each as wide as N times its share of the
// weights; the rows they fall on, in order.
std::vector<std::int64_t> systematic_rows(const std::vector<double>& weights, double offset) {
  double total = 0, reached = 0;
  for (const double w : weights) total += w;
  std::vector<std::int64_t> drawn;
  const auto rows = static_cast<double>(weights.size());
  std::int64_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = static_cast<std::int64_t>(i);
    reached += weights[i];
    const double end = reached / total * rows;
    while (drawn.size() < weights.size() && static_cast<double>(drawn.size()) + offset < end)
      drawn.push_back(last);
  }
  drawn.resize(weights.size(), last);  // where rounding left the end a little short
  return drawn;
}

// The order with rows drawn in proportion to their weights in place of each once.
std::vector<std::int64_t> weighted(std::vector<std::int64_t> order, const std::vector<double>& weights,
                                   const Rng& rng) {
  // Equal weights by name: rounding must not repeat a row.
  if (std::all_of(weights.begin(), weights.end(), [&](double w) { return w == weights[0]; })) return order;
  const std::vector<std::int64_t> drawn = systematic_rows(weights, rng.fork({1}).uniform());
  for (std::int64_t& row : order) row = drawn[static_cast<std::size_t>(row)];
  return order;
}

}  // namespace

std::vector<std::int64_t> row_order(const Split& split, const Rng& rng, bool labelled) {
  Rng own = rng;
  const std::vector<std::int64_t> known = labelled ? labelled_rows(split) : std::vector<std::int64_t>();
  const auto row_at = [&](std::int64_t i) { return labelled ? known[static_cast<std::size_t>(i)] : i; };
  std::vector<std::int64_t> order = own.permutation(labelled ? std::ssize(known) : split.cases());
  if (split.weights.defined() && !order.empty()) {
    if (split.starts.defined())
      fail_data(fmt::format("weights of {}", split.name),
                "expected none beside sequences: a case is many rows, and weights are those of rows");
    const std::vector<double> all = checked_weights(split);
    std::vector<double> weights;
    for (std::size_t i = 0; i < order.size(); ++i)
      weights.push_back(all[static_cast<std::size_t>(row_at(static_cast<std::int64_t>(i)))]);
    order = weighted(std::move(order), weights, rng);
  }
  for (std::int64_t& row : order) row = row_at(row);
  return order;
}

}  // namespace deepgen
