// A coupling of two layers of units: the term of an energy that is bilinear in their states.
//
// y [B, N] are the states of the lower side, h [B, M] those of the upper one, each already multiplied by what
// its layer couples with (NaturalParameters::couple in parts/units/unit_layer.h). With weights W of any form
// (a matrix, kernels shared by places, ...) the energy of row b has the term
//
//   -y_b W h_b,
//
// the upper side receives y_b W, the lower side W h_b, and the products of a pair of states are
//
//   D(y_b, h_b) = d(y_b W h_b) / dW,
//
// of whose means under data and model the gradient of a likelihood is the difference. A machine is made of
// layers and couplings; a layer with several couplings receives the sum of what they bring it, and its bias
// is one more term, which may differ from row to row.
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

// Where `Coupling::add_carry` adds to.
struct Carry {
  Tensor lower, upper;  // [N], [M]
  Tensor scratch;       // kept between calls, whatever is in it
};

class Coupling {
 public:
  virtual ~Coupling() = default;
  virtual std::int64_t lower() const = 0;  // N
  virtual std::int64_t upper() const = 0;  // M
  virtual Tensor weights() const = 0;      // the machine's own tensor

  // out [B, M] = y W; with `add` (another coupling of the layer has been there) out += y W. A buffer of
  // another size is made anew, others are written over.
  virtual void input_to_upper(Tensor& out, const Tensor& y, bool add = false) const = 0;
  // out [B, N] = h W^T, likewise.
  virtual void input_to_lower(Tensor& out, const Tensor& h, bool add = false) const = 0;

  // products = keep * products + share * sum_b D(y_b, h_b); products are of the form of the weights.
  virtual void add_products(Tensor& products, const Tensor& y, const Tensor& h, double share,
                            double keep) const = 0;
  // The same of y - mu for fixed states mu [N]. Where y is mostly zeros, y - mu is not: a coupling may do better
  // than this.
  virtual void add_shifted_products(Tensor& products, const Tensor& y, const Tensor& mu, const Tensor& h,
                                    double share, double keep) const {
    add_products(products, y - mu, h, share, keep);
  }
  // What fixed states mu [N], lambda [M] would send to the other side if P = share * sum_b D(y_b, h_b) were
  // the weights:
  //   carry.lower += P lambda,
  //   carry.upper -= mu P.
  virtual void add_carry(const Tensor& y, const Tensor& h, const Tensor& mu, const Tensor& lambda,
                         double share, Carry& carry) const = 0;
  // The smallest change of the weights by which y W h falls by `excess`; y [1, N] and h [1, M] of length 1.
  virtual void lower_gain(const Tensor& y, const Tensor& h, double excess) const = 0;
};

// A buffer of [rows, columns], made anew where it has another size.
inline void fit_buffer(Tensor& buffer, std::int64_t rows, std::int64_t columns,
                       const at::TensorOptions& options) {
  if (!buffer.defined() || buffer.dim() != 2 || buffer.size(0) != rows || buffer.size(1) != columns)
    buffer = at::empty({rows, columns}, options);
}

}  // namespace deepgen
