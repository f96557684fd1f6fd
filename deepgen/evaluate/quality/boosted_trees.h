// Gradient boosted trees on histograms (Friedman 2001, "Greedy function approximation"; Chen and Guestrin 2016,
// "XGBoost"). Each tree is grown for the gradient g and the curvature h of the loss at the present score f:
//
//   logistic   g = p - y,              h = p (1 - p),           p = 1 / (1 + exp(-f))
//   softmax    g_k = p_k - [y is k],   h_k = p_k (1 - p_k),     one tree a class and round
//   squared    g = f - y,              h = 1
//
// A split of the rows of a node into L and R gains
//
//   1/2 (G_L^2 / (H_L + penalty) + G_R^2 / (H_R + penalty) - G^2 / (H + penalty)),    G, H: sums of g and h
//
// and the best one that gains anything is taken, down to `depth`; a leaf adds -rate G / (H + penalty) to f.
//
// Numbers fall into at most 255 bins of about equally many rows (each value its own where there are no more), and
// are split by a threshold, missing cells to whichever side gains more. The categories of a node are ordered by
// G / (H + 10) and split by a threshold in that order (Fisher 1958; Ke et al. 2017, "LightGBM"). Results are the same
// for any number of threads.
#pragma once

#include <bitset>
#include <functional>

#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

// A table as trees see it: a byte a cell.
class BinnedTable {
 public:
  // These columns; the bins are learnt from the first `learnt` rows.
  BinnedTable(const std::vector<Field>& fields, const Table& table, const std::vector<std::size_t>& columns,
              std::int64_t learnt);

  std::int64_t rows() const { return rows_; }
  std::size_t columns() const { return columns_.size(); }
  const std::uint8_t* bins(std::size_t column) const { return columns_[column].bins.data(); }
  int count(std::size_t column) const { return columns_[column].count; }
  bool ordered(std::size_t column) const { return columns_[column].ordered; }  // then bin 0 is "missing"

 private:
  struct Binned {
    std::vector<std::uint8_t> bins;
    int count = 0;
    bool ordered = false;
  };
  static Binned bin_number(const std::vector<double>& numbers, std::size_t learnt);
  static Binned bin_category(const std::vector<std::int32_t>& codes, std::int64_t values, std::size_t learnt);

  std::int64_t rows_;
  std::vector<Binned> columns_;
};

enum class TreeLoss { logistic, softmax, squared };

struct BoostingPlan {
  int trees = 100, depth = 6;
  double rate = 0.1;
  double penalty = 1;           // of leaf values
  double least_curvature = 1;   // H of a side at least
  std::function<void()> after;  // called after every round; may throw to stop
};

struct TreeNode {
  std::int32_t column = -1;   // -1: a leaf
  std::bitset<256> low_bins;  // that go to `low`
  std::int32_t low = 0, high = 0;
  double value = 0;
};
using Tree = std::vector<TreeNode>;

class BoostedTrees {
 public:
  // y: of every row of the table; used are those of `rows`. logistic: 0 or 1; softmax: 0 .. classes - 1.
  BoostedTrees(const BinnedTable& table, const Index& rows, const std::vector<double>& y, TreeLoss loss,
               std::int64_t classes = 1, const BoostingPlan& plan = {});

  // f of these rows, output by output: [outputs][rows].
  std::vector<std::vector<double>> scores(const BinnedTable& table, const Index& rows) const;

 private:
  void start(const Index& rows, const std::vector<double>& y, TreeLoss loss, std::int64_t classes);

  std::vector<double> first_;             // f before the first tree, an output each
  std::vector<std::vector<Tree>> trees_;  // [outputs][rounds]
};

}  // namespace deepgen::quality
