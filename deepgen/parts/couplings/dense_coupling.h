// The coupling of every unit of one layer with every unit of another by a matrix W [N, M]:
//
//   D(y, h) = y^T h.
#pragma once

#include <utility>

#include "deepgen/parts/couplings/coupling.h"

namespace deepgen {

class DenseCoupling : public Coupling {
 public:
  explicit DenseCoupling(Tensor weights) : weights_(std::move(weights)) {}  // a parameter of the machine

  std::int64_t lower() const override { return weights_.size(0); }
  std::int64_t upper() const override { return weights_.size(1); }
  Tensor weights() const override { return weights_; }
  void input_to_upper(Tensor& out, const Tensor& y, bool add = false) const override;
  void input_to_lower(Tensor& out, const Tensor& h, bool add = false) const override;
  void add_products(Tensor& products, const Tensor& y, const Tensor& h, double share,
                    double keep) const override;
  void add_shifted_products(Tensor& products, const Tensor& y, const Tensor& mu, const Tensor& h,
                            double share, double keep) const override;
  // Formed from the factors: y^T (h lambda) costs one pass over y, not one over a matrix.
  void add_carry(const Tensor& y, const Tensor& h, const Tensor& mu, const Tensor& lambda, double share,
                 Carry& carry) const override;
  void lower_gain(const Tensor& y, const Tensor& h, double excess) const override;

  // What one state h [M] sends to the lower side, W h [N].
  Tensor input_of(const Tensor& h) const;
  // sum_j P_ij W_ij of products P [N, M], unit by unit of the lower side, [N]: with P = <y^T h> the mean of
  // y_i (W h)_i.
  Tensor weighted_products(const Tensor& products) const;

 private:
  Tensor weights_;
};

}  // namespace deepgen
