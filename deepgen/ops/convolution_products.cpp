#include "deepgen/ops/convolution_products.h"

#include <algorithm>
#include <cstring>

#include "deepgen/core/interruption.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

// Gathered rows of a block: enough that a product is worth its call, and few enough to stay in the cache.
constexpr std::int64_t least_rows = 256, cache_floats = 131072;
// Partial sums of a gradient, each over consecutive blocks: the number is fixed, so that the order of
// addition is. More threads than this gain nothing.
constexpr std::int64_t sum_groups = 8;
constexpr std::int64_t serial_work = 262144;  // multiplications below which one thread is faster

// Blocks of whole pictures.
struct Blocks {
  std::int64_t pictures, each;
  Blocks(std::int64_t batch, std::int64_t rows_each, std::int64_t columns)
      : pictures(batch),
        each(std::max<std::int64_t>(
            1, std::min((least_rows + rows_each - 1) / std::max<std::int64_t>(rows_each, 1),
                        std::max<std::int64_t>(
                            1, cache_floats / std::max<std::int64_t>(1, rows_each * columns))))) {}
  std::int64_t count() const { return (pictures + each - 1) / each; }
  std::int64_t first(std::int64_t block) const { return block * each; }
  std::int64_t size(std::int64_t block) const { return std::min(each, pictures - first(block)); }
};

// body(item, scratch) for every item; scratch has `floats` floats of the thread's own.
template <class Body>
void share_out(std::int64_t items, std::int64_t floats, std::int64_t work, Body body) {
  if (work <= serial_work) {  // each product inside is too small for OpenBLAS to share out
    const Tensor scratch = at::empty({floats});
    for (std::int64_t i = 0; i < items; ++i) body(i, scratch.data_ptr<float>());
    return;
  }
  const Tensor scratch = at::empty({threads(), floats});
  float* memory = scratch.data_ptr<float>();
  share_items(items, [&](std::int64_t i, int thread) { body(i, memory + thread * floats); });
}

// The outputs of row `line` whose input column c * stride + right lies within the picture: [first, last).
struct Reach {
  std::int64_t first, last;
};
Reach reach(const Window& window, std::int64_t right) {
  const std::int64_t s = window.stride;
  const std::int64_t first = right >= 0 ? 0 : (-right + s - 1) / s;
  const std::int64_t last = window.width - 1 - right < 0 ? 0 : (window.width - 1 - right) / s + 1;
  return {std::min(first, window.out_width), std::clamp<std::int64_t>(last, first, window.out_width)};
}

// body(row of inputs or -1 when outside, offset, which row of outputs) for each of these lines and offsets.
template <class Body>
void for_lines(const Window& window, Lines lines, Body body) {
  for (std::int64_t r = lines.first; r < lines.last; ++r)
    for (std::int64_t t = 0; t < window.taps(); ++t) {
      const std::int64_t line = window.stride * r + window.offsets[static_cast<std::size_t>(t)].down;
      body(line >= 0 && line < window.height ? line : -1, t, (r - lines.first) * window.out_width);
    }
}

void fill_rows(float* rows, std::int64_t count, std::int64_t columns, const float* bias) {
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(rows + i * columns, bias, sizeof(float) * static_cast<std::size_t>(columns));
}

}  // namespace

bool Window::copies() const {
  return stride == 1 && offsets.size() == 1 && offsets[0].down == 0 && offsets[0].right == 0 &&
         out_height == height && out_width == width;
}

void gather_pixels(const Window& window, Lines lines, const float* x, std::int64_t channels, float* rows,
                   std::int64_t stride) {
  for_lines(window, lines, [&](std::int64_t line, std::int64_t t, std::int64_t first_row) {
    const std::int64_t right = window.offsets[static_cast<std::size_t>(t)].right;
    const Reach inside = line < 0 ? Reach{0, 0} : reach(window, right);
    float* out = rows + first_row * stride + t * channels;
    for (std::int64_t c = 0; c < inside.first; ++c, out += stride) std::fill_n(out, channels, 0.0F);
    const float* in = x + (line * window.width + inside.first * window.stride + right) * channels;
    for (std::int64_t c = inside.first; c < inside.last; ++c, out += stride, in += window.stride * channels)
      for (std::int64_t k = 0; k < channels; ++k) out[k] = in[k];
    for (std::int64_t c = inside.last; c < window.out_width; ++c, out += stride)
      std::fill_n(out, channels, 0.0F);
  });
}

void scatter_pixels(const Window& window, const float* rows, std::int64_t stride, std::int64_t channels,
                    float* x) {
  for_lines(window, {0, window.out_height}, [&](std::int64_t line, std::int64_t t, std::int64_t first_row) {
    if (line < 0) return;
    const std::int64_t right = window.offsets[static_cast<std::size_t>(t)].right;
    const Reach inside = reach(window, right);
    const float* in = rows + (first_row + inside.first) * stride + t * channels;
    float* out = x + (line * window.width + inside.first * window.stride + right) * channels;
    for (std::int64_t c = inside.first; c < inside.last; ++c, in += stride, out += window.stride * channels)
      for (std::int64_t k = 0; k < channels; ++k) out[k] += in[k];
  });
}

Tensor window_product(const Window& window, const Tensor& x, const Tensor& w, const Tensor& b) {
  interruption_point();
  const std::int64_t batch = x.size(0), channels = x.size(3), k = w.size(0), n = w.size(1);
  const std::int64_t in = window.pixels() * channels, rows_each = window.out_pixels();
  Tensor y = at::empty({batch, window.out_height, window.out_width, n}, x.options());
  const float *from = x.data_ptr<float>(), *weights = w.data_ptr<float>();
  const float* bias = b.defined() ? b.data_ptr<float>() : nullptr;
  float* to = y.data_ptr<float>();
  const Blocks blocks(batch, rows_each, k);
  const bool direct = window.copies();
  share_out(blocks.count(), direct ? 0 : blocks.each * rows_each * k, batch * rows_each * k * n,
            [&](std::int64_t block, float* scratch) {
              const std::int64_t first = blocks.first(block), rows = blocks.size(block) * rows_each;
              const float* a = direct ? from + first * in : scratch;
              for (std::int64_t i = 0; !direct && i < blocks.size(block); ++i)
                gather_pixels(window, {0, window.out_height}, from + (first + i) * in, channels,
                              scratch + i * rows_each * k, k);
              float* out = to + first * rows_each * n;
              if (bias) fill_rows(out, rows, n, bias);
              multiply_alone({a, rows, k, k}, {weights, k, n, n}, out, n, bias != nullptr);
            });
  return y;
}

Tensor window_adjoint(const Window& window, const Tensor& g, const Tensor& w, const Tensor& b) {
  interruption_point();
  const std::int64_t batch = g.size(0), k = w.size(0), n = w.size(1);
  const std::int64_t channels = k / static_cast<std::int64_t>(window.offsets.size());
  const std::int64_t out = window.pixels() * channels, rows_each = window.out_pixels();
  const bool direct = window.copies();
  Tensor x = direct ? at::empty({batch, window.height, window.width, channels}, g.options())
                    : at::zeros({batch, window.height, window.width, channels}, g.options());
  const float *from = g.data_ptr<float>(), *weights = w.data_ptr<float>();
  const float* bias = b.defined() ? b.data_ptr<float>() : nullptr;
  float* to = x.data_ptr<float>();
  const Blocks blocks(batch, rows_each, k);
  share_out(blocks.count(), direct ? 0 : blocks.each * rows_each * k, batch * rows_each * k * n,
            [&](std::int64_t block, float* scratch) {
              const std::int64_t first = blocks.first(block), count = blocks.size(block);
              float* a = direct ? to + first * out : scratch;
              if (bias) fill_rows(to + first * out, count * window.pixels(), channels, bias);
              multiply_alone({from + first * rows_each * n, count * rows_each, n, n},
                             {weights, n, k, n, true}, a, k, direct && bias);
              for (std::int64_t i = 0; !direct && i < count; ++i)
                scatter_pixels(window, scratch + i * rows_each * k, k, channels, to + (first + i) * out);
            });
  return x;
}

Tensor window_weights(const Window& window, const Tensor& x, const Tensor& g) {
  interruption_point();
  const std::int64_t batch = x.size(0), channels = x.size(3), n = g.size(3);
  const std::int64_t k = channels * static_cast<std::int64_t>(window.offsets.size());
  const std::int64_t in = window.pixels() * channels, rows_each = window.out_pixels();
  const Blocks blocks(batch, rows_each, k);
  const std::int64_t groups = std::min(sum_groups, blocks.count());
  const Tensor sums = at::zeros({std::max<std::int64_t>(groups, 1), k, n}, x.options());
  const float *from = x.data_ptr<float>(), *grads = g.data_ptr<float>();
  float* parts = sums.data_ptr<float>();
  const bool direct = window.copies();
  share_out(groups, direct ? 0 : blocks.each * rows_each * k, batch * rows_each * k * n,
            [&](std::int64_t group, float* scratch) {
              for (std::int64_t block = blocks.count() * group / groups;
                   block < blocks.count() * (group + 1) / groups; ++block) {
                const std::int64_t first = blocks.first(block), rows = blocks.size(block) * rows_each;
                const float* a = direct ? from + first * in : scratch;
                for (std::int64_t i = 0; !direct && i < blocks.size(block); ++i)
                  gather_pixels(window, {0, window.out_height}, from + (first + i) * in, channels,
                                scratch + i * rows_each * k, k);
                multiply_alone({a, k, rows, k, true}, {grads + first * rows_each * n, rows, n, n},
                               parts + group * k * n, n, true);
              }
            });
  Tensor total = sums[0].clone();
  for (std::int64_t group = 1; group < groups; ++group) total.add_(sums[group]);
  return total;
}

Tensor channel_sums(const Tensor& g) {
  const std::int64_t n = g.size(-1), rows = g.numel() / std::max<std::int64_t>(n, 1);
  const std::int64_t blocks = (rows + least_rows - 1) / least_rows;
  const Tensor parts = at::zeros({blocks, n}, g.options());
  const float* from = g.data_ptr<float>();
  float* sums = parts.data_ptr<float>();
  parallel_ranges(blocks, 0.2 * static_cast<double>(least_rows * n), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin * least_rows; r < std::min(rows, end * least_rows); ++r)
                      for (std::int64_t c = 0; c < n; ++c) sums[r / least_rows * n + c] += from[r * n + c];
                  });
  Tensor total = at::zeros({n}, g.options().dtype(at::kDouble));
  for (std::int64_t block = 0; block < blocks; ++block) total.add_(parts[block]);
  return total;
}

}  // namespace deepgen
