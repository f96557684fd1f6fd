// A mixture of products of Bernoulli variables: binary data in K prototypes.
//
//   p(x) = sum_k pi_k prod_i p_ki^x_i (1 - p_ki)^(1 - x_i),   p = sigmoid(logits)
//
// Objective: mean log-probability plus the log prior, a Beta(1 + a, 1 + a) on each p_ki and a
// Dirichlet(1 + a) on pi, a = training.pseudo_count. EM (mixture.h):
//
//   r_nk = p(k | x_n)
//   p_ki = (sum_n r_nk x_ni + a) / (sum_n r_nk + 2 a)
//   pi_k = (sum_n r_nk + a) / (N + K a)
//
// the sums for p_ki over the rows in which cell i is known. p is kept between 1e-7 and 1 - 1e-7.
//
// The code of a case is p(k | known cells).
//
// Differs from the source: logits in place of probabilities; the beginning (mixture.h).
//
// Known to fail: without a prior the test log-probability falls once components have few rows each: a bit
// that no row of a component has costs 16 nats where it comes up.
//
// Sources: Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks", table 1
// (mixture of Bernoullis); Bishop 2006, "Pattern recognition and machine learning", 9.3.3.
#pragma once

#include "deepgen/models/mixtures/mixture.h"

namespace deepgen {

class BernoulliMixture : public HiddenMixture {
 public:
  BernoulliMixture(MixtureOptions options, MixtureLearning learning, const DataShape& data);
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  const FitOptions& fit() const override { return learning_; }
  std::int64_t restarts() const override { return learning_.restarts; }

 private:
  MixtureOptions options_;
  MixtureLearning learning_;
};

}  // namespace deepgen
