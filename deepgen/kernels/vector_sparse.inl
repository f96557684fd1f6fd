// The passes of sparse_passes.h; included by vector_kernels.inl.
#include <immintrin.h>

namespace deepgen {
namespace {

// Eight rows of eight become columns, in registers of eight with every set of instructions.
inline void transpose_tile(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  __m256 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256 a = _mm256_loadu_ps(from + 2 * i * stride), b = _mm256_loadu_ps(from + (2 * i + 1) * stride);
    pairs[2 * i] = _mm256_unpacklo_ps(a, b), pairs[2 * i + 1] = _mm256_unpackhi_ps(a, b);
  }
#pragma GCC unroll 2
  for (int half = 0; half < 8; half += 4)
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256 a = pairs[half + i], b = pairs[half + i + 2];
      fours[half + 2 * i] = _mm256_shuffle_ps(a, b, 0x44),
                       fours[half + 2 * i + 1] = _mm256_shuffle_ps(a, b, 0xEE);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
  }
}

void pack_transposed(const PackedTranspose& p) {
  constexpr std::int64_t tile = 8;
  const std::int64_t whole_rows = p.count / tile * tile, whole_columns = p.inner / tile * tile;
  for (std::int64_t k = 0; k < whole_columns; k += tile)
    for (std::int64_t j = 0; j < whole_rows; j += tile)
      transpose_tile(p.rows + j * p.stride + k, p.stride, p.packed + k * p.count + j, p.count);
  for (std::int64_t j = 0; j < p.count; ++j)
    for (std::int64_t k = j < whole_rows ? whole_columns : 0; k < p.inner; ++k)
      p.packed[k * p.count + j] = p.rows[j * p.stride + k];
}

// The entries of row[0 .. columns) that are not zero; there is room for a vector behind them.
std::int32_t list_row(const float* row, std::int64_t columns, std::int32_t* place, float* value, bool& ones) {
  std::int64_t j = 0;
  std::int32_t length = 0;
  for (; j + width <= columns; j += width)
    length +=
        append_nonzero(load(row + j), static_cast<std::int32_t>(j), place + length, value + length, ones);
  if (j < columns)
    length += append_nonzero(load_some(row + j, static_cast<int>(columns - j)), static_cast<std::int32_t>(j),
                             place + length, value + length, ones);
  return length;
}

// Row by row, so that lists grow side by side in rising order; some columns at a time, whose entries of a row
// have room on the stack.
bool list_columns(const NonzeroLists& lists, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t most = 512;
  std::int32_t place[most + width];
  float value[most + width];
  bool ones = true;
  for (std::int64_t first = begin; first < end; first += most) {
    const std::int64_t count = end - first < most ? end - first : most;
    for (std::int64_t j = first; j < first + count; ++j) lists.length[j] = 0;
    for (std::int64_t r = 0; r < lists.rows; ++r) {
      const std::int32_t length =
          list_row(lists.matrix + r * lists.stride + first, count, place, value, ones);
      for (std::int32_t e = 0; e < length; ++e) {
        const std::int64_t list = first + place[e], at = list * lists.capacity + lists.length[list]++;
        lists.place[at] = static_cast<std::int32_t>(r);
        lists.value[at] = value[e];
      }
    }
  }
  return ones;
}

bool list_nonzeros(const NonzeroLists& lists, std::int64_t begin, std::int64_t end) {
  if (lists.by_columns) return list_columns(lists, begin, end);
  bool ones = true;
  for (std::int64_t r = begin; r < end; ++r)
    lists.length[r] = list_row(lists.matrix + r * lists.stride, lists.columns,
                               lists.place + r * lists.capacity, lists.value + r * lists.capacity, ones);
  return ones;
}

constexpr int sparse_vectors = 8;  // sums in registers, enough to hide what an addition takes

// `vectors` vectors of columns from column j on, of the last one `left` lanes.
template <int vectors, bool full, bool ones>
void sparse_strip(const SparseProduct& p, std::int64_t row_begin, std::int64_t row_end, std::int64_t j,
                  int left) {
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    Float sum[vectors];
    const Float shift = all(p.shift ? -p.shift[r] : 0.0F);
#pragma GCC unroll 8
    for (int k = 0; k < vectors; ++k)
      sum[k] = p.shift ? shift * (full || k + 1 < vectors ? load(p.across + j + k * width)
                                                          : load_some(p.across + j + k * width, left))
                       : all(0.0F);
    const std::int32_t* place = p.place + r * p.capacity;
    for (std::int64_t e = 0, length = p.length[r]; e < length; ++e) {
      const float* from = p.dense + place[e] * p.dense_stride + j;
      const Float value = all(ones ? 1.0F : p.value[r * p.capacity + e]);
#pragma GCC unroll 8
      for (int k = 0; k < vectors; ++k) {
        const Float x = full || k + 1 < vectors ? load(from + k * width) : load_some(from + k * width, left);
        sum[k] = ones ? sum[k] + x : fused(value, x, sum[k]);
      }
    }
    float* out = p.out + r * p.out_stride + p.first + j;
#pragma GCC unroll 8
    for (int k = 0; k < vectors; ++k) {
      const bool whole = full || k + 1 < vectors;
      Float result = all(p.scale) * sum[k];
      if (p.keep != 0) {
        const Float before = whole ? load(out + k * width) : load_some(out + k * width, left);
        result = fused(all(p.scale), sum[k], all(p.keep) * before);
      }
      if (whole)
        store(out + k * width, result);
      else
        store_some(out + k * width, result, left);
    }
  }
}

// The strip of the last `left` columns, fewer than sparse_vectors vectors.
template <int vectors, bool ones>
void last_strip(const SparseProduct& p, std::int64_t row_begin, std::int64_t row_end, int left) {
  const std::int64_t j = p.columns - left;
  if constexpr (vectors > 1)
    if (left <= (vectors - 1) * width) return last_strip<vectors - 1, ones>(p, row_begin, row_end, left);
  if (left == vectors * width) return sparse_strip<vectors, true, ones>(p, row_begin, row_end, j, width);
  sparse_strip<vectors, false, ones>(p, row_begin, row_end, j, left - (vectors - 1) * width);
}

template <bool ones>
void sparse_strips(const SparseProduct& p, std::int64_t row_begin, std::int64_t row_end) {
  constexpr int strip_columns = sparse_vectors * width;
  std::int64_t j = 0;
  for (; j + strip_columns <= p.columns; j += strip_columns)
    sparse_strip<sparse_vectors, true, ones>(p, row_begin, row_end, j, width);
  if (j < p.columns) last_strip<sparse_vectors, ones>(p, row_begin, row_end, static_cast<int>(p.columns - j));
}

void sparse_product(const SparseProduct& given, std::int64_t row_begin, std::int64_t row_end) {
  const SparseProduct p = given;  // a copy that the stores cannot alias
  if (p.value)
    sparse_strips<false>(p, row_begin, row_end);
  else
    sparse_strips<true>(p, row_begin, row_end);
}

}  // namespace
}  // namespace deepgen
