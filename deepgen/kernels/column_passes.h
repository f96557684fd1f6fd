// The hot loops of autoregressive models, one set for each set of kernels (kernels.h).
//
// NADE (nade.h): from the first column to the last, logit_i = b_i + v_i . h with h = sigmoid(a), then
// a += x_i w_i. Of bits, a changes only behind a column that is on, so a row has as many different states h
// as ones, and one more: they are computed once each, and all work is dot products over them. Rows are
// independent of one another, and the gradients of columns are, so the results depend on no cut into calls.
#pragma once

#include <cstdint>

namespace deepgen {

// logits(r, i) = b_i + v_i . h(r, state before column i).
struct NadeForward {
  std::int64_t columns, hidden;
  const float *w, *c, *v, *b;      // [columns, hidden], [hidden], [columns, hidden], [columns]
  float* x;                        // [rows, columns] bits; those drawn are written
  const float* uniform = nullptr;  // [rows, columns]: cells that are not held become [u < sigmoid(logit)]
  const bool* held = nullptr;      // [rows, columns], or nullptr: none
  float* logits;                   // [rows, columns]
  float* scratch;                  // [2, hidden], one for each thread
  float* states = nullptr;         // all states, row by row, or nullptr: not wanted
  const std::int64_t* first = nullptr;  // [rows]: where the states of a row begin
};

constexpr std::int64_t most_nade_rows = 1024;  // of a call of nade_weights

// Back through the states; differences(r, i) = d loss / d logit.
struct NadeBackward {
  std::int64_t columns, hidden, rows;  // at most most_nade_rows
  const float *v, *x, *differences;
  const float* states;
  const std::int64_t* first;
  float* scratch = nullptr;            // [hidden], one for each thread
  float* carried;                      // as states: d loss / d a behind the column that ended the state
  float* start;                        // [rows, hidden]: d loss / d a before the first column
  float *dw = nullptr, *dv = nullptr;  // [columns, hidden]
  bool add = false;                    // row by row to what they hold; else they are overwritten
};

// output(r) = bias + sum over j < count of input(r, j) weight(j).
struct PrefixDots {
  const float* input;
  std::int64_t stride, count;
  const float* weight;
  float bias;
  float* output;
  std::int64_t output_stride;
};

struct ColumnPasses {
  void (*nade_forward)(const NadeForward&, std::int64_t row_begin, std::int64_t row_end);
  void (*nade_carry)(const NadeBackward&, std::int64_t row_begin, std::int64_t row_end);
  void (*nade_weights)(const NadeBackward&, std::int64_t column_begin, std::int64_t column_end);
  void (*prefix_dots)(const PrefixDots&, std::int64_t row_begin, std::int64_t row_end);
};

// Those of the kernels in use; of these kernels by name.
const ColumnPasses& column_passes();

extern const ColumnPasses reference_column_passes, avx2_column_passes, avx512_column_passes;

}  // namespace deepgen
