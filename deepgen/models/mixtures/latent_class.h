// Latent classes: a mixture of products of categories, bits, counts and Gaussians, for tables of any columns.
//
//   p(x) = sum_k pi_k prod_g p_k(x_g)
//
// over the columns g of a table: x_g is a category with probabilities p_kg, a bit with probability p_kg, a
// number with N(m_kg, s_kg^2), or a count with Poisson(l_kg).
//
// Objective: mean log-probability plus the log prior, with a = training.pseudo_count a Dirichlet(1 + a) on pi
// and on each p_kg (of bits a Beta), that of gaussian_mixture.h on the Gaussians, and a rows with the mean M_g
// of the data on the counts. EM (mixture.h), with r_nk = p(k | known cells of x_n) and sums over the rows in
// which g is known:
//
//   p_kgj = (sum_n r_nk [x_ng = j] + a) / sum_j' (sum_n r_nk [x_ng = j'] + a)
//   m_kg, s_kg as in gaussian_mixture.h, diagonal
//   l_kg = (sum_n r_nk x_ng + a M_g) / (sum_n r_nk + a)
//
// Everything is exact with gaps: scores of what is known, completions, and the code p(k | known cells).
//
// Known to fail: what is left between two columns within a class is lost, so that a sharp dependence (one
// column decides another) takes a class for each of its cases.
//
// Sources: Lazarsfeld and Henry 1968, "Latent structure analysis"; McLachlan and Peel 2000, "Finite mixture
// models"; Bishop 2006, "Pattern recognition and machine learning", 9.3.
#pragma once

#include "deepgen/models/mixtures/mixture.h"

namespace deepgen {

class LatentClass : public HiddenMixture {
 public:
  LatentClass(LatentClassOptions options, GaussianMixtureLearning learning, const DataShape& data);
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  const FitOptions& fit() const override { return learning_; }
  std::int64_t restarts() const override { return learning_.restarts; }

 private:
  LatentClassOptions options_;
  GaussianMixtureLearning learning_;
};

}  // namespace deepgen
