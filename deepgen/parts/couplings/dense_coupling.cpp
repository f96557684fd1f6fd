#include "deepgen/parts/couplings/dense_coupling.h"

#include "deepgen/ops/products.h"

namespace deepgen {

void DenseCoupling::input_to_upper(Tensor& out, const Tensor& y, bool add) const {
  if (!add) fit_buffer(out, y.size(0), upper(), y.options());
  multiply(out, y, weights_, 1, add ? 1 : 0);
}

void DenseCoupling::input_to_lower(Tensor& out, const Tensor& h, bool add) const {
  if (!add) fit_buffer(out, h.size(0), lower(), h.options());
  multiply(out, h, weights_.t(), 1, add ? 1 : 0);
}

void DenseCoupling::add_products(Tensor& products, const Tensor& y, const Tensor& h, double share,
                                 double keep) const {
  multiply(products, y.t(), h, share, keep);
}

void DenseCoupling::add_shifted_products(Tensor& products, const Tensor& y, const Tensor& mu, const Tensor& h,
                                         double share, double keep) const {
  multiply_shifted(products, y.t(), mu, h, share, keep);
}

void DenseCoupling::add_carry(const Tensor& y, const Tensor& h, const Tensor& mu, const Tensor& lambda,
                              double share, Carry& carry) const {
  Tensor along = carry.lower.unsqueeze(0), across = carry.upper.unsqueeze(0);
  fit_buffer(carry.scratch, 1, y.size(0), y.options());
  multiply(carry.scratch, lambda.unsqueeze(0), h.t());
  multiply(along, carry.scratch, y, share, 1);
  multiply(carry.scratch, mu.unsqueeze(0), y.t());
  multiply(across, carry.scratch, h, -share, 1);
}

void DenseCoupling::lower_gain(const Tensor& y, const Tensor& h, double excess) const {
  Tensor w = weights_;
  multiply(w, y.t(), h, -excess, 1);
}

Tensor DenseCoupling::input_of(const Tensor& h) const { return row_dots(weights_, h.unsqueeze(0)); }

Tensor DenseCoupling::weighted_products(const Tensor& products) const { return row_dots(weights_, products); }

}  // namespace deepgen
