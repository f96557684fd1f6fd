// Centring of a coupling: its gradient is taken with the states' offsets mu [N] (of y) and lambda [M] (of h)
// subtracted, which makes steps independent of how often units are on. The energy
//
//   E = E_v(v; b') - c'.(h - lambda) - (y - mu) W (h - lambda)
//
// is that of the plain parameters
//
//   b = b' - W lambda,   c = c' - W^T mu   (b of units that couple with y as they are),
//
// up to a constant, so that steps db', dc', dW of the centred ones are
//
//   db = db' - dW lambda,   dc = dc' - dW^T mu
//
// of the plain ones (Melchior, Fischer, Wiskott 2016, eq. 12-14). For plain gradient descent this is exact.
// With momentum or weight decay it holds for each gradient but not for the decay or for gradients remembered
// under older offsets. Adam's scaling undoes it.
#pragma once

#include "deepgen/parts/couplings/coupling.h"

namespace deepgen {

class Centring {
 public:
  // Begins a gradient. `row_scale` [N] multiplies the gradient of all weights of a unit of the lower side;
  // where undefined, 1.
  void begin(Tensor mu, Tensor lambda, Tensor row_scale = {});

  // dW = keep * dW + share * sum_b D(y_b - mu, h_b - lambda), and the same share of -dW^T mu into dc [M]; -dW
  // lambda is left to the caller, whose biases may be in units of their own.
  void add_products(const Coupling& coupling, Tensor& dw, const Tensor& y, const Tensor& h, double share,
                    double keep, Tensor& dc);

  const Tensor& mu() const { return mu_; }
  const Tensor& lambda() const { return lambda_; }
  Tensor& dw_lambda() { return carry_.lower; }  // dW lambda [N] of the products added so far

 private:
  Tensor mu_, lambda_, row_scale_;
  Tensor y_shifted_, h_shifted_;  // states minus their offsets
  Carry carry_;
};

// offset = (1 - rate) * offset + rate * mean, where the mean is at hand with the opposite sign, as the data's
// part of a gradient has it.
void follow_mean(Tensor& offset, const Tensor& minus_mean, double rate);

}  // namespace deepgen
