#include "deepgen/models/boltzmann/conv_rbm_blocks.h"

#include "deepgen/ops/unit_layers.h"

namespace deepgen {

PoolingBlocks::PoolingBlocks(std::int64_t height, std::int64_t width, std::int64_t maps, std::int64_t down,
                             std::int64_t right)
    : height_(height), width_(width), maps_(maps), down_(down), right_(right) {}

// ---------------------------------------------------------------- layout

namespace {

// [B, h, w, K] -> [B, h / down, down, w / right, right, K].
Tensor split_into_blocks(const Tensor& maps, std::int64_t down, std::int64_t right) {
  return maps.view({maps.size(0), maps.size(1) / down, down, maps.size(2) / right, right, maps.size(3)});
}

}  // namespace

Tensor PoolingBlocks::cells_of(const Tensor& maps) const {
  return split_into_blocks(maps, down_, right_)
      .permute({0, 1, 3, 5, 2, 4})
      .reshape({maps.size(0), -1, block_units()});
}

Tensor PoolingBlocks::maps_of(const Tensor& cells) const {
  return cells.view({cells.size(0), rows(), columns(), maps_, down_, right_})
      .permute({0, 1, 4, 2, 5, 3})
      .reshape({cells.size(0), height_, width_, maps_});
}

Tensor PoolingBlocks::with_off(const Tensor& a) const {
  const std::int64_t batch = a.size(0), rows = a.size(1) / down_, columns = a.size(2) / right_;
  Tensor wide = at::empty({batch, rows, columns, a.size(3), block_units() + 1}, a.options());
  wide.select(4, 0).zero_();
  wide.narrow(4, 1, block_units())
      .view({batch, rows, columns, a.size(3), down_, right_})
      .copy_(split_into_blocks(a, down_, right_).permute({0, 1, 3, 5, 2, 4}));
  return wide.view({batch, rows * columns * a.size(3) * (block_units() + 1)});
}

Tensor PoolingBlocks::without_off(const Tensor& wide, at::IntArrayRef sizes) const {
  const std::int64_t batch = sizes[0], rows = sizes[1] / down_, columns = sizes[2] / right_;
  return wide.view({batch, rows, columns, sizes[3], block_units() + 1})
      .narrow(4, 1, block_units())
      .view({batch, rows, columns, sizes[3], down_, right_})
      .permute({0, 1, 4, 2, 5, 3})
      .reshape(sizes);
}

Tensor PoolingBlocks::offsets_for(std::int64_t columns) const {
  return at::arange(0, columns + 1, block_units() + 1, at::kLong);
}

Tensor PoolingBlocks::pool(const Tensor& maps) const {
  const Tensor blocks = split_into_blocks(maps, down_, right_);
  Tensor total;  // unit after unit: a fixed order of sums
  for (std::int64_t i = 0; i < down_; ++i)
    for (std::int64_t j = 0; j < right_; ++j) {
      const Tensor unit = blocks.select(2, i).select(3, j);
      total = total.defined() ? total + unit : unit.clone(at::MemoryFormat::Contiguous);
    }
  return total.clamp_max_(1);
}

Tensor PoolingBlocks::spread(const Tensor& pooled) const {
  return pooled.unsqueeze(2)
      .unsqueeze(4)
      .expand({pooled.size(0), pooled.size(1), down_, pooled.size(2), right_, pooled.size(3)})
      .reshape({pooled.size(0), pooled.size(1) * down_, pooled.size(2) * right_, pooled.size(3)});
}

// ---------------------------------------------------------------- units

void PoolingBlocks::activate(const Tensor& a, double scale, Rng& rng, Tensor* mean, Tensor* sample) const {
  const Stream stream = rng.next();
  const bool pooled = block_units() > 1;
  const Tensor input = pooled ? with_off(a) : a.flatten(1);
  UnitOutputs out;
  if (mean) out.mean = at::empty_like(input);
  if (sample) out.sample = at::empty_like(input);
  if (pooled)
    softmax_layer(input, {}, offsets_for(input.size(1)), scale, stream, out);
  else
    binary_layer(input, {}, scale, stream, out);
  if (mean) *mean = pooled ? without_off(out.mean, a.sizes()) : out.mean.view(a.sizes());
  if (sample) *sample = pooled ? without_off(out.sample, a.sizes()) : out.sample.view(a.sizes());
}

Tensor PoolingBlocks::mean(const Tensor& a) const {
  Rng unused(0);
  Tensor result;
  activate(a, 1, unused, &result, nullptr);
  return result;
}

Tensor PoolingBlocks::sample(const Tensor& a, Rng& rng) const {
  Tensor result;
  activate(a, 1, rng, nullptr, &result);
  return result;
}

Tensor PoolingBlocks::log_sums(const Tensor& a, double scale) const {
  if (block_units() == 1) return softplus_row_sum(a.flatten(1), {}, scale);
  const Tensor input = with_off(a);
  const Tensor sums = at::zeros({a.size(0)}, at::kDouble);
  Rng unused(0);
  softmax_layer(input, {}, offsets_for(input.size(1)), scale, unused.next(), {}, sums);
  return sums;
}

Tensor PoolingBlocks::log_sums64(const Tensor& cells) {
  const Tensor top = cells.amax(2).clamp_min(0);
  return (((cells - top.unsqueeze(2)).exp().sum(2) + (-top).exp()).log() + top).sum(1);
}

}  // namespace deepgen
