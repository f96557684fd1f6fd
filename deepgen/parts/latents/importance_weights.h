// Importance weights of latent draws: several draws a row, z_i ~ q(z | x).
//
//   weight    w_i = p(x, z_i) / q(z_i | x)
//   bound     log 1/k sum_i w_i
//   share     w_i / sum_j w_j
//
// The mean of the bound over draws is at most log p(x) and rises to it with k (Burda et al. 2016, theorem 1).
#pragma once

#include <memory>

#include "deepgen/core/torch.h"

namespace deepgen {

// log_weights [B, k] float64 -> [B]. Gradients flow.
Tensor importance_bound(const Tensor& log_weights);

// [B, k] float64, each row summing to 1, without gradient.
Tensor normalised_weights(const Tensor& log_weights);

// The same bound where the draws come in pieces, so that memory stays bounded.
class RunningBound {
 public:
  void add(const Tensor& log_weights);  // [B, some] float64, of the same rows each time
  Tensor value() const;                 // [B] float64

 private:
  Tensor log_sum_;
  std::int64_t count_ = 0;
};

// Factors for gradients that are known only after the pass to which they apply: z itself, whose gradient [R,
// n] is multiplied row by row by `factors->to(float)` [R] as it stands when the gradient arrives.
Tensor with_gradient_factors(const Tensor& z, std::shared_ptr<Tensor> factors);

}  // namespace deepgen
