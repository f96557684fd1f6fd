// The passes of NADE (nade.h) over variables some of which are categories; ops/nade.h has those over bits.
//
//   logits of variable v = b_v + V_v sigmoid(c + sum over the variables u before v of x_u W_u)
//
// W_v and V_v are the rows of the columns of v. What a variable adds is one row of W, that of its column that
// is on, or none, of a bit that is 0; its logits are one matrix product of 32 rows at once. The gradients of
// weights are added up by such products in the order of the rows, so they depend neither on the number of
// threads nor on how many rows are at work together.
#pragma once

#include "deepgen/ops/nade.h"
#include "deepgen/parts/nets/masked_net.h"

namespace deepgen {

// Of rows x [B, D]: [B, D], without a graph.
Tensor nade_group_logits(const Tensor& x, const VariableLayout& layout, const NadeWeights& weights);

// Draws what is not held, in the order of the columns; the logits [B, D] under which it was drawn.
Tensor nade_group_draw(const AncestralPass& pass, const VariableLayout& layout, const NadeWeights& weights);

// As nade_gradients.
Tensor nade_group_gradients(const Tensor& x, const VariableLayout& layout, const NadeWeights& weights,
                            NadeWeights& gradients, NadeBuffers& buffers);

namespace composed {
Tensor nade_group_logits(const Tensor& x, const VariableLayout& layout,
                         const NadeWeights& weights);  // differentiable
}  // namespace composed

}  // namespace deepgen
