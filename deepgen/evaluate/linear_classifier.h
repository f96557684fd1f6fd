// Softmax regression, the judge of features: log p(class c | x) = w_c x + b_c - log sum_k exp(w_k x + b_k).
//
// The objective is the mean over rows of -log p(label | x) plus penalty / 2 times the squared weights (not
// the biases). It is convex, so its minimum is a property of the features and not of an optimiser's settings.
#pragma once

#include <cstdint>
#include <vector>

#include "deepgen/core/torch.h"
#include "deepgen/evaluate/minimise.h"

namespace deepgen {

// Columns to mean 0 and deviation 1 of the rows it was made from; a column without variance is only shifted.
class Standardiser {
 public:
  explicit Standardiser(const Tensor& rows);  // [N, D] float32, N >= 1
  void apply(Tensor& rows) const;             // [B, D] float32, dense, in place

 private:
  std::vector<float> mean_, scale_;
};

// The objective on x [N, D] (float32, dense, kept, not copied) and labels 0 .. classes - 1. The parameters
// are the weights, class by class, and then the biases: classes * (D + 1) numbers. Its bits do not depend on
// the number of threads.
class SoftmaxObjective {
 public:
  SoftmaxObjective(const Tensor& x, std::vector<std::int64_t> labels, std::int64_t classes, double penalty);
  std::int64_t parameters() const { return classes_ * (x_.size(1) + 1); }
  double operator()(const std::vector<double>& parameters, std::vector<double>& gradient);

 private:
  // Logits become the residuals p - [c is the label]; the mean of -log p(label).
  double residuals();
  Tensor x_, logits_, weights_, weight_gradient_;
  std::vector<std::int64_t> labels_;
  std::vector<double> losses_;
  std::int64_t classes_;
  double penalty_;
};

struct LinearClassifier {
  Tensor weights, biases;  // [classes, D], [classes] float32
  double penalty = 0;
  int steps = 0;
  bool converged = true;

  // The most probable class of rows x [B, D]: [B] int64; of equal ones the lower.
  Tensor predict(const Tensor& x) const;
};

// The minimum of the objective for x and labels as above. `start`: a classifier of a like penalty to begin
// at, which saves most of the steps; nullptr: zero weights.
LinearClassifier fit_linear_classifier(const Tensor& x, const std::vector<std::int64_t>& labels,
                                       std::int64_t classes, double penalty, const MinimisePlan& plan = {},
                                       const LinearClassifier* start = nullptr);

}  // namespace deepgen
