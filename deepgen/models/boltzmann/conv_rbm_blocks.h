// The hidden layer of a convolutional machine (conv_rbm.h): maps of units in blocks, at most one of a block on.
#pragma once

#include <cstdint>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// K maps of height x width units, each cut into blocks of down x right. The state of a block is one choice:
// one of its units is on, or none, which has the activation 0.
//
//   p(unit j on | a) = exp(a_j) / (1 + sum_k exp(a_k)),   k over the block
//
// Maps are [B, height, width, K]; cells the same block by block, [B, blocks, block_units].
class PoolingBlocks {
 public:
  PoolingBlocks(std::int64_t height, std::int64_t width, std::int64_t maps, std::int64_t down,
                std::int64_t right);

  std::int64_t units() const { return height_ * width_ * maps_; }
  std::int64_t block_units() const { return down_ * right_; }
  std::int64_t blocks() const { return units() / block_units(); }
  std::int64_t rows() const { return height_ / down_; }  // of a map of pooling units
  std::int64_t columns() const { return width_ / right_; }
  std::int64_t maps() const { return maps_; }
  std::int64_t down() const { return down_; }
  std::int64_t right() const { return right_; }

  // Mean and sample of units with the activations scale * a, a [B, height, width, K] dense float32; nullptr:
  // not wanted. One stream is drawn.
  void activate(const Tensor& a, double scale, Rng& rng, Tensor* mean, Tensor* sample) const;
  Tensor mean(const Tensor& a) const;
  Tensor sample(const Tensor& a, Rng& rng) const;

  // Sum over blocks of log(1 + sum_j exp(scale * a_j)), [B] float64. The maps may be of another size that has
  // whole blocks.
  Tensor log_sums(const Tensor& a, double scale = 1) const;
  // The same of cells in float64.
  static Tensor log_sums64(const Tensor& cells);

  // Sum over each block, [B, rows, columns, K]: of states the pooling units' states, of means their
  // probabilities.
  Tensor pool(const Tensor& maps) const;
  // Pooling units' values repeated over their blocks.
  Tensor spread(const Tensor& pooled) const;

  Tensor cells_of(const Tensor& maps) const;
  Tensor maps_of(const Tensor& cells) const;

 private:
  Tensor with_off(const Tensor& a) const;  // [B, blocks (block_units + 1)], the off state first
  Tensor without_off(const Tensor& wide, at::IntArrayRef sizes) const;
  Tensor offsets_for(std::int64_t columns) const;

  std::int64_t height_, width_, maps_, down_, right_;
};

// f of rows [B, ..], some at a time: the hidden maps of a row are many times as large as the row.
template <class F>
Tensor by_some_rows(const Tensor& rows, F f) {
  constexpr std::int64_t most = 256;
  if (rows.size(0) <= most) return f(rows);
  std::vector<Tensor> parts;
  for (const Tensor& some : rows.split(most)) parts.push_back(f(some));
  return at::cat(parts);
}

}  // namespace deepgen
