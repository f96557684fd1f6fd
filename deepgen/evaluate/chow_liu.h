// Columns of categories and bits as a tree of pairs (Chow and Liu 1968), and one by one.
//
// Of columns i and j, n(a, b) training rows have both, a in i and b in j. With the smoothed shares m of each
// column and s pseudo-counts, laid out as if the columns were independent,
//
//   m(a) = (n(a) + 1 / K) / (n + 1)
//   p(b | a) = (n(a, b) + s m(a) m(b)) / (n(a) + s m(a))
//
// A pair is worth the logarithm of the marginal likelihood of its joint counts less those of its columns
// alone: the number of rows times their mutual information, less what the parameters of the pair cost
// (Heckerman, Geiger, Chickering 1995). The best s of a few is taken for each pair. The tree is the spanning
// forest of the greatest worth; pairs that are worth nothing are no part of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "deepgen/data/dataset.h"

namespace deepgen {

// One of `states` values: a group of so many encoded columns of which one is 1, or a bit in a single one.
struct DiscreteVariable {
  std::int64_t first = 0, states = 2;
  bool is_bit = false;
};

// Nothing where a group is of another kind.
std::optional<std::vector<DiscreteVariable>> discrete_variables(const std::vector<ColumnGroup>& groups);

class ChowLiuTree {
 public:
  // Of many rows with many columns some at random are counted.
  ChowLiuTree(std::vector<DiscreteVariable> variables, const Split& train, const Rng& rng);

  // Exact log-probabilities of the known cells of encoded rows x [B, D], the missing ones (NaN) summed out:
  // [B] float64.
  Tensor log_prob(const Tensor& x) const;
  // The same with every column by itself.
  Tensor independent_log_prob(const Tensor& x) const;

  // For each variable the one it hangs from, or -1.
  const std::vector<std::int64_t>& parents() const { return parents_; }

 private:
  Tensor states_of(const Tensor& x) const;  // [B, states of all] float32: 1 where it has it, else 0
  Tensor slice(const Tensor& of_all, std::size_t variable) const;
  void count(const Split& train, const Rng& rng);
  void grow();

  std::vector<DiscreteVariable> variables_;
  std::vector<std::int64_t> offsets_;  // of each variable's states among those of all
  std::int64_t all_ = 0;               // states
  Tensor source_, is_zero_of_bit_;     // of each state: its encoded column; whether it is that of a bit at 0
  Tensor counts_;                      // [all, all] float64: rows that have both
  Tensor shares_;                      // [all] float64
  std::vector<std::int64_t> parents_, order_;  // order: parents before their children
  std::vector<Tensor> given_parent_;           // [states of the parent, states]
};

}  // namespace deepgen
