// Nearest neighbours by brute force: Euclidean distance to every known row, as blocks of a matrix product.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

class NearestNeighbours {
 public:
  // Known rows [N, D] (float32, dense) and their labels, 0 or more. Takes the rows over and moves them IN
  // PLACE by a whole number in each column, near its mean: distances stay, their rounding shrinks.
  NearestNeighbours(Tensor rows, std::vector<std::int64_t> labels);

  // The k nearest known rows of x [B, D], nearest first: [B, k] int64; of equally near ones the earlier.
  // 1 <= k <= 5, and k <= N. `block`: rows at a time; 0: as many as 32 MiB of distances allow.
  Tensor nearest(const Tensor& x, std::int64_t k, std::int64_t block = 0) const;

  // The most frequent label among the first k columns of nearest(): [B] int64; of equally frequent ones that
  // of the nearest row.
  Tensor vote(const Tensor& nearest, std::int64_t k) const;

  std::int64_t columns() const { return rows_.size(1); }

  // Called after every block with its number of rows; may throw to stop.
  std::function<void(std::int64_t)> after_block;

 private:
  void find(const Tensor& x, Tensor& distances, std::int64_t k, std::int64_t* out) const;
  Tensor rows_, squares_, shift_;  // squares_ [N]: |row|^2
  std::vector<std::int64_t> labels_;
};

}  // namespace deepgen
