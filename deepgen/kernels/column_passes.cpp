// The loops of column_passes.h written plainly, and the choice between the sets.
#include "deepgen/kernels/column_passes.h"

#include <cmath>
#include <string_view>

#include "deepgen/kernels/kernels.h"

namespace deepgen {
namespace {

float sigmoid(float x) { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))); }

float dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t j = 0; j < n; ++j) sum += static_cast<double>(a[j]) * b[j];
  return static_cast<float>(sum);
}

void nade_forward(const NadeForward& pass, std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    float* a = pass.scratch;
    float* h = pass.states ? pass.states + pass.first[r] * hidden : pass.scratch + hidden;
    for (std::int64_t j = 0; j < hidden; ++j) a[j] = pass.c[j], h[j] = sigmoid(a[j]);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at = r * n + i;
      pass.logits[at] = pass.b[i] + dot(pass.v + i * hidden, h, hidden);
      if (pass.uniform && !(pass.held && pass.held[at]))
        pass.x[at] = pass.uniform[at] < sigmoid(pass.logits[at]) ? 1.0F : 0.0F;
      if (pass.x[at] == 0 || i + 1 == n) continue;
      if (pass.states) h += hidden;
      for (std::int64_t j = 0; j < hidden; ++j) a[j] += pass.w[i * hidden + j], h[j] = sigmoid(a[j]);
    }
  }
}

void nade_carry(const NadeBackward& pass, std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    std::int64_t state = pass.first[r];
    for (std::int64_t i = 0; i + 1 < n; ++i) state += pass.x[r * n + i] != 0;
    float *da = pass.start + r * hidden, *dh = pass.scratch;
    for (std::int64_t j = 0; j < hidden; ++j) da[j] = dh[j] = 0;
    auto through = [&] {
      const float* h = pass.states + state * hidden;
      for (std::int64_t j = 0; j < hidden; ++j) da[j] += dh[j] * h[j] * (1 - h[j]), dh[j] = 0;
    };
    for (std::int64_t i = n; i-- > 0;) {
      if (i + 1 < n && pass.x[r * n + i] != 0) {
        through();
        --state;
        for (std::int64_t j = 0; j < hidden; ++j) pass.carried[state * hidden + j] = da[j];
      }
      for (std::int64_t j = 0; j < hidden; ++j) dh[j] += pass.differences[r * n + i] * pass.v[i * hidden + j];
    }
    through();
  }
}

void nade_weights(const NadeBackward& pass, std::int64_t column_begin, std::int64_t column_end) {
  const std::int64_t n = pass.columns, hidden = pass.hidden;
  for (std::int64_t i = column_begin; i < column_end; ++i) {
    float *dv = pass.dv + i * hidden, *dw = pass.dw + i * hidden;
    for (std::int64_t j = 0; !pass.add && j < hidden; ++j) dv[j] = dw[j] = 0;
    for (std::int64_t r = 0; r < pass.rows; ++r) {
      std::int64_t state = pass.first[r];
      for (std::int64_t k = 0; k < i; ++k) state += pass.x[r * n + k] != 0;
      const float *h = pass.states + state * hidden, *da = pass.carried + state * hidden;
      const bool ends_state = i + 1 < n && pass.x[r * n + i] != 0;
      for (std::int64_t j = 0; j < hidden; ++j) dv[j] += pass.differences[r * n + i] * h[j];
      for (std::int64_t j = 0; ends_state && j < hidden; ++j) dw[j] += da[j];
    }
  }
}

void prefix_dots(const PrefixDots& pass, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t r = row_begin; r < row_end; ++r)
    pass.output[r * pass.output_stride] =
        pass.bias + dot(pass.input + r * pass.stride, pass.weight, pass.count);
}

}  // namespace

const ColumnPasses reference_column_passes = {nade_forward, nade_carry, nade_weights, prefix_dots};

const ColumnPasses& column_passes() {
  const std::string_view name = kernels().name;
  if (name == "avx512") return avx512_column_passes;
  if (name == "avx2") return avx2_column_passes;
  return reference_column_passes;
}

}  // namespace deepgen
