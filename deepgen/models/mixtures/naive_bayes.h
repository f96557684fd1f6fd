// Naive Bayes: columns that are independent within a class.
//
//   p(x, y) = p(y) prod_i p(x_i | y),   x_i | y a bit, a category, a Poisson count or a Gaussian
//   p(x) = sum_y p(x, y)
//   p(y | x) = p(x, y) / p(x)
//
// A mixture (mixture.h) whose component is the label, and so known in training wherever the label is.
// Objective, over N rows:
//
//   (sum_(n: label known) log p(x_n, y_n) + sum_(n: label unknown) log p(x_n) + log prior) / N
//
// the prior as in latent_class.h. Where all labels are
// known one pass over the rows maximises it, and two more see that nothing is gained. Rows whose label is
// unknown (-1) have responsibilities p(y | x): expectation-maximisation, begun at the maximum of the labelled
// rows. What is scored afterwards is p(x), the labels summed out.
//
// Known to fail: columns that depend on each other within a class are counted as evidence several times, so
// p(y | x) is far too sure; then many rows without labels can pull the classes away from the few with one.
//
// Source: Duda and Hart 1973, "Pattern classification and scene analysis"; Nigam, McCallum, Thrun, Mitchell
// 2000, "Text classification from labeled and unlabeled documents using EM" (unknown labels); Bishop 2006,
// "Pattern recognition and machine learning", 8.2.2.
#pragma once

#include "deepgen/models/mixtures/mixture.h"

namespace deepgen {

class NaiveBayes : public Mixture, public CanClassify {
 public:
  // Of columns of any kinds.
  NaiveBayes(NoOptions options, NaiveBayesLearning learning, const DataShape& data);
  void initialise(const Rows& sample, Rng& rng) override;  // some of the labels must be known

  std::int64_t classes() const override { return count(); }
  Tensor log_class_probs(const Rows& rows) const override;  // log p(y | known cells), [B, classes] float64

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Tensor responsibilities(const Rows& rows, const Tensor& log_joint, Tensor& log_prob) const override;
  const FitOptions& fit() const override { return learning_; }
  Tensor centres(const Tensor& rows, const ColumnMoments& moments, Rng& rng) const override;

 private:
  NoOptions options_;
  NaiveBayesLearning learning_;
};

}  // namespace deepgen
