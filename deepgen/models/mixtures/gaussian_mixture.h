// A mixture of Gaussians with diagonal or full covariances.
//
//   p(x) = sum_k pi_k N(x; m_k, C_k)
//
// Objective: mean log-probability plus a Dirichlet(1 + a) on pi and, with V the variances of the whole data,
// a log prior of each component as if it had seen a = training.pseudo_count more rows of that spread:
//
//   log prior_k = -a / 2 (log |C_k| + trace(C_k^-1 V))
//
// EM (mixture.h):
//
//   r_nk = p(k | x_n),   N_k = sum_n r_nk
//   m_k = sum_n r_nk x_n / N_k
//   C_k = (sum_n r_nk (x_n - m_k)(x_n - m_k)' + a V) / (N_k + a)
//
// with eigenvalues (in units of V) raised to smallest_deviation^2, which maximises the same under that limit.
// Missing cells: diagonal components take the sums over known cells; full ones fill the cells in by their
// expectation given the known ones and add the conditional covariance. The likelihood is that of the known
// cells in both. The code of a case is p(k | known cells).
//
// Full: one Cholesky factorisation for each pattern of missing cells and component, then D^2 a row.
//
// Known to fail: with neither floor nor prior the likelihood has no maximum (a component shrinks onto a row);
// with many columns and few rows full covariances overfit, use diagonal ones.
//
// Sources: Dempster, Laird, Rubin 1977; Ghahramani and Jordan 1994, "Supervised learning from incomplete data
// via an EM approach" (missing cells); Bishop 2006, "Pattern recognition and machine learning", 9.2.2.
#pragma once

#include "deepgen/models/mixtures/mixture.h"

namespace deepgen {

class GaussianMixture : public HiddenMixture {
 public:
  GaussianMixture(GaussianMixtureOptions options, GaussianMixtureLearning learning, const DataShape& data);
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  const FitOptions& fit() const override { return learning_; }
  std::int64_t restarts() const override { return learning_.restarts; }

 private:
  GaussianMixtureOptions options_;
  GaussianMixtureLearning learning_;
};

}  // namespace deepgen
