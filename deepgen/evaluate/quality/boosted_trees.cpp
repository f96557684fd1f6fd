#include "deepgen/evaluate/quality/boosted_trees.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "deepgen/kernels/kernels.h"

namespace deepgen::quality {
namespace {

constexpr std::size_t most_bins = 256;
constexpr double category_penalty = 10;  // so that rare categories do not lead the order

std::size_t slot(std::int64_t i) { return static_cast<std::size_t>(i); }

// Of the gradients of some rows.
struct Sums {
  double g = 0, h = 0;
  Sums operator+(const Sums& o) const { return {g + o.g, h + o.h}; }
  Sums operator-(const Sums& o) const { return {g - o.g, h - o.h}; }
};

// Sums of each bin, column after column.
using Histogram = std::vector<Sums>;

struct SplitPlace {
  double gain = 0;
  std::int32_t column = -1;
  std::bitset<most_bins> low_bins;
};

}  // namespace

// ---------------------------------------------------------------- bins

BinnedTable::BinnedTable(const std::vector<Field>& fields, const Table& table,
                         const std::vector<std::size_t>& columns, std::int64_t learnt)
    : rows_(table.rows) {
  for (const std::size_t j : columns)
    columns_.push_back(fields[j].is_number
                           ? bin_number(table.columns[j].numbers, slot(learnt))
                           : bin_category(table.columns[j].codes, fields[j].codes(), slot(learnt)));
}

BinnedTable::Binned BinnedTable::bin_number(const std::vector<double>& numbers, std::size_t learnt) {
  Column some{{numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(learnt)}, {}};
  std::vector<double> ends = sorted_known(some), sorted = ends;
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  constexpr std::size_t most = most_bins - 1;  // beside the missing cells
  if (ends.size() > most) {
    ends.clear();
    for (std::size_t i = 1; i <= most; ++i) ends.push_back(sorted[i * sorted.size() / most - 1]);
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  }
  Binned binned{std::vector<std::uint8_t>(numbers.size()), static_cast<int>(ends.size()) + 1, true};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isnan(numbers[i]) || ends.empty()) continue;
    const auto bin =
        std::min<std::ptrdiff_t>(std::lower_bound(ends.begin(), ends.end(), numbers[i]) - ends.begin(),
                                 static_cast<std::ptrdiff_t>(ends.size()) - 1);
    binned.bins[i] = static_cast<std::uint8_t>(bin + 1);
  }
  return binned;
}

// The most frequent categories have bins of their own; all others share the last.
BinnedTable::Binned BinnedTable::bin_category(const std::vector<std::int32_t>& codes, std::int64_t values,
                                              std::size_t learnt) {
  std::vector<std::int64_t> counts(slot(values));
  for (std::size_t i = 0; i < learnt; ++i) ++counts[slot(codes[i])];
  Index order = counted(values);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return counts[slot(a)] > counts[slot(b)]; });
  std::vector<std::uint8_t> bin_of(slot(values));
  for (std::size_t rank = 0; rank < order.size(); ++rank)
    bin_of[slot(order[rank])] = static_cast<std::uint8_t>(std::min(rank, most_bins - 1));
  Binned binned{{}, static_cast<int>(std::min(slot(values), most_bins)), false};
  binned.bins.reserve(codes.size());
  for (const std::int32_t code : codes) binned.bins.push_back(bin_of[slot(code)]);
  return binned;
}

// ---------------------------------------------------------------- one tree

namespace {

// Grows one tree from the gradients of the rows and moves their scores by it.
class Grower {
 public:
  Grower(const BinnedTable& table, const BoostingPlan& plan) : table_(table), plan_(plan), offsets_{0} {
    for (std::size_t j = 0; j < table.columns(); ++j)
      offsets_.push_back(offsets_.back() + static_cast<std::size_t>(table.count(j)));
  }

  // gradients and scores: of each of `rows`, which are rows of the table.
  Tree grow(const Index& rows, const std::vector<Sums>& gradients, std::vector<double>& scores) {
    rows_ = &rows, gradients_ = &gradients, scores_ = &scores;
    places_ = counted(static_cast<std::int64_t>(rows.size()));
    tree_.clear();
    Sums all;
    for (const Sums& each : gradients) all = all + each;
    add_node(0, places_.size(), all, plan_.depth > 0 ? histogram(0, places_.size()) : Histogram(), 0);
    return std::move(tree_);
  }

 private:
  double worth(const Sums& s) const { return s.g * s.g / (s.h + plan_.penalty); }

  // Each column by one thread, its rows in their order: no sum depends on the threads.
  Histogram histogram(std::size_t begin, std::size_t end) const {
    Histogram sums(offsets_.back());
    parallel_ranges(static_cast<std::int64_t>(table_.columns()), 3.0 * static_cast<double>(end - begin), 1,
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::size_t j = slot(first); j < slot(last); ++j) {
                        const std::uint8_t* bins = table_.bins(j);
                        Sums* into = sums.data() + offsets_[j];
                        for (std::size_t i = begin; i < end; ++i) {
                          const std::size_t place = slot(places_[i]);
                          Sums& sum = into[bins[(*rows_)[place]]];
                          sum.g += (*gradients_)[place].g, sum.h += (*gradients_)[place].h;
                        }
                      }
                    });
    return sums;
  }

  // The best threshold in this order of bins, with `low` already on the low side.
  void try_order(const std::vector<std::size_t>& order, const Sums* sums, Sums low, const Sums& all,
                 SplitPlace& best, std::size_t column, bool missing_low) const {
    const double before = worth(all);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      low = low + sums[order[i]];
      const Sums high = all - low;
      if (low.h < plan_.least_curvature || high.h < plan_.least_curvature) continue;
      const double gain = (worth(low) + worth(high) - before) / 2;
      if (!(gain > best.gain)) continue;
      best.gain = gain, best.column = static_cast<std::int32_t>(column), taken = i + 1;
    }
    if (taken == 0) return;
    best.low_bins.reset();
    for (std::size_t i = 0; i < taken; ++i) best.low_bins.set(order[i]);
    if (missing_low) best.low_bins.set(0);
  }

  SplitPlace best_of_column(std::size_t column, const Sums* sums, const Sums& all) const {
    SplitPlace best{.gain = 1e-10, .column = -1, .low_bins = {}};
    std::vector<std::size_t> order;
    const auto count = static_cast<std::size_t>(table_.count(column));
    if (table_.ordered(column)) {
      for (std::size_t bin = 1; bin < count; ++bin) order.push_back(bin);
      try_order(order, sums, {}, all, best, column, false);
      if (sums[0].h > 0) try_order(order, sums, sums[0], all, best, column, true);
      return best;
    }
    std::array<double, most_bins> slope{};
    for (std::size_t bin = 0; bin < count; ++bin) {
      slope[bin] = sums[bin].g / (std::max(sums[bin].h, 0.0) + category_penalty);
      if (sums[bin].h > 1e-12) order.push_back(bin);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return slope[a] < slope[b]; });
    try_order(order, sums, {}, all, best, column, false);
    return best;
  }

  SplitPlace best_split(const Histogram& sums, const Sums& all) const {
    SplitPlace best;
    for (std::size_t j = 0; j < table_.columns(); ++j) {
      const SplitPlace here = best_of_column(j, sums.data() + offsets_[j], all);
      if (here.column >= 0 && here.gain > best.gain) best = here;
    }
    return best;
  }

  std::int32_t add_node(std::size_t begin, std::size_t end, const Sums& all, Histogram sums, int depth) {
    const auto node = static_cast<std::int32_t>(tree_.size());
    tree_.emplace_back();
    SplitPlace split;
    if (depth < plan_.depth) split = best_split(sums, all);
    if (split.column < 0) {
      add_leaf(node, begin, end, all);
      return node;
    }
    const std::size_t middle = partition(begin, end, split);
    Sums low;
    for (std::size_t i = begin; i < middle; ++i) low = low + (*gradients_)[slot(places_[i])];
    Histogram low_sums, high_sums;
    if (depth + 1 < plan_.depth) share_histogram(begin, middle, end, sums, low_sums, high_sums);
    tree_[slot(node)].column = split.column, tree_[slot(node)].low_bins = split.low_bins;
    const std::int32_t low_node = add_node(begin, middle, low, std::move(low_sums), depth + 1);
    const std::int32_t high_node = add_node(middle, end, all - low, std::move(high_sums), depth + 1);
    tree_[slot(node)].low = low_node, tree_[slot(node)].high = high_node;
    return node;
  }

  void add_leaf(std::int32_t node, std::size_t begin, std::size_t end, const Sums& all) {
    const double value = -plan_.rate * all.g / (all.h + plan_.penalty);
    tree_[slot(node)].value = value;
    for (std::size_t i = begin; i < end; ++i) (*scores_)[slot(places_[i])] += value;
  }

  std::size_t partition(std::size_t begin, std::size_t end, const SplitPlace& split) {
    const std::uint8_t* bins = table_.bins(slot(split.column));
    const auto first = places_.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = places_.begin() + static_cast<std::ptrdiff_t>(end);
    const auto middle = std::stable_partition(
        first, last, [&](std::int64_t place) { return split.low_bins[bins[(*rows_)[slot(place)]]]; });
    return static_cast<std::size_t>(middle - places_.begin());
  }

  // The smaller side is summed, the other is what is left of the whole.
  void share_histogram(std::size_t begin, std::size_t middle, std::size_t end, Histogram& whole,
                       Histogram& low, Histogram& high) const {
    const bool low_is_smaller = middle - begin <= end - middle;
    Histogram smaller = low_is_smaller ? histogram(begin, middle) : histogram(middle, end);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = whole[i] - smaller[i];
    (low_is_smaller ? low : high) = std::move(smaller);
    (low_is_smaller ? high : low) = std::move(whole);
  }

  const BinnedTable& table_;
  const BoostingPlan& plan_;
  std::vector<std::size_t> offsets_;
  const Index* rows_ = nullptr;
  const std::vector<Sums>* gradients_ = nullptr;
  std::vector<double>* scores_ = nullptr;
  Index places_;  // of the rows, node by node
  Tree tree_;
};

// ---------------------------------------------------------------- losses

using Scores = std::vector<std::vector<double>>;  // [outputs][rows]

// p_k of each row from the scores of all outputs.
Scores softmax(const Scores& scores) {
  Scores p = scores;
  for (std::size_t i = 0; i < scores[0].size(); ++i) {
    double largest = scores[0][i], sum = 0;
    for (const auto& output : scores) largest = std::max(largest, output[i]);
    for (std::size_t k = 0; k < p.size(); ++k) sum += p[k][i] = std::exp(scores[k][i] - largest);
    for (auto& output : p) output[i] /= sum;
  }
  return p;
}

Sums gradient_of(TreeLoss loss, double score, double p, double y, std::size_t k) {
  constexpr double least = 1e-16;
  if (loss == TreeLoss::squared) return {score - y, 1};
  if (loss == TreeLoss::logistic) p = 1 / (1 + std::exp(-score));
  const double wanted = loss == TreeLoss::softmax ? (y == static_cast<double>(k) ? 1 : 0) : y;
  return {p - wanted, std::max(p * (1 - p), least)};
}

}  // namespace

// ---------------------------------------------------------------- all trees

// The best constant: log-odds, logarithms of the shares, the mean.
void BoostedTrees::start(const Index& rows, const std::vector<double>& y, TreeLoss loss,
                         std::int64_t classes) {
  const auto n = static_cast<double>(rows.size());
  first_.assign(loss == TreeLoss::softmax ? slot(classes) : 1, 0);
  for (const std::int64_t row : rows) {
    if (loss == TreeLoss::softmax)
      ++first_[slot(static_cast<std::int64_t>(y[slot(row)]))];
    else
      first_[0] += y[slot(row)];
  }
  if (loss == TreeLoss::squared) first_[0] /= std::max(n, 1.0);
  if (loss == TreeLoss::logistic) first_[0] = std::log((first_[0] + 0.5) / (n - first_[0] + 0.5));
  if (loss == TreeLoss::softmax)
    for (double& count : first_) count = std::log((count + 0.5) / (n + 0.5 * static_cast<double>(classes)));
}

BoostedTrees::BoostedTrees(const BinnedTable& table, const Index& rows, const std::vector<double>& y,
                           TreeLoss loss, std::int64_t classes, const BoostingPlan& plan) {
  start(rows, y, loss, classes);
  trees_.resize(first_.size());
  Scores f, p;
  for (const double first : first_) f.emplace_back(rows.size(), first);
  Grower grower(table, plan);
  std::vector<Sums> gradients(rows.size());
  for (int round = 0; round < plan.trees; ++round) {
    if (loss == TreeLoss::softmax) p = softmax(f);
    for (std::size_t k = 0; k < f.size(); ++k) {
      for (std::size_t i = 0; i < rows.size(); ++i)
        gradients[i] = gradient_of(loss, f[k][i], p.empty() ? 0 : p[k][i], y[slot(rows[i])], k);
      trees_[k].push_back(grower.grow(rows, gradients, f[k]));
    }
    if (plan.after) plan.after();
  }
}

std::vector<std::vector<double>> BoostedTrees::scores(const BinnedTable& table, const Index& rows) const {
  Scores f;
  for (const double first : first_) f.emplace_back(rows.size(), first);
  const auto depth = trees_.empty() ? 0.0 : static_cast<double>(trees_.size() * trees_[0].size());
  parallel_ranges(static_cast<std::int64_t>(rows.size()), 20 * depth, 64,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::size_t k = 0; k < f.size(); ++k)
                      for (const Tree& tree : trees_[k])
                        for (std::size_t i = slot(begin); i < slot(end); ++i) {
                          std::size_t node = 0;
                          while (tree[node].column >= 0) {
                            const std::uint8_t bin = table.bins(slot(tree[node].column))[rows[i]];
                            node = slot(tree[node].low_bins[bin] ? tree[node].low : tree[node].high);
                          }
                          f[k][i] += tree[node].value;
                        }
                  });
  return f;
}

}  // namespace deepgen::quality
