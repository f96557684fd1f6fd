// The loops of column_passes.h on vectors; included at the end of vector_kernels.inl.
#include "deepgen/kernels/column_passes.h"

namespace deepgen {
namespace {

constexpr int long_strip = 8;  // vectors of partial sums that stay in registers

// Calls body<full>(j, left) for the vectors of a row of n floats.
template <class Body>
inline void over_vectors(std::int64_t n, const Body& body) {
  std::int64_t j = 0;
  for (; j + width <= n; j += width) body.template work<true>(j, width);
  if (j < n) body.template work<false>(j, static_cast<int>(n - j));
}

// Four chains of additions: one alone would wait for itself.
inline float dot(const float* a, const float* b, std::int64_t n) {
  Float s0 = all(0.0F), s1 = s0, s2 = s0, s3 = s0;
  std::int64_t j = 0;
  for (; j + 4 * width <= n; j += 4 * width) {
    s0 = fused(load(a + j), load(b + j), s0);
    s1 = fused(load(a + j + width), load(b + j + width), s1);
    s2 = fused(load(a + j + 2 * width), load(b + j + 2 * width), s2);
    s3 = fused(load(a + j + 3 * width), load(b + j + 3 * width), s3);
  }
  for (; j + width <= n; j += width) s0 = fused(load(a + j), load(b + j), s0);
  if (j < n) {
    const int left = static_cast<int>(n - j);
    s1 = fused(load_some(a + j, left), load_some(b + j, left), s1);
  }
  return static_cast<float>(sum_of_lanes(widened_sum((s0 + s1) + (s2 + s3))));
}

// a += w where there is one; h = sigmoid(a).
struct NextState {
  float* a;
  const float* w;
  float* h;

  template <bool full>
  inline void work(std::int64_t j, int left) const {
    const Float sum = read<full>(a + j, left) + read<full>(w + j, left);
    write<full>(a + j, sum, left);
    write<full>(h + j, sigmoid(sum), left);
  }
};

inline bool is_on(float u, float logit) { return u < 1 / (1 + ::expf(-logit)); }

void nade_forward(const NadeForward& pass, std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    float* a = pass.scratch;
    float* h = pass.states ? pass.states + pass.first[r] * hidden : pass.scratch + hidden;
    for (std::int64_t j = 0; j < hidden; ++j) a[j] = 0;
    over_vectors(hidden, NextState{a, pass.c, h});
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at = r * n + i;
      pass.logits[at] = pass.b[i] + dot(pass.v + i * hidden, h, hidden);
      if (pass.uniform && !(pass.held && pass.held[at]))
        pass.x[at] = is_on(pass.uniform[at], pass.logits[at]) ? 1.0F : 0.0F;
      if (pass.x[at] == 0 || i + 1 == n) continue;
      if (pass.states) h += hidden;
      over_vectors(hidden, NextState{a, pass.w + i * hidden, h});
    }
  }
}

// total(j) = sum over columns first .. last - 1 of difference_i v_i(j), a strip at a time.
template <int vectors>
inline void weighted_sum(const float* v, std::int64_t hidden, const float* difference, std::int64_t first,
                         std::int64_t last, std::int64_t j, float* total) {
  Float sums[vectors];
#pragma GCC unroll 8
  for (int k = 0; k < vectors; ++k) sums[k] = all(0.0F);
  for (std::int64_t i = first; i < last; ++i) {
    const Float d = all(difference[i]);
    const float* row = v + i * hidden + j;
#pragma GCC unroll 8
    for (int k = 0; k < vectors; ++k) sums[k] = fused(d, load(row + k * width), sums[k]);
  }
#pragma GCC unroll 8
  for (int k = 0; k < vectors; ++k) store(total + j + k * width, sums[k]);
}

// da += total h (1 - h); the sum is also kept for the column before, where there is one.
struct ThroughState {
  float* da;
  const float* total;
  const float* h;
  float* kept;

  template <bool full>
  inline void work(std::int64_t j, int left) const {
    const Float state = read<full>(h + j, left);
    const Float slope = state * (all(1.0F) - state);
    const Float sum = fused(read<full>(total + j, left), slope, read<full>(da + j, left));
    write<full>(da + j, sum, left);
    if (kept) write<full>(kept + j, sum, left);
  }
};

void segment_sum(const NadeBackward& pass, const float* difference, std::int64_t first, std::int64_t last) {
  const std::int64_t hidden = pass.hidden;
  std::int64_t j = 0;
  for (; j + long_strip * width <= hidden; j += long_strip * width)
    weighted_sum<long_strip>(pass.v, hidden, difference, first, last, j, pass.scratch);
  for (; j + width <= hidden; j += width)
    weighted_sum<1>(pass.v, hidden, difference, first, last, j, pass.scratch);
  if (j == hidden) return;
  const int left = static_cast<int>(hidden - j);
  Float sum = all(0.0F);
  for (std::int64_t i = first; i < last; ++i)
    sum = fused(all(difference[i]), load_some(pass.v + i * hidden + j, left), sum);
  store_some(pass.scratch + j, sum, left);
}

void nade_carry(const NadeBackward& pass, std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    const float *x = pass.x + r * n, *difference = pass.differences + r * n;
    std::int64_t state = pass.first[r], last = n;
    for (std::int64_t i = 0; i + 1 < n; ++i) state += x[i] != 0 ? 1 : 0;
    float* da = pass.start + r * hidden;
    for (std::int64_t j = 0; j < hidden; ++j) da[j] = 0;
    for (std::int64_t i = n - 1; i-- > 0;) {
      if (x[i] == 0) continue;
      segment_sum(pass, difference, i + 1, last);
      over_vectors(hidden, ThroughState{da, pass.scratch, pass.states + state * hidden,
                                        pass.carried + (state - 1) * hidden});
      --state;
      last = i + 1;
    }
    segment_sum(pass, difference, 0, last);
    over_vectors(hidden, ThroughState{da, pass.scratch, pass.states + state * hidden, nullptr});
  }
}

// A strip of the gradients of one column; state_of[r]: the state of row r before the column.
template <int vectors, bool full>
inline void column_strip(const NadeBackward& pass, const std::int64_t* state_of, std::int64_t i,
                         std::int64_t j, int left) {
  const std::int64_t n = pass.columns, hidden = pass.hidden, at = i * hidden + j;
  Float dv[vectors], dw[vectors];
#pragma GCC unroll 8
  for (int k = 0; k < vectors; ++k) {
    dv[k] = pass.add ? read<full>(pass.dv + at + k * width, left) : all(0.0F);
    dw[k] = pass.add ? read<full>(pass.dw + at + k * width, left) : all(0.0F);
  }
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    const Float d = all(pass.differences[r * n + i]);
    const float* h = pass.states + state_of[r] * hidden + j;
#pragma GCC unroll 8
    for (int k = 0; k < vectors; ++k) dv[k] = fused(d, read<full>(h + k * width, left), dv[k]);
    if (pass.x[r * n + i] == 0 || i + 1 == n) continue;
    const float* da = pass.carried + state_of[r] * hidden + j;
#pragma GCC unroll 8
    for (int k = 0; k < vectors; ++k) dw[k] += read<full>(da + k * width, left);
  }
#pragma GCC unroll 8
  for (int k = 0; k < vectors; ++k) {
    write<full>(pass.dv + at + k * width, dv[k], left);
    write<full>(pass.dw + at + k * width, dw[k], left);
  }
}

void nade_weights(const NadeBackward& pass, std::int64_t column_begin, std::int64_t column_end) {
  constexpr int half = long_strip / 2;  // two sums for each vector
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  std::int64_t state_of[most_nade_rows];
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    state_of[r] = pass.first[r];
    for (std::int64_t i = 0; i < column_begin; ++i) state_of[r] += pass.x[r * n + i] != 0 ? 1 : 0;
  }
  for (std::int64_t i = column_begin; i < column_end; ++i) {
    std::int64_t j = 0;
    for (; j + half * width <= hidden; j += half * width)
      column_strip<half, true>(pass, state_of, i, j, width);
    for (; j + width <= hidden; j += width) column_strip<1, true>(pass, state_of, i, j, width);
    if (j < hidden) column_strip<1, false>(pass, state_of, i, j, static_cast<int>(hidden - j));
    for (std::int64_t r = 0; r < pass.rows; ++r) state_of[r] += pass.x[r * n + i] != 0 ? 1 : 0;
  }
}

void prefix_dots(const PrefixDots& pass, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t r = row_begin; r < row_end; ++r)
    pass.output[r * pass.output_stride] =
        pass.bias + dot(pass.input + r * pass.stride, pass.weight, pass.count);
}

}  // namespace
}  // namespace deepgen
