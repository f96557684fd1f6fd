#include "deepgen/ops/window.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

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

// body(item, scratch) for every item; scratch has `floats` floats of the thread's own. Nothing in a body may
// throw. Products inside keep to their thread: OpenBLAS sees that it is in a parallel region, or that the
// machine is to use one thread, or the products are too small for it to share out.
template <class Body>
void share_out(std::int64_t items, std::int64_t floats, std::int64_t work, Body body) {
  const int team = work <= serial_work ? 1 : threads();
  const Tensor scratch = at::empty({team, floats});
  float* memory = scratch.data_ptr<float>();
  if (work <= serial_work) {
    for (std::int64_t i = 0; i < items; ++i) body(i, memory);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(team)
  for (std::int64_t i = 0; i < items; ++i) body(i, memory + omp_get_thread_num() * floats);
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

// body(row of inputs or -1 when outside, offset, first row of outputs) for every line of outputs and offset.
template <class Body>
void for_lines(const Window& window, Body body) {
  for (std::int64_t r = 0; r < window.out_height; ++r)
    for (std::size_t t = 0; t < window.offsets.size(); ++t) {
      const std::int64_t line = window.stride * r + window.offsets[t].down;
      body(line >= 0 && line < window.height ? line : -1, static_cast<std::int64_t>(t), r * window.out_width);
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

void gather_pixels(const Window& window, const float* x, std::int64_t channels, float* rows) {
  const auto taps = static_cast<std::int64_t>(window.offsets.size()), columns = taps * channels;
  for_lines(window, [&](std::int64_t line, std::int64_t t, std::int64_t first_row) {
    const std::int64_t right = window.offsets[static_cast<std::size_t>(t)].right;
    const Reach inside = line < 0 ? Reach{0, 0} : reach(window, right);
    float* out = rows + first_row * columns + t * channels;
    for (std::int64_t c = 0; c < inside.first; ++c, out += columns) std::fill_n(out, channels, 0.0F);
    const float* in = x + (line * window.width + inside.first * window.stride + right) * channels;
    for (std::int64_t c = inside.first; c < inside.last; ++c, out += columns, in += window.stride * channels)
      for (std::int64_t k = 0; k < channels; ++k) out[k] = in[k];
    for (std::int64_t c = inside.last; c < window.out_width; ++c, out += columns)
      std::fill_n(out, channels, 0.0F);
  });
}

void scatter_pixels(const Window& window, const float* rows, std::int64_t channels, float* x) {
  const auto taps = static_cast<std::int64_t>(window.offsets.size()), columns = taps * channels;
  for_lines(window, [&](std::int64_t line, std::int64_t t, std::int64_t first_row) {
    if (line < 0) return;
    const std::int64_t right = window.offsets[static_cast<std::size_t>(t)].right;
    const Reach inside = reach(window, right);
    const float* in = rows + (first_row + inside.first) * columns + t * channels;
    float* out = x + (line * window.width + inside.first * window.stride + right) * channels;
    for (std::int64_t c = inside.first; c < inside.last; ++c, in += columns, out += window.stride * channels)
      for (std::int64_t k = 0; k < channels; ++k) out[k] += in[k];
  });
}

Tensor window_product(const Window& window, const Tensor& x, const Tensor& w, const Tensor& b) {
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
                gather_pixels(window, from + (first + i) * in, channels, scratch + i * rows_each * k);
              float* out = to + first * rows_each * n;
              if (bias) fill_rows(out, rows, n, bias);
              multiply_alone({a, rows, k}, {weights, k, n}, out, bias != nullptr);
            });
  return y;
}

Tensor window_adjoint(const Window& window, const Tensor& g, const Tensor& w, const Tensor& b) {
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
              multiply_alone({from + first * rows_each * n, count * rows_each, n}, {weights, n, k, true}, a,
                             direct && bias);
              for (std::int64_t i = 0; !direct && i < count; ++i)
                scatter_pixels(window, scratch + i * rows_each * k, channels, to + (first + i) * out);
            });
  return x;
}

Tensor window_weights(const Window& window, const Tensor& x, const Tensor& g) {
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
                  gather_pixels(window, from + (first + i) * in, channels, scratch + i * rows_each * k);
                multiply_alone({a, k, rows, true}, {grads + first * rows_each * n, rows, n},
                               parts + group * k * n, true);
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
