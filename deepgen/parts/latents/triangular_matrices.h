// Products with and solutions by lower triangular matrices L, one a case: diagonal [B, n], and what is below
// it [B, n (n - 1) / 2] row by row.
//
// Rows of a case are neighbours, as in gaussian_latent.h. Gradients flow to everything.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

// L n, [R, n].
Tensor triangular_product(const Tensor& diagonal, const Tensor& below, const Tensor& noise);
// L^-1 y, [R, n].
Tensor triangular_solution(const Tensor& diagonal, const Tensor& below, const Tensor& y);
// sum_(j<i) L_ij^2 of each row i, [B, n].
Tensor row_squares(const Tensor& below, std::int64_t units);

}  // namespace deepgen
