// Naive Bayes: columns that are independent within a class.
//
//   p(x) = sum_y p(y) prod_i p(x_i | y),   x_i | y Bernoulli (binary columns) or Gaussian (all others)
//
// A mixture (mixture.h) whose component is known in training: the label. So one pass over the rows maximises
// the objective, mean log p(x, y) plus log prior (as in bernoulli_mixture.h and gaussian_mixture.h with
// diagonal covariances), and two more see that nothing is gained. What is scored afterwards is p(x), the
// labels summed out; the code of a case is p(y | x), the classifier.
//
// Known to fail: columns that depend on each other within a class are counted as evidence several times, so
// p(y | x) is far too sure.
//
// Source: Duda and Hart 1973, "Pattern classification and scene analysis"; Bishop 2006, "Pattern recognition
// and machine learning", 8.2.2.
#pragma once

#include "deepgen/data/files/column_group.h"
#include "deepgen/models/mixture.h"

namespace deepgen {

class NaiveBayes : public Mixture {
 public:
  // `values` as in DataShape; `groups` may hold binary, gaussian and mean_field columns.
  NaiveBayes(NoOptions options, NaiveBayesLearning learning, std::int64_t columns, std::int64_t classes,
             const std::string& values, const std::vector<ColumnGroup>& groups);
  void initialise(const Batch& sample, Rng& rng) override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Tensor responsibilities(const Batch& rows, const Tensor& log_joint, Tensor& log_prob) const override;
  const FitOptions& fit() const override { return learning_; }
  Tensor centres(const Tensor& rows, const ColumnMoments& moments, Rng& rng) const override;

 private:
  NoOptions options_;
  NaiveBayesLearning learning_;
};

}  // namespace deepgen
