// Gaussian distributions of latent variables with independent units, one distribution a row.
//
//   draw            z = m + exp(v / 2) * n,  n standard normal               (Kingma and Welling 2014,
//   sec. 2.4) log density     -1/2 sum_j ((z_j - m_j)^2 / exp(v_j) + v_j + ln 2 pi) divergence      KL(N(m,
//   exp v) || N(0, 1)) = 1/2 (m^2 + exp(v) - v - 1), unit by unit     (appendix B)
//
// Draws of one row are neighbours: row b's draws are rows b * draws up to (b + 1) * draws of z. Gradients
// flow to everything; nothing depends on the number of threads.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

struct Gaussian {
  Tensor mean, log_variance;  // [B, units]

  Gaussian detached() const { return {mean.detach(), log_variance.detach()}; }
};

// noise [B * draws, units], standard normal -> z, of the same shape.
Tensor draw(const Gaussian& q, const Tensor& noise);

// z [B * draws, units] -> [B * draws] float64, nats.
Tensor log_density(const Gaussian& q, const Tensor& z);

// Of the standard normal distribution.
Tensor standard_log_density(const Tensor& z);

// KL(q || N(0, I)), unit by unit: [B, units].
Tensor divergence_from_standard(const Gaussian& q);
// KL(q || p), both [B, units], unit by unit.
Tensor divergence(const Gaussian& q, const Gaussian& p);

namespace composed {
Tensor log_density(const Gaussian& q, const Tensor& z);
}  // namespace composed

}  // namespace deepgen
