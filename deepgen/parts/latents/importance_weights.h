// Importance weights of latent draws: several draws a row, z_i ~ q(z | x).
//
//   weight    w_i = p(x, z_i) / q(z_i | x)
//   bound     log 1/k sum_i w_i
//   share     w_i / sum_j w_j
//
// The mean of the bound over draws is at most log p(x) and rises to it with k (Burda et al. 2016, theorem 1).
#pragma once

#include <functional>
#include <memory>
#include <string>

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

// The bound of `rows` rows from `samples` draws each, [rows] float64, with at most some `at_once` draws in
// memory: weights(first, count, draws) -> [count, draws] float64 of the rows first .. first + count - 1. A usage
// error of `who` for fewer than one sample.
Tensor bound_in_pieces(
    const std::string& who, std::int64_t rows, std::int64_t samples, std::int64_t at_once,
    const std::function<Tensor(std::int64_t first, std::int64_t count, std::int64_t draws)>& weights);

// Factors for gradients that are known only after the pass to which they apply: z itself, whose gradient [R,
// n] is multiplied row by row by `factors->to(float)` [R] as it stands when the gradient arrives.
Tensor with_gradient_factors(const Tensor& z, std::shared_ptr<Tensor> factors);

}  // namespace deepgen
