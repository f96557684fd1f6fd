// A recurrent state beside sequences of rows, forwards and back through time:
//
//   u_t = f(a + x_t A + u_(t-1) B)
//   u_0 = 0
//
// Sequences of different lengths run side by side: they are sorted by length, and the rows of one time lie together,
// so that a step in time is one product for all sequences that reach it. With delta_t = d loss / d (input of f),
//
//   d loss / d u_t = what is given + delta_(t+1) B'
//   delta_t = f'(u_t) d loss / d u_t
//   d loss / d A = sum_t x_t' delta_t
//   d loss / d B = sum_t u_(t-1)' delta_t
//   d loss / d a = sum_t delta_t.
//
// Source: Rumelhart, Hinton, Williams 1986, "Learning internal representations by error propagation".
#pragma once

#include <vector>

#include "deepgen/data/rows.h"
#include "deepgen/kernels/activation.h"

namespace deepgen {

// Where the rows of sequences stand when those of one time lie together: first the first rows of all sequences, the
// longest sequence before the others, then the second rows of those that have one.
struct PackedSequences {
  Tensor order;                     // [rows] int64: which row stands at each place
  Tensor places;                    // [rows] int64: the place of each row
  Tensor last;                      // [cases] int64: the place of the last row of each case, -1: it has none
  std::vector<std::int64_t> sizes;  // how many rows there are of each time; never rising

  Tensor packed(const Tensor& rows) const { return rows.index_select(0, order); }
  Tensor unpacked(const Tensor& rows) const { return rows.index_select(0, places); }
};

// Undefined starts: every row is a case of its own. Cases may be empty.
PackedSequences pack_sequences(const Tensor& starts, std::int64_t rows);

struct RecurrentWeights {
  Tensor input, state, bias;  // A [D, R], B [R, R], a [R]
  Activation f = Activation::tanh;
};

// Of packed rows x [rows, D]: the states after them, [rows, R], and before them (zeros at the first of a sequence).
Tensor recurrent_states(const PackedSequences& packed, const Tensor& x, const RecurrentWeights& weights);
Tensor states_before(const PackedSequences& packed, const Tensor& states);

// The states of all sequences at their end, [cases, R]; zeros where a case is empty.
Tensor final_states(const PackedSequences& packed, const Tensor& states);

// One step: the states [B, R] after rows x [B, D].
Tensor next_state(const Tensor& x, const Tensor& state, const RecurrentWeights& weights);

// Adds to `gradients` (tensors like the weights) what flows to them through the states; d_before [rows, R]: the
// gradient with respect to the state before each row.
void recurrent_gradients(const PackedSequences& packed, const Tensor& x, const Tensor& states,
                         const Tensor& d_before, const RecurrentWeights& weights,
                         RecurrentWeights& gradients);

namespace composed {
// Differentiable, in any precision: the states after the rows x [T, D] of one sequence, [T, R].
Tensor recurrent_states(const Tensor& x, const RecurrentWeights& weights);
}  // namespace composed

}  // namespace deepgen
