// Weights of layers that keep an order: what may see what is told by ranks.
//
// An input of rank r reaches the outputs of rank r and above; all other weights count as zero, whatever they
// hold, and their gradient is zero.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

// w [in, out] float32 where from[i] <= to[j], else 0; from [in], to [out] int32. Gradients flow to w.
Tensor ranked_weights(const Tensor& w, const Tensor& from, const Tensor& to);

namespace composed {
Tensor ranked_weights(const Tensor& w, const Tensor& from, const Tensor& to);
}  // namespace composed

}  // namespace deepgen
