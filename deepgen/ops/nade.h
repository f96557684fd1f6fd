// The shared computation of NADE (models/autoregressive/nade.h) as tensor functions: a pass over D columns
// with H hidden units costs O(D H) a row, forwards and backwards.
//
//   logit_i = b_i + v_i . sigmoid(c + sum_(j<i) x_j w_j)
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

struct NadeWeights {
  Tensor w, c, v,
      b;  // [D, H], [H], [D, H], [D], float32, dense; c and b may be those of each row, [B, H] and [B, D]
};

// What nade_gradients writes on its way. Whoever calls it step after step keeps it, so that a step takes no
// memory from the system and gives none back.
struct NadeBuffers {
  Tensor states, carried;     // of the rows at work: some 2 MB each a thread, or one row's
  Tensor start, differences;  // [B, H], [B, D]
};

// Room for [rows, columns] in a tensor that is kept, which grows where it must.
Tensor kept_matrix(Tensor& kept, std::int64_t rows, std::int64_t columns);

// Of rows of bits x [B, D]: [B, D], without a graph.
Tensor nade_logits(const Tensor& x, const NadeWeights& weights);

// Cells of x [B, D] where held [B, D] (bool; undefined: nowhere) is false become [u < sigmoid(logit)], column
// by column; the logits under which they were drawn.
Tensor nade_draw(Tensor& x, const Tensor& uniform, const Tensor& held, const NadeWeights& weights);

// log p(x) of each row, [B] float64; `gradients` (like the weights) becomes the gradient of minus its mean.
Tensor nade_gradients(const Tensor& x, const NadeWeights& weights, NadeWeights& gradients,
                      NadeBuffers& buffers);

namespace composed {
Tensor nade_logits(const Tensor& x, const NadeWeights& weights);  // differentiable; O(D) products
}  // namespace composed

}  // namespace deepgen
