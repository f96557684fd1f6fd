#include "deepgen/parts/couplings/centring.h"

#include <utility>

namespace deepgen {

void Centring::begin(Tensor mu, Tensor lambda, Tensor row_scale) {
  mu_ = std::move(mu), lambda_ = std::move(lambda), row_scale_ = std::move(row_scale);
  if (!carry_.lower.defined()) carry_.lower = at::empty_like(mu_);
  carry_.lower.zero_();
}

void Centring::add_products(const Coupling& coupling, Tensor& dw, const Tensor& y, const Tensor& h,
                            double share, double keep, Tensor& dc) {
  fit_buffer(y_shifted_, y.size(0), y.size(1), y.options());
  fit_buffer(h_shifted_, h.size(0), h.size(1), h.options());
  at::sub_out(y_shifted_, y, mu_);
  at::sub_out(h_shifted_, h, lambda_);
  if (row_scale_.defined()) {
    y_shifted_.mul_(row_scale_);
    coupling.add_products(dw, y_shifted_, h_shifted_, share, keep);
  } else {
    coupling.add_shifted_products(dw, y, mu_, h_shifted_, share, keep);
  }
  carry_.upper = dc;
  coupling.add_carry(y_shifted_, h_shifted_, mu_, lambda_, share, carry_);
}

void follow_mean(Tensor& offset, const Tensor& minus_mean, double rate) {
  offset.mul_(1 - rate).sub_(minus_mean, rate);
}

}  // namespace deepgen
