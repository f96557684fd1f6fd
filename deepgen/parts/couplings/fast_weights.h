// Fast weights: an overlay over the parameters of a machine under which its persistent chains move. It learns the
// gradient that the machine learns, at a rate of its own, and fades:
//
//   fast <- 19/20 fast - rate * gradient      (gradients are descended).
//
// Wherever chains stay the overlay raises the energy, and they leave.
//
// Source: Tieleman and Hinton 2009, "Using fast weights to improve persistent contrastive divergence".
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

inline void learn_fast(Tensor& fast, const Tensor& gradient, double rate) {
  constexpr double keep = 19.0 / 20;
  fast.mul_(keep).sub_(gradient, rate);
}

}  // namespace deepgen
