#include "deepgen/ops/sparse_products.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "deepgen/kernels/kernels.h"
#include "deepgen/kernels/sparse_passes.h"

namespace deepgen {
namespace {

// Measured (docs/decisions.md): from here on a dense product is as fast.
constexpr double most_density = 0.35;
constexpr std::int64_t smallest_product = 32768;  // multiplications
constexpr std::int64_t fewest_columns = 16;
constexpr std::int64_t sampled_rows = 16;

// Columns of a part, whose rows of `b` then fit a cache beside the core; entries that lists hold at a time.
constexpr std::int64_t packed_columns = 64;
constexpr std::int64_t column_group = 16;  // cuts between whole vectors
constexpr std::int64_t most_entries = 1 << 20;

// Buffers that live as long as their thread: a step of training takes nothing from the system.
struct Lists {
  std::vector<std::int32_t> place, length;
  std::vector<float> value;
};
thread_local Lists lists_of_thread;
thread_local std::vector<float> packed_of_thread;

std::int64_t nonzeros(const float* row, std::int64_t columns) {
  std::int32_t count = 0;
  for (std::int64_t j = 0; j < columns; ++j) count += row[j] != 0;
  return count;
}

// Columns [first, first + columns) of `b`, row by row: with them side by side a row of a part is one or two
// pages away from the next, and the processor finds them all.
void pack(const ProductViews& p, std::int64_t first, std::int64_t columns, float* packed) {
  if (!p.b_transposed) {
    for (std::int64_t k = 0; k < p.inner; ++k)
      std::copy_n(p.b + k * p.b_stride + first, columns, packed + k * columns);
    return;
  }
  sparse_passes().pack_transposed({.rows = p.b + first * p.b_stride,
                                   .count = columns,
                                   .inner = p.inner,
                                   .stride = p.b_stride,
                                   .packed = packed});
}

template <class Number>
void grow(std::vector<Number>& buffer, std::int64_t size) {
  if (buffer.size() < static_cast<std::size_t>(size)) buffer.resize(static_cast<std::size_t>(size));
}

// Lists of rows [row, row + rows) of `a`; true when all entries are 1.
bool make_lists(const ProductViews& p, std::int64_t row, std::int64_t rows, Lists& lists) {
  const std::int64_t capacity = p.inner + list_slack;
  grow(lists.place, rows * capacity);
  grow(lists.value, rows * capacity);
  grow(lists.length, rows);
  const NonzeroLists made{.matrix = p.a_transposed ? p.a + row : p.a + row * p.a_stride,
                          .rows = p.a_transposed ? p.inner : rows,
                          .columns = p.a_transposed ? rows : p.inner,
                          .stride = p.a_stride,
                          .by_columns = p.a_transposed,
                          .capacity = capacity,
                          .place = lists.place.data(),
                          .value = lists.value.data(),
                          .length = lists.length.data()};
  const SparsePasses& passes = sparse_passes();
  std::atomic<bool> ones = true;
  parallel_ranges(rows, 0.4 * static_cast<double>(p.inner), 1, [&](std::int64_t begin, std::int64_t end) {
    if (!passes.list_nonzeros(made, begin, end)) ones = false;
  });
  return ones;
}

// Columns [first, first + columns) of rows [row, row + rows) of the product, on the calling thread.
void multiply_part(const ProductViews& p, std::int64_t row, std::int64_t rows, const Lists& lists, bool ones,
                   std::int64_t first, std::int64_t columns) {
  grow(packed_of_thread, p.inner * columns);
  pack(p, first, columns, packed_of_thread.data());
  const SparseProduct product{.place = lists.place.data(),
                              .length = lists.length.data(),
                              .value = ones ? nullptr : lists.value.data(),
                              .capacity = p.inner + list_slack,
                              .dense = packed_of_thread.data(),
                              .dense_stride = columns,
                              .first = first,
                              .columns = columns,
                              .shift = p.shift ? p.shift + row : nullptr,
                              .across = p.across ? p.across + first : nullptr,
                              .out = p.out + row * p.columns,
                              .out_stride = p.columns,
                              .scale = p.scale,
                              .keep = p.keep};
  sparse_passes().sparse_product(product, 0, rows);
}

// Rows [row, row + rows) of the product, whose lists fit the buffers. As many parts for each thread as for any
// other; which thread takes which changes no sum.
void multiply_rows(const ProductViews& p, std::int64_t row, std::int64_t rows) {
  Lists& lists = lists_of_thread;
  const bool ones = make_lists(p, row, rows, lists);
  const std::int64_t team = threads(), parts = ((p.columns - 1) / packed_columns / team + 1) * team;
  const std::int64_t groups = (p.columns - 1) / column_group + 1;
  const auto border = [&](std::int64_t part) {
    return std::min(p.columns, column_group * (groups * part / parts));
  };
  const double cost_ns = 0.02 * static_cast<double>(rows * p.inner * packed_columns);
  parallel_ranges(parts, cost_ns, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t first = border(part), columns = border(part + 1) - first;
      if (columns > 0) multiply_part(p, row, rows, lists, ones, first, columns);
    }
  });
}

}  // namespace

bool worth_lists(const ProductViews& p) {
  if (p.rows * p.inner * p.columns < smallest_product || p.columns < fewest_columns || p.inner >= 1 << 30)
    return false;
  const std::int64_t rows = p.a_transposed ? p.inner : p.rows, columns = p.a_transposed ? p.rows : p.inner;
  const std::int64_t step = (rows - 1) / sampled_rows + 1;
  std::int64_t count = 0, seen = 0;
  for (std::int64_t r = 0; r < rows; r += step, seen += columns)
    count += nonzeros(p.a + r * p.a_stride, columns);
  return static_cast<double>(count) <= most_density * static_cast<double>(seen);
}

void multiply_lists(const ProductViews& p) {
  const std::int64_t capacity = p.inner + list_slack;
  const std::int64_t rows = std::max<std::int64_t>(1, most_entries / capacity);
  for (std::int64_t row = 0; row < p.rows; row += rows) multiply_rows(p, row, std::min(rows, p.rows - row));
}

}  // namespace deepgen
