#include "deepgen/parts/pixels/cached_raster_scan.h"

#include <algorithm>

#include "deepgen/ops/products.h"

namespace deepgen {
namespace {
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
}  // namespace

CachedRasterScan::CachedRasterScan(const PixelNet& net, std::int64_t count, const std::int64_t* labels)
    : net_(net), sizes_(net.sizes()), count_(count), p_(sizes_.channels), weights_(places_of(net)) {
  std::int64_t widest = 0, widest_mix = 0;
  for (std::size_t l = 0; l < net.blocks().size(); ++l) {
    const PixelBlock& from = *net.blocks()[l];
    const BlockPlaces& w = weights_.blocks[l];
    Block b{};
    b.in = from.in;
    b.columns = from.vertical.taps() * b.in;
    b.cross = from.horizontal.taps() * b.in;
    b.mix_columns = b.cross + 2 * p_;
    b.v.resize(size(count * sizes_.pixels() * b.in));
    b.u.resize(size(count * sizes_.width * b.in));
    b.a.resize(size(count * sizes_.width * 2 * p_));
    b.a_bias.resize(size(count * 2 * p_));
    b.c_bias.resize(size(count * 2 * p_));
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t label = labels ? labels[i] : -1;
      add_class_bias(w.vertical_bias, w.class_bias, p_, 0, label, b.a_bias.data() + i * 2 * p_);
      add_class_bias(w.horizontal_bias, w.class_bias, p_, 1, label, b.c_bias.data() + i * 2 * p_);
    }
    widest = std::max(widest, b.columns);
    widest_mix = std::max(widest_mix, b.mix_columns);
    blocks_.push_back(std::move(b));
  }
  gathered_.resize(size(count * sizes_.width * widest));
  gates_.resize(size(count * sizes_.width * 2 * p_));
  mix_.resize(size(count * widest_mix));
  for (std::vector<float>* each : {&gated_, &u_}) each->resize(size(count * p_));
  c_.resize(size(count * 2 * p_));
  head_.resize(size(count * sizes_.head));
  outputs_.resize(size(count * sizes_.outputs));
}

const float* CachedRasterScan::outputs() {
  if (place_ % sizes_.width == 0) begin_row();
  for (std::size_t l = 0; l < blocks_.size(); ++l) horizontal_pixel(l);
  for (float& each : u_) each = std::max(each, 0.0F);
  fill_rows(head_.data(), count_, sizes_.head, sizes_.head, weights_.head_bias);
  multiply_alone({u_.data(), count_, p_, p_}, {weights_.head_weight, p_, sizes_.head, sizes_.head},
                 head_.data(), sizes_.head, true);
  for (float& each : head_) each = std::max(each, 0.0F);
  fill_rows(outputs_.data(), count_, sizes_.outputs, sizes_.outputs, weights_.output_bias);
  multiply_alone({head_.data(), count_, sizes_.head, sizes_.head},
                 {weights_.output_weight, sizes_.head, sizes_.outputs, sizes_.outputs}, outputs_.data(),
                 sizes_.outputs, true);
  return outputs_.data();
}

void CachedRasterScan::accept(const float* inputs) {
  const std::int64_t in = sizes_.inputs, column = place_ % sizes_.width;
  for (std::int64_t i = 0; i < count_; ++i) {
    std::copy_n(inputs + i * in, in, blocks_[0].u.data() + (i * sizes_.width + column) * in);
    std::copy_n(inputs + i * in, in, blocks_[0].v.data() + (i * sizes_.pixels() + place_) * in);
  }
  ++place_;
}

// All vertical features of this row: they see the rows above alone.
void CachedRasterScan::begin_row() {
  for (std::size_t l = 0; l < blocks_.size(); ++l) vertical_row(l);
}

void CachedRasterScan::vertical_row(std::size_t l) {
  const PixelBlock& block = *net_.blocks()[l];
  Block& b = blocks_[l];
  const std::int64_t width = sizes_.width, row = place_ / width, n = count_ * width;
  for (std::int64_t i = 0; i < count_; ++i) {
    gather_pixels(block.vertical, {row, row + 1}, b.v.data() + i * sizes_.pixels() * b.in, b.in,
                  gathered_.data() + i * width * b.columns, b.columns);
    fill_rows(b.a.data() + i * width * 2 * p_, width, 2 * p_, 2 * p_, b.a_bias.data() + i * 2 * p_);
  }
  multiply_alone({gathered_.data(), n, b.columns, b.columns},
                 {weights_.blocks[l].vertical_weight, b.columns, 2 * p_, 2 * p_}, b.a.data(), 2 * p_, true);
  if (l + 1 == blocks_.size()) return;
  open_gates(b.a.data(), 2 * p_, n, p_, gates_.data());
  for (std::int64_t i = 0; i < count_; ++i) {
    float* next = blocks_[l + 1].v.data() + (i * sizes_.pixels() + row * width) * p_;
    if (l > 0) std::copy_n(b.v.data() + (i * sizes_.pixels() + row * width) * p_, width * p_, next);
    gated_product(gates_.data() + i * width * 2 * p_, width, p_, l > 0, next);
  }
}

void CachedRasterScan::horizontal_pixel(std::size_t l) {
  const std::vector<Offset>& offsets = net_.blocks()[l]->horizontal.offsets;
  const BlockPlaces& w = weights_.blocks[l];
  Block& b = blocks_[l];
  const std::int64_t width = sizes_.width, column = place_ % width;
  for (std::int64_t i = 0; i < count_; ++i) {
    float* mix = mix_.data() + i * b.mix_columns;
    for (const Offset& offset : offsets) {
      const std::int64_t there = column + offset.right;
      if (there < 0)
        std::fill_n(mix, b.in, 0.0F);
      else
        std::copy_n(b.u.data() + (i * width + there) * b.in, b.in, mix);
      mix += b.in;
    }
    std::copy_n(b.a.data() + (i * width + column) * 2 * p_, 2 * p_, mix);
  }
  std::copy(b.c_bias.begin(), b.c_bias.end(), c_.begin());
  multiply_alone({mix_.data(), count_, b.mix_columns, b.mix_columns},
                 {w.horizontal_weight, b.mix_columns, 2 * p_, 2 * p_}, c_.data(), 2 * p_, true);
  open_gates(c_.data(), 2 * p_, count_, p_, gates_.data());
  gated_product(gates_.data(), count_, p_, false, gated_.data());
  fill_rows(u_.data(), count_, p_, p_, w.out_bias);
  for (std::int64_t i = 0; l > 0 && i < count_; ++i)
    for (std::int64_t k = 0; k < p_; ++k) u_[size(i * p_ + k)] += b.u[size((i * width + column) * p_ + k)];
  multiply_alone({gated_.data(), count_, p_, p_}, {w.out_weight, p_, p_, p_}, u_.data(), p_, true);
  if (l + 1 == blocks_.size()) return;
  for (std::int64_t i = 0; i < count_; ++i)
    std::copy_n(u_.data() + i * p_, p_, blocks_[l + 1].u.data() + (i * width + column) * p_);
}

}  // namespace deepgen
