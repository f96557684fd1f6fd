// Lower triangular matrices, one a case: diagonal [B, n], and below it [B, n (n - 1) / 2] row by row.
//
// Rows of a case are neighbours, as in gaussian_code.h. Gradients flow to everything.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

Tensor triangular_product(const Tensor& diagonal, const Tensor& below, const Tensor& noise);  // L n, [R, n]
Tensor triangular_solution(const Tensor& diagonal, const Tensor& below, const Tensor& y);  // L^-1 y, [R, n]
Tensor row_squares(const Tensor& below, std::int64_t units);  // sum_j<i L_ij^2, [B, n]

}  // namespace deepgen
