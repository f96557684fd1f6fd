// Gaussian distributions of latent variables, one distribution a row.
//
//   q = N(m, L L^T),   L lower triangular with the diagonal exp(v / 2)
//
// Without a part of L below the diagonal the units are independent.
//
//   draw          z = m + L n,   n standard normal                     (Kingma and Welling 2014, section 2.4)
//
//   log density   log q(z) = -1/2 |L^-1 (z - m)|^2 - 1/2 sum_j v_j - units / 2 log 2 pi,
//                 as log det L = 1/2 sum_j v_j
//
//   divergence    KL(q || N(m', diag exp v'))
//                   = 1/2 sum_j [((L L^T)_jj + (m_j - m'_j)^2) / exp(v'_j) + v'_j - v_j - 1]
//
// Draws of one row are neighbours: row b's draws are rows b * draws up to (b + 1) * draws of z. Gradients
// flow to everything; nothing depends on the number of threads.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

struct Gaussian {
  Tensor mean, log_variance;  // [B, units]; log_variance: of a unit given those before it
  Tensor below = {};  // [B, units (units - 1) / 2], L row by row: L_10, L_20, L_21, ...; undefined: none

  Gaussian detached() const {
    return {mean.detach(), log_variance.detach(), below.defined() ? below.detach() : below};
  }
};

// noise [B * draws, units], standard normal -> z, of the same shape.
Tensor draw(const Gaussian& q, const Tensor& noise);

// z [B * draws, units] -> [B * draws] float64, nats.
Tensor log_density(const Gaussian& q, const Tensor& z);

// Of the standard normal distribution.
Tensor standard_log_density(const Tensor& z);

// KL(q || N(0, I)), unit by unit (their sum is the divergence): [B, units].
Tensor divergence_from_standard(const Gaussian& q);
// KL(q || p), both [B, units], p with independent units.
Tensor divergence(const Gaussian& q, const Gaussian& p);

namespace composed {
Tensor draw(const Gaussian& q, const Tensor& noise);
Tensor log_density(const Gaussian& q, const Tensor& z);
}  // namespace composed

}  // namespace deepgen
