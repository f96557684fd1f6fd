// Distributions of a case given the output of a network: what a decoder ends in. Columns are independent
// given it.
//
//   bernoulli    p(x = 1) = sigmoid(a)
//                one number a column: the logit a
//   gaussian     N(x; c + s m, (s (f + softplus(t)))^2)
//                two a column: m and t; c and s are the column's mean and deviation in the first sample, f a
//                floor
//   categorical  p(x_k = 1) = exp(a_k) / sum_j exp(a_j) over the columns j of a group, one of which is on
//                one a column: the logit a_k
//   logistic     P(byte) = S(byte + 1/2) - S(byte - 1/2),   x = byte / 255
//                two a column: mean and log-scale of a logistic variable; S is its distribution function, and
//                the first and last byte take its tails (Salimans et al. 2017, eq. 2, one component)
//
// log p(x | z) is asked for many z of one x; x is not copied for them. Missing cells (NaN) are left out of it:
// the columns are independent given z, so what is left is the log-probability of the known cells. A category
// is missing in all columns of its group.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/data/files/data_shape.h"

namespace deepgen {

class Likelihood : public torch::nn::Module {
 public:
  // Numbers the network must give for a case.
  virtual std::int64_t width() const = 0;
  virtual std::int64_t columns() const = 0;
  // Looks at a sample of the data once: locations and scales of the columns (buffers).
  virtual void start(const Tensor&) {}
  // Row r of parameters [B * draws, width] is a draw for case r / draws of x [B, D]: [B * draws] float64,
  // nats. Gradients flow to the parameters.
  virtual Tensor log_prob(const Tensor& parameters, const Tensor& x) const = 0;
  virtual Tensor mean(const Tensor& parameters) const = 0;              // [B, D]
  virtual Tensor sample(const Tensor& parameters, Rng& rng) const = 0;  // [B, D]
  // The bias of the output layer at which p(x) has about the marginals of these rows, [width].
  virtual Tensor marginals(const Tensor& x) const = 0;
  // What a network should see in place of x: the same columns on a scale of about one; what is missing stays
  // so.
  virtual Tensor input_of(const Tensor& x) const { return x; }
  virtual bool bounded() const { return true; }  // input_of lies in [0, 1]
  // Throws a data error with row and column (counted from first_row and first_column) of the first value it
  // cannot take.
  virtual void check(const Tensor& x, const std::string& what, std::int64_t first_row,
                     std::int64_t first_column = 0) const = 0;
};

std::shared_ptr<Likelihood> bernoulli_likelihood(std::int64_t columns);
std::shared_ptr<Likelihood> gaussian_likelihood(std::int64_t columns, double smallest_deviation);
// `hint` ends what is said of rows that are not one-hot.
std::shared_ptr<Likelihood> categorical_likelihood(const std::vector<std::int64_t>& group_sizes,
                                                   const std::string& hint = "");
std::shared_ptr<Likelihood> logistic_likelihood(std::int64_t columns);
// Columns of several kinds side by side.
std::shared_ptr<Likelihood> joint_likelihood(std::vector<std::shared_ptr<Likelihood>> parts);

// What the data are like, and what was asked for: auto, bernoulli, gaussian, categorical (one-hot groups of
// `group` columns where the data do not say) or logistic. Data that do not fit are a data error that names
// `who`.
std::shared_ptr<Likelihood> likelihood_for(const std::string& who, const std::string& kind,
                                           const DataShape& data, std::int64_t group,
                                           double smallest_deviation);

// Data whose columns are all in one-hot groups: their own, or groups of `group` columns of binary values that
// have none. Others are a data error that names `who`; a size that does not divide the columns is a usage
// error.
DataShape in_one_hot_groups(const std::string& who, const DataShape& data, std::int64_t group);

}  // namespace deepgen
