#include "deepgen/parts/pixels/picture_forward_backward.h"

#include <algorithm>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

std::size_t length(std::int64_t n) { return static_cast<std::size_t>(n); }

// out [m, n] = (add ? out : 0) + a b, all dense.
void product(const float* a, const float* b, std::int64_t m, std::int64_t k, std::int64_t n, float* out,
             bool add) {
  multiply_alone({a, m, k, k}, {b, k, n, n}, out, n, add);
}
// out [m, k] = g b^T for g [m, n], b [k, n].
void product_back(const float* g, const float* b, std::int64_t m, std::int64_t k, std::int64_t n,
                  float* out) {
  multiply_alone({g, m, n, n}, {b, n, k, n, true}, out, k, false);
}
// sums [k, n] += a^T g for a [m, k], g [m, n].
void add_outer(const float* a, const float* g, std::int64_t m, std::int64_t k, std::int64_t n, float* sums) {
  multiply_alone({a, k, m, k, true}, {g, m, n, n}, sums, n, true);
}

void add_rows(const float* g, std::int64_t n, std::int64_t columns, float* sums) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < columns; ++k) sums[k] += g[i * columns + k];
}

void multiply_by(const float* mask, std::int64_t n, float* y) {
  for (std::int64_t i = 0; mask && i < n; ++i) y[i] *= mask[i];
}

void rectify(const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] > 0 ? x[i] : 0;
}
void stop_where_zero(const float* y, std::int64_t n, float* g) {
  for (std::int64_t i = 0; i < n; ++i) g[i] = y[i] > 0 ? g[i] : 0;
}

// da [n, 2p] (+)= the gradient through gates (t | s) of dy [n, p], y = t s.
void through_gates(const float* gates, const float* dy, std::int64_t n, std::int64_t p, bool add, float* da) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float *t = gates + 2 * i * p, *s = t + p, *g = dy + i * p;
    float *dt = da + 2 * i * p, *ds = dt + p;
    for (std::int64_t k = 0; k < p; ++k) {
      const float first = g[k] * s[k] * (1 - t[k] * t[k]), second = g[k] * t[k] * s[k] * (1 - s[k]);
      dt[k] = add ? dt[k] + first : first;
      ds[k] = add ? ds[k] + second : second;
    }
  }
}

template <class Next>
NetPlaces places_by(const PixelNet& net, Next next) {
  NetPlaces places;
  for (std::size_t l = 0; l < net.blocks().size(); ++l) {
    BlockPlaces block{};
    for (float** each : {&block.vertical_weight, &block.vertical_bias, &block.horizontal_weight,
                         &block.horizontal_bias, &block.out_weight, &block.out_bias})
      *each = next();
    if (net.sizes().classes > 0) block.class_bias = next();
    places.blocks.push_back(block);
  }
  for (float** each : {&places.head_weight, &places.head_bias, &places.output_weight, &places.output_bias})
    *each = next();
  return places;
}

}  // namespace

std::vector<Tensor> parameter_list(const PixelNet& net) {
  std::vector<Tensor> all;
  for (const auto& block : net.blocks()) {
    all.insert(all.end(), {block->vertical_weight, block->vertical_bias, block->horizontal_weight,
                           block->horizontal_bias, block->out_weight, block->out_bias});
    if (net.sizes().classes > 0) all.push_back(block->class_bias);
  }
  all.insert(all.end(), {net.head_weight, net.head_bias, net.output_weight, net.output_bias});
  return all;
}

NetPlaces places_of(const PixelNet& net) {
  const std::vector<Tensor> list = parameter_list(net);
  return places_by(net, [&, i = std::size_t{0}]() mutable { return list[i++].data_ptr<float>(); });
}

NetPlaces places_in(const PixelNet& net, float* flat) {
  const std::vector<Tensor> list = parameter_list(net);
  return places_by(net, [&, i = std::size_t{0}]() mutable {
    float* here = flat;
    flat += list[i++].numel();
    return here;
  });
}

void fill_rows(float* rows, std::int64_t n, std::int64_t columns, std::int64_t stride, const float* vector) {
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(vector, columns, rows + i * stride);
}

void add_class_bias(const float* b, const float* class_bias, std::int64_t p, std::int64_t half,
                    std::int64_t label, float* sum) {
  const float* own = class_bias ? class_bias + (4 * label + 2 * half) * p : nullptr;
  for (std::int64_t k = 0; k < 2 * p; ++k) sum[k] = own ? b[k] + own[k] : b[k];
}

void open_gates(const float* a, std::int64_t stride, std::int64_t n, std::int64_t p, float* gates) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float* from = a + i * stride;
    float* to = gates + 2 * i * p;
    for (std::int64_t k = 0; k < p; ++k) to[k] = 2 * from[k];
    std::copy_n(from + p, p, to + p);
  }
  BinaryLayer layer{};  // as one row: long rows are faster
  layer.input = gates;
  layer.columns = 2 * n * p;
  layer.mean = gates;
  kernels().binary_layer(layer, 0, 1);
  // tanh(x) = 2 sigmoid(2x) - 1, to the absolute error of a float.
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < p; ++k) gates[2 * i * p + k] = 2 * gates[2 * i * p + k] - 1;
}

void gated_product(const float* gates, std::int64_t n, std::int64_t p, bool add, float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float *t = gates + 2 * i * p, *s = t + p;
    for (std::int64_t k = 0; k < p; ++k) y[i * p + k] = add ? y[i * p + k] + t[k] * s[k] : t[k] * s[k];
  }
}

PictureForwardBackward::PictureForwardBackward(const PixelNet& net)
    : net_(net),
      sizes_(net.sizes()),
      pixels_(sizes_.pixels()),
      p_(sizes_.channels),
      weights_(places_of(net)) {
  std::int64_t widest = 0, widest_mix = 0;
  for (const auto& block : net.blocks()) {
    Block b{};
    b.in = block->in;
    b.columns = block->vertical.taps() * b.in;
    b.cross = block->horizontal.taps() * b.in;
    b.mix_columns = b.cross + 2 * p_;
    b.mix.resize(length(pixels_ * b.mix_columns));
    b.vertical_gates.resize(length(pixels_ * 2 * p_));
    b.horizontal_gates.resize(length(pixels_ * 2 * p_));
    b.u.resize(length(pixels_ * b.in));
    b.v.resize(length(pixels_ * b.in));
    widest = std::max(widest, b.columns);
    widest_mix = std::max(widest_mix, b.mix_columns);
    blocks_.push_back(std::move(b));
  }
  for (std::vector<float>* each : {&u_, &rectified_, &gated_, &du_, &dv_}) each->resize(length(pixels_ * p_));
  for (std::vector<float>* each : {&a_, &c_}) each->resize(length(pixels_ * 2 * p_));
  for (std::vector<float>* each : {&head_, &dhead_}) each->resize(length(pixels_ * sizes_.head));
  for (std::vector<float>* each : {&gathered_, &dgathered_}) each->resize(length(pixels_ * widest));
  dmix_.resize(length(pixels_ * widest_mix));
  outputs_.resize(length(pixels_ * sizes_.outputs));
  bias_.resize(length(2 * p_));
}

// ---------------------------------------------------------------- forward

const float* PictureForwardBackward::forward(const float* picture, std::int64_t label,
                                             const std::vector<const float*>& masks) {
  label_ = label;
  masks_ = masks;
  std::copy_n(picture, pixels_ * sizes_.inputs, blocks_[0].u.data());
  std::copy_n(picture, pixels_ * sizes_.inputs, blocks_[0].v.data());
  for (std::size_t l = 0; l < blocks_.size(); ++l) forward_block(l);
  rectify(u_.data(), pixels_ * p_, rectified_.data());
  fill_rows(head_.data(), pixels_, sizes_.head, sizes_.head, weights_.head_bias);
  product(rectified_.data(), weights_.head_weight, pixels_, p_, sizes_.head, head_.data(), true);
  rectify(head_.data(), pixels_ * sizes_.head, head_.data());
  fill_rows(outputs_.data(), pixels_, sizes_.outputs, sizes_.outputs, weights_.output_bias);
  product(head_.data(), weights_.output_weight, pixels_, sizes_.head, sizes_.outputs, outputs_.data(), true);
  return outputs_.data();
}

void PictureForwardBackward::forward_block(std::size_t l) {
  const PixelBlock& block = *net_.blocks()[l];
  const BlockPlaces& w = weights_.blocks[l];
  Block& b = blocks_[l];
  const bool last = l + 1 == blocks_.size();
  const Lines all{0, sizes_.height};
  float* a = b.mix.data() + b.cross;
  gather_pixels(block.vertical, all, b.v.data(), b.in, gathered_.data(), b.columns);
  add_class_bias(w.vertical_bias, w.class_bias, p_, 0, label_, bias_.data());
  fill_rows(a, pixels_, 2 * p_, b.mix_columns, bias_.data());
  multiply_alone({gathered_.data(), pixels_, b.columns, b.columns},
                 {w.vertical_weight, b.columns, 2 * p_, 2 * p_}, a, b.mix_columns, true);
  if (!last) {  // nothing reads the vertical features of the last block
    open_gates(a, b.mix_columns, pixels_, p_, b.vertical_gates.data());
    std::vector<float>& next = blocks_[l + 1].v;
    if (l > 0) std::copy(b.v.begin(), b.v.end(), next.begin());
    gated_product(b.vertical_gates.data(), pixels_, p_, l > 0, next.data());
  }
  gather_pixels(block.horizontal, all, b.u.data(), b.in, b.mix.data(), b.mix_columns);
  add_class_bias(w.horizontal_bias, w.class_bias, p_, 1, label_, bias_.data());
  fill_rows(c_.data(), pixels_, 2 * p_, 2 * p_, bias_.data());
  product(b.mix.data(), w.horizontal_weight, pixels_, b.mix_columns, 2 * p_, c_.data(), true);
  open_gates(c_.data(), 2 * p_, pixels_, p_, b.horizontal_gates.data());
  gated_product(b.horizontal_gates.data(), pixels_, p_, false, gated_.data());
  multiply_by(masks_.empty() ? nullptr : masks_[l], pixels_ * p_, gated_.data());
  std::vector<float>& next = last ? u_ : blocks_[l + 1].u;
  fill_rows(next.data(), pixels_, p_, p_, w.out_bias);
  for (std::size_t i = 0; l > 0 && i < next.size(); ++i) next[i] += b.u[i];
  product(gated_.data(), w.out_weight, pixels_, p_, p_, next.data(), true);
}

// ---------------------------------------------------------------- backward

void PictureForwardBackward::backward(const float* g, const NetPlaces& sums) {
  backward_head(g, sums);
  std::fill(dv_.begin(), dv_.end(), 0.0F);
  for (std::size_t l = blocks_.size(); l-- > 0;) backward_block(l, sums);
}

void PictureForwardBackward::backward_head(const float* g, const NetPlaces& sums) {
  const std::int64_t n = sizes_.outputs, h = sizes_.head;
  add_outer(head_.data(), g, pixels_, h, n, sums.output_weight);
  add_rows(g, pixels_, n, sums.output_bias);
  product_back(g, weights_.output_weight, pixels_, h, n, dhead_.data());
  stop_where_zero(head_.data(), pixels_ * h, dhead_.data());
  add_outer(rectified_.data(), dhead_.data(), pixels_, p_, h, sums.head_weight);
  add_rows(dhead_.data(), pixels_, h, sums.head_bias);
  product_back(dhead_.data(), weights_.head_weight, pixels_, p_, h, du_.data());
  stop_where_zero(rectified_.data(), pixels_ * p_, du_.data());
}

// Sums of g [P, 2p] over pixels are added to `bias` and to the class's half.
void PictureForwardBackward::add_bias_sums(const float* g, std::int64_t half, const BlockPlaces& sums,
                                           float* bias) {
  std::fill(bias_.begin(), bias_.end(), 0.0F);
  add_rows(g, pixels_, 2 * p_, bias_.data());
  float* own = sums.class_bias ? sums.class_bias + (4 * label_ + 2 * half) * p_ : nullptr;
  for (std::int64_t k = 0; k < 2 * p_; ++k) {
    bias[k] += bias_[length(k)];
    if (own) own[k] += bias_[length(k)];
  }
}

// du and dv are gradients of what comes out, and become those of what comes in.
void PictureForwardBackward::backward_block(std::size_t l, const NetPlaces& all_sums) {
  const PixelBlock& block = *net_.blocks()[l];
  const BlockPlaces &w = weights_.blocks[l], &sums = all_sums.blocks[l];
  const Block& b = blocks_[l];
  const float* mask = masks_.empty() ? nullptr : masks_[l];
  gated_product(b.horizontal_gates.data(), pixels_, p_, false, gated_.data());
  multiply_by(mask, pixels_ * p_, gated_.data());
  add_outer(gated_.data(), du_.data(), pixels_, p_, p_, sums.out_weight);
  add_rows(du_.data(), pixels_, p_, sums.out_bias);
  product_back(du_.data(), w.out_weight, pixels_, p_, p_, gated_.data());
  multiply_by(mask, pixels_ * p_, gated_.data());
  through_gates(b.horizontal_gates.data(), gated_.data(), pixels_, p_, false, c_.data());
  add_outer(b.mix.data(), c_.data(), pixels_, b.mix_columns, 2 * p_, sums.horizontal_weight);
  add_bias_sums(c_.data(), 1, sums, sums.horizontal_bias);
  product_back(c_.data(), w.horizontal_weight, pixels_, b.mix_columns, 2 * p_, dmix_.data());
  for (std::int64_t i = 0; i < pixels_; ++i)
    std::copy_n(dmix_.data() + i * b.mix_columns + b.cross, 2 * p_, a_.data() + i * 2 * p_);
  if (l + 1 < blocks_.size())
    through_gates(b.vertical_gates.data(), dv_.data(), pixels_, p_, true, a_.data());
  gather_pixels(block.vertical, {0, sizes_.height}, b.v.data(), b.in, gathered_.data(), b.columns);
  add_outer(gathered_.data(), a_.data(), pixels_, b.columns, 2 * p_, sums.vertical_weight);
  add_bias_sums(a_.data(), 0, sums, sums.vertical_bias);
  if (l == 0) return;
  product_back(a_.data(), w.vertical_weight, pixels_, b.columns, 2 * p_, dgathered_.data());
  scatter_pixels(block.vertical, dgathered_.data(), b.columns, b.in, dv_.data());
  scatter_pixels(block.horizontal, dmix_.data(), b.mix_columns, b.in, du_.data());
}

}  // namespace deepgen
