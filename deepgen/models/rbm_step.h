// What the parts of the RBM's training step share; of use to rbm*.cpp only.
#pragma once

#include "deepgen/models/rbm.h"
#include "deepgen/ops/products.h"

namespace deepgen {

// The matrix product into a buffer that is resized only when the batch changes.
inline void product(Tensor& out, const Tensor& a, const Tensor& b) {
  if (out.dim() != 2 || out.size(0) != a.size(0) || out.size(1) != b.size(1))
    out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply(out, a, b);
}

struct Rbm::Workspace {
  NaturalParameters natural;      // of the visible layer, during one step
  Tensor h_data, h_start, h, v;   // [B, H] mean under the data, [B, H] sample of it, chain states
  Tensor dy, dh, h_model;         // <y>, <h> (gradient of c before centring), <h> under the model
  Tensor dw_lambda;               // dW lambda [V] (centring)
  Tensor dz;                      // [V] gradient of z, before its sign
  Tensor y_shifted, h_shifted;    // units minus their offsets (centring)
  Tensor brake;                   // [V] (Gaussian units, centring)
  Tensor row, direction, answer;  // [1, B]; [12, V] and [12, H] of power iteration
  double rough_log_prob = 0;      // of the same rows
  double base_log_prob = 0;       // of the rows that the last diagnosis took the pseudo-likelihood of
  bool samples_wanted = false;
  std::int64_t step = 0;
};

}  // namespace deepgen
