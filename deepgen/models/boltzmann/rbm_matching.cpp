// Learning of the restricted Boltzmann machine without log Z and without chains: training.learning=ratio_matching
// and score_matching. Both objectives are minimal at the distribution of the data where the machine holds it.
//
// Ratio matching, binary visible units. x_i is x with cell i turned over, s_i = 1 - 2 x_i:
//
//   J = < sum_i g_i^2 >,   g_i = p(x_i cell turned over | the other cells) = sigmoid(F(x) - F(x_i))
//   F(x) - F(x_i) = s_i b_i + A(a + s_i W_i) - A(a)
//
// with the hidden units' log partition A, its gradient m, and a = x W + c. With q_i = 2 g_i^2 (1 - g_i) and
// D = sum_i q_i (m(a + s_i W_i) - m(a))
//
//   dJ / db_i = < q_i s_i >
//   dJ / dc = < D >
//   dJ / dW_i = < x_i D + q_i s_i m(a + s_i W_i) >.
//
// Score matching, Gaussian visible and binary hidden units, each column in units of its own deviation d_i so
// that no column counts for more because of its unit. With y = v / sigma, k_i = d_i^2 / sigma_i^2 and
// m = sigmoid(y W + c), m' = m (1 - m), m'' = m' (1 - 2 m), sigma_i times the score of column i is
//
//   r_i = rho_i + (W m)_i,   rho_i = (b_i - v_i) / sigma_i
//
// and
//
//   J = < sum_i k_i (r_i^2 / 2 - 1 + T_i) >,   T_i = sum_j W_ij^2 m'_j
//   e_j = dJ / da_j = m'_j sum_i k_i r_i W_ij + m''_j sum_i k_i W_ij^2
//   dJ / dW_ij = < k_i r_i m_j + 2 k_i W_ij m'_j + y_i e_j >
//   dJ / dc_j = < e_j >
//   dJ / db_i = < k_i r_i > / sigma_i
//   dJ / dz_i = -< k_i (r_i^2 / 2 - 1 + T_i) + k_i r_i rho_i / 2 + y_i (W e)_i / 2 >.
//
// Sources: Hyvarinen 2007, "Some extensions of score matching", section 3; Hyvarinen 2005, "Estimation of
// non-normalized statistical models by score matching", eq. 4.
#include "deepgen/models/boltzmann/rbm_training.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen {

double RbmStep::matching_phase(const Tensor& v) {
  const Tensor y = data_means(v);
  Tensor db = at::empty({rbm_.visible()}), dz;
  const bool ratios = rbm_.learning_.learning == "ratio_matching";
  if (!ratios && rbm_.options_.variance == "learned") dz = at::empty_like(db);
  const double objective = ratios ? ratio_matching(v, db) : score_matching(y, db, dz);
  if (centred()) centre_gradient(db, dz);
  rbm_.visible_bias.mutable_grad().copy_(db);
  if (dz.defined()) rbm_.visible_log_variance.mutable_grad().copy_(dz);
  return objective;
}

// Writes dw_, dh_ and db.
double RbmStep::ratio_matching(const Tensor& v, Tensor& db) {
  const double share = 1.0 / static_cast<double>(v.size(0));
  const UnitLayer& hidden = rbm_.hidden_units_;
  Tensor a;
  rbm_.coupling().input_to_upper(a, v);
  a.add_(rbm_.hidden_bias);
  const Tensor now = hidden.log_partition(a, {});
  Tensor moved = at::zeros_like(a), turned = at::empty(v.sizes());  // D and q_i s_i
  Tensor all = at::zeros({v.size(0), 1}), squares = at::zeros({v.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < v.size(1); ++i) {
    const Tensor sign = 1 - 2 * v.select(1, i);
    const Tensor there = at::addr(a, sign, rbm_.weights[i]);
    const Tensor gain = hidden.log_partition(there, {}) - now + (sign * rbm_.visible_bias[i]).to(at::kDouble);
    const Tensor g = gain.sigmoid();
    const Tensor q = (2 * g.square() * (1 - g)).to(at::kFloat), mean = hidden.mean(there, {});
    squares.add_(g.square());
    all.add_(q.unsqueeze(1));
    moved.addcmul_(mean, q.unsqueeze(1));
    const Tensor turn = (q * sign).contiguous();
    turned.select(1, i).copy_(turn);
    Tensor row = dw_.narrow(0, i, 1);
    multiply(row, turn.unsqueeze(0), mean, share);
  }
  moved.addcmul_(w_.h_data, all, -1);
  rbm_.coupling().add_products(dw_, v, moved, share, 1);
  column_sums(moved, share, false, dh_);
  column_sums(turned, share, false, db);
  return squares.sum().item<double>() * share;
}

// Writes dw_, dh_, db and, where it is defined, dz.
double RbmStep::score_matching(const Tensor& y, Tensor& db, Tensor& dz) {
  const double share = 1.0 / static_cast<double>(y.size(0));
  const DenseCoupling coupling = rbm_.coupling(), squared(rbm_.weights.square());
  const Tensor &couple = natural_.couple, &m = w_.h_data;
  const Tensor k = rbm_.data_variance * natural_.gamma, m1 = m * (1 - m), m2 = m1 * (1 - 2 * m);
  const Tensor rho = rbm_.visible_bias * couple - y;
  Tensor r, spread, e, all_spread;  // spread: T
  coupling.input_to_lower(r, m);
  r.add_(rho);
  squared.input_to_lower(spread, m1);
  const Tensor kr = r * k;
  coupling.input_to_upper(e, kr);
  squared.input_to_upper(all_spread, k.unsqueeze(0));
  e.mul_(m1).addcmul_(m2, all_spread);
  Tensor m1_mean = at::empty_like(dh_), terms = at::empty_like(db);
  column_sums(m1, share, false, m1_mean);
  coupling.add_products(dw_, kr, m, share, 0);
  coupling.add_products(dw_, y, e, share, 1);
  dw_.addcmul_(rbm_.weights, at::outer(k, m1_mean), 2);
  column_sums(e, share, false, dh_);
  column_sums(kr * couple, share, false, db);
  const Tensor each = k * (r.square() / 2 - 1 + spread);
  column_sums(each, share, false, terms);
  if (dz.defined()) {
    Tensor back;
    coupling.input_to_lower(back, e);
    column_sums(each + (kr * rho + y * back) / 2, -share, false, dz);
  }
  return terms.sum(at::kDouble).item<double>();
}

// The plain gradient becomes the steps of the plain parameters that are steps of the centred ones (rbm.h): first
// what b', c' and W hold of it, then slowed as the likelihood's, then carried back.
void RbmStep::centre_gradient(Tensor& db, Tensor& dz) {
  const DenseCoupling coupling = rbm_.coupling();
  const Tensor mu = coupled_offset(), lambda = rbm_.hidden_offset;
  const Tensor f = natural_.couple.defined() ? at::reciprocal(natural_.couple) : at::ones_like(db);
  const Tensor along = db * f, w_lambda = coupling.input_of(lambda);
  if (dz.defined()) dz = dz + (mu * coupling.input_of(dh_) - along * w_lambda) / 2;
  coupling.add_products(dw_, along.unsqueeze(0), lambda.unsqueeze(0), -1, 1);
  coupling.add_products(dw_, mu.unsqueeze(0), dh_.unsqueeze(0), -1, 1);
  if (brake_.defined()) {
    dw_.mul_(brake_.unsqueeze(1));
    db = db * f.square() * brake_;
    if (dz.defined()) dz = dz * brake_;
  }
  Tensor dh = dh_.unsqueeze(0);
  multiply(dh, mu.unsqueeze(0), dw_, -1, 1);
  db = db - f * row_dots(dw_, lambda.unsqueeze(0));
  if (!dz.defined()) return;
  db.sub_(f * w_lambda * dz / 2);
  coupling.input_to_upper(dh, (mu * dz / 2).unsqueeze(0), true);
}

}  // namespace deepgen
