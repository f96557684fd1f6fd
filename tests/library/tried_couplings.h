// Small couplings on which the laws of all couplings run: a matrix, and weights that are shared by places.
#pragma once

#include "deepgen/parts/couplings/dense_coupling.h"
#include "tests/library/machines.h"

namespace deepgen::tried_couplings {

using namespace machines;

inline constexpr std::int64_t places = 4;

// A convolution over a ring: W_ij = k_((j - i) mod n), weights k [n]. The least coupling that is no matrix.
class RingCoupling : public Coupling {
 public:
  explicit RingCoupling(Tensor kernel) : kernel_(std::move(kernel)) {
    const Tensor at_place = at::arange(lower(), at::kLong);
    index_ = (at_place.unsqueeze(0) - at_place.unsqueeze(1)).remainder(lower()).flatten();
  }
  std::int64_t lower() const override { return kernel_.size(0); }
  std::int64_t upper() const override { return kernel_.size(0); }
  Tensor weights() const override { return kernel_; }
  Tensor matrix(const Tensor& kernel) const {
    return kernel.index_select(0, index_).view({lower(), lower()});
  }

  void input_to_upper(Tensor& out, const Tensor& y, bool add) const override {
    put(out, y.mm(matrix(kernel_)), add);
  }
  void input_to_lower(Tensor& out, const Tensor& h, bool add) const override {
    put(out, h.mm(matrix(kernel_).t()), add);
  }
  void add_products(Tensor& products, const Tensor& y, const Tensor& h, double share,
                    double keep) const override {
    products.mul_(keep).index_add_(0, index_, (y.t().mm(h) * share).flatten());
  }
  void add_carry(const Tensor& y, const Tensor& h, const Tensor& mu, const Tensor& lambda, double share,
                 Carry& carry) const override {
    const Tensor p = matrix(products_of(y, h, share));
    carry.lower.add_(p.mv(lambda));
    carry.upper.sub_(p.t().mv(mu));
  }
  void lower_gain(const Tensor& y, const Tensor& h, double excess) const override {
    const Tensor direction = products_of(y, h, 1);
    Tensor kernel = kernel_;
    kernel.sub_(direction, excess / direction.square().sum().item<double>());
  }

 private:
  Tensor products_of(const Tensor& y, const Tensor& h, double share) const {
    Tensor products = at::zeros_like(kernel_);
    add_products(products, y, h, share, 0);
    return products;
  }
  static void put(Tensor& out, const Tensor& input, bool add) {
    if (!add) fit_buffer(out, input.size(0), input.size(1), input.options());
    add ? out.add_(input) : out.copy_(input);
  }

  Tensor kernel_, index_;
};

// A coupling of four lower units, and W as a differentiable function of its weights.
struct Tried {
  std::string name;
  std::shared_ptr<Coupling> coupling;
  std::function<Tensor(const Tensor& weights)> matrix;

  Tensor w() const { return matrix(coupling->weights().to(at::kDouble)); }
};

inline std::vector<Tried> all_couplings(double scale = 0.8) {
  Rng rng(201);
  auto dense = std::make_shared<DenseCoupling>(normal_tensor({places, 3}, scale, rng));
  auto ring = std::make_shared<RingCoupling>(normal_tensor({places}, scale, rng));
  return {{"dense", dense, [](const Tensor& weights) { return weights; }},
          {"ring", ring, [ring](const Tensor& weights) { return ring->matrix(weights); }}};
}

}  // namespace deepgen::tried_couplings
