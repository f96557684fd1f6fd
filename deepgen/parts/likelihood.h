// Distributions of a case given the output of a network: what a decoder ends in.
//
//   bernoulli   p(x | a) = prod_i sigmoid(a_i)^x_i (1 - sigmoid(a_i))^(1 - x_i),   a: logits
//
// log p(x | z) is asked for many z of one x; x is not copied for them.
#pragma once

#include <memory>
#include <string>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

class Likelihood {
 public:
  virtual ~Likelihood() = default;
  // Numbers the network must give for a case.
  virtual std::int64_t width() const = 0;
  // Row r of parameters [B * draws, width] is a draw for case r / draws of x [B, D]: [B * draws] float64,
  // nats. Gradients flow to the parameters.
  virtual Tensor log_prob(const Tensor& parameters, const Tensor& x) const = 0;
  virtual Tensor mean(const Tensor& parameters) const = 0;              // [B, D]
  virtual Tensor sample(const Tensor& parameters, Rng& rng) const = 0;  // [B, D]
  // The bias of the output layer at which p(x) has the marginals of these rows, [width].
  virtual Tensor marginals(const Tensor& x) const = 0;
  // Throws a data error with row (counted from first_row) and column of the first value it cannot take.
  virtual void check(const Tensor& x, const std::string& what, std::int64_t first_row) const = 0;
};

std::shared_ptr<Likelihood> bernoulli_likelihood(std::int64_t columns);

}  // namespace deepgen
