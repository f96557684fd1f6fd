// The training step of the RBM: statistics of the data, of the model, and the gradient they make.
#include <cmath>

#include "deepgen/models/rbm_step.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/enumeration.h"

namespace deepgen {
namespace {

void ensure_gradient(Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
}

}  // namespace

Metrics Rbm::gradients(const Batch& batch, const Turn& turn, Rng& rng) {
  torch::NoGradGuard no_graph;
  for (Tensor* parameter : {&weights, &visible_bias, &hidden_bias}) ensure_gradient(*parameter);
  if (visible_log_variance.defined()) ensure_gradient(visible_log_variance);
  Workspace& w = *workspace_;
  w.natural = visible_natural();
  w.brake = learning_.centring ? brake() : Tensor();
  if (!w.dy.defined()) w.dy = at::zeros({visible()}), w.dw_lambda = at::zeros({visible()});
  w.dh = hidden_bias.mutable_grad();
  w.samples_wanted = learning_.learning == "cd";
  w.step = turn.step;
  data_phase(fill_gaps(batch.x, rng), rng);
  if (learning_.learning == "exact")
    exact_phase();
  else if (learning_.learning == "pt")
    tempered_phase(turn, rng);
  else
    chain_phase(turn, rng);
  finish_gradients();
  if (learning_.sparsity > 0) add_sparsity();
  return {};
}

Tensor Rbm::fill_gaps(const Tensor& v, Rng& rng) const {
  if (!std::isnan(v.sum().item<float>())) return v;
  const Tensor known = v.isnan().logical_not();
  Rbm& self = const_cast<Rbm&>(*this);  // chains read parameters only
  return self.chain_steps(at::where(known, v, self.chain_start(v.size(0), rng)), learning_.gap_steps, known,
                          rng);
}

// Minus <y h>, <y>, <h> under the data go into the gradient (we descend); offsets follow the means.
void Rbm::data_phase(const Tensor& v, Rng& rng) {
  Workspace& w = *workspace_;
  const double share = 1.0 / static_cast<double>(v.size(0));
  const Tensor& couple = w.natural.couple;
  const Tensor y = couple.defined() ? v * couple : v;
  product(w.h_data, y, weights);
  if (w.samples_wanted && (!w.h_start.defined() || !w.h_start.is_same_size(w.h_data)))
    w.h_start = at::empty_like(w.h_data);
  hidden_units_.activate(w.h_data, hidden_natural(), 1, rng,
                         {.mean = w.h_data, .sample = w.samples_wanted ? w.h_start : Tensor()}, true);
  column_sums(y, -share, false, w.dy);
  column_sums(w.h_data, -share, false, w.dh);
  if (learning_.centring) {  // here dy and dh are minus the data's means
    visible_offset.mul_(1 - learning_.offset_rate);
    visible_offset.sub_(couple.defined() ? w.dy / couple : w.dy, learning_.offset_rate);
    hidden_offset.mul_(1 - learning_.offset_rate).sub_(w.dh, learning_.offset_rate);
    w.dw_lambda.zero_();
  }
  add_products(y, w.h_data, -share, 0);
  if (!visible_log_variance.defined() || options_.variance != "learned") return;
  // dz so far: <(v - b')^2> / sigma^2 - <s (v - mu) W (h - lambda)>, halved; b' = b + sigma W lambda.
  const Tensor shifted = learning_.centring ? y - visible_offset * couple : y;
  Tensor first = at::empty_like(w.dy), second = at::empty_like(w.dy),
         both = row_dots(weights, weights.grad());
  column_sums(shifted, share, false, first);
  column_sums(shifted.square(), share, false, second);
  Tensor rise = visible_bias * couple;  // (b' - mu) / sigma
  if (learning_.centring)
    rise = rise - visible_offset * couple + row_dots(weights, hidden_offset.unsqueeze(0));
  if (w.brake.defined()) both.div_(w.brake);
  w.dz = (second - 2 * rise * first + rise.square() + both) / 2;
}

// How much slower the rows of W, the biases and z of Gaussian units are moved: sigma^2 over the column's own
// variance. The smaller sigma, the larger y, and the smaller the steps that do not overshoot.
Tensor Rbm::brake() const {
  if (!visible_log_variance.defined()) return {};
  const Tensor share = (visible_log_variance.exp() / data_variance).clamp_max(1);
  return at::where(visible_units_.columns_of(UnitKind::gaussian), share, at::ones_like(share));
}

// dW = keep * dW + share * y^T h. Under centring y and h are taken without their offsets, and dW lambda and
// dW^T (s mu), which carry the gradient back to the plain parameters (Melchior et al. 2016, eq. 12-14), are
// formed from the factors: y^T (h lambda) costs one pass over y, not one over dW.
void Rbm::add_products(const Tensor& y, const Tensor& h, double share, double keep) {
  Workspace& w = *workspace_;
  if (!learning_.centring) {
    multiply(weights.mutable_grad(), y.t(), h, share, keep);
    return;
  }
  const Tensor mu = w.natural.couple.defined() ? visible_offset * w.natural.couple : visible_offset;
  w.y_shifted = y - mu;
  if (w.brake.defined()) w.y_shifted.mul_(w.brake);
  w.h_shifted = h - hidden_offset;
  multiply(weights.mutable_grad(), w.y_shifted.t(), w.h_shifted, share, keep);
  product(w.row, hidden_offset.unsqueeze(0), w.h_shifted.t());
  Tensor along = w.dw_lambda.unsqueeze(0), dh = w.dh.unsqueeze(0);
  multiply(along, w.row, w.y_shifted, share, 1);
  product(w.row, mu.unsqueeze(0), w.y_shifted.t());
  multiply(dh, w.row, w.h_shifted, -share, 1);
}

std::int64_t Rbm::gibbs_steps(const Turn& turn) const {
  const GibbsRange range = parse_gibbs_steps(learning_.gibbs_steps);
  const double progress =
      static_cast<double>(turn.step) / static_cast<double>(std::max<std::int64_t>(turn.steps, 1));
  const double steps =
      static_cast<double>(range.first) + progress * static_cast<double>(range.last - range.first + 1);
  return std::clamp(static_cast<std::int64_t>(steps), std::min(range.first, range.last),
                    std::max(range.first, range.last));
}

// Plus <y h>, <y>, <h> at the end of k Gibbs steps.
void Rbm::chain_phase(const Turn& turn, Rng& rng) {
  Workspace& w = *workspace_;
  const bool persistent = learning_.learning == "pcd";
  Tensor& start = persistent ? chains : w.h_start;
  const std::int64_t steps = gibbs_steps(turn);
  for (std::int64_t k = 0; k < steps; ++k) {
    product(w.v, k == 0 ? start : w.h, weights.t());
    visible_units_.activate(w.v, w.natural, 1, rng, {.sample = w.v}, true);
    if (w.natural.couple.defined()) w.v.mul_(w.natural.couple);
    product(w.h, w.v, weights);
    if (k + 1 < steps) hidden_units_.activate(w.h, hidden_natural(), 1, rng, {.sample = w.h}, true);
  }
  hidden_units_.activate(w.h, hidden_natural(), 1, rng,
                         {.mean = w.h, .sample = persistent ? chains : Tensor()}, true);
  add_model_statistics(w.v, w.h);
}

// y [B, V] coupled states, h [B, H] means given them.
void Rbm::add_model_statistics(const Tensor& y, const Tensor& h) {
  Workspace& w = *workspace_;
  const double share = 1.0 / static_cast<double>(y.size(0));
  add_products(y, h, share, 1);
  column_sums(y, share, true, w.dy);
  column_sums(h, share, true, w.dh);
  if (!w.dz.defined()) return;
  w.h_model = at::empty_like(w.dh);
  column_sums(h, share, false, w.h_model);
}

// Plus the exact means under the model: every state of a binary layer, the other layer summed out.
void Rbm::exact_phase() {
  Workspace& w = *workspace_;
  const double log_z = *exact_log_partition();
  const bool by_hidden = enumerates_hidden();
  const Tensor wide = (by_hidden ? weights.t() : weights).to(at::kDouble);  // [small, large]
  const NaturalParameters& p = w.natural;
  const Tensor couple = p.couple.defined() ? p.couple.to(at::kDouble) : at::ones({visible()}, at::kDouble);
  const Tensor small_bias = (by_hidden ? hidden_bias : p.theta).to(at::kDouble);
  const Tensor large_bias = (by_hidden ? p.theta : hidden_bias).to(at::kDouble);
  Tensor both = at::zeros_like(wide), small_mean = at::zeros_like(small_bias),
         large_mean = at::zeros_like(large_bias);
  const UnitLayer& large = by_hidden ? visible_units_ : hidden_units_;
  const Tensor gamma = by_hidden ? p.gamma : Tensor();
  for_each_block_of_states(wide.size(0), wide.size(1), [&](std::int64_t, const Tensor& states) {
    Tensor input = states.mm(wide);
    if (by_hidden) input = input * couple;
    const Tensor a = input + large_bias;
    const Tensor prob = (states.mv(small_bias) + large.log_partition(a, gamma) - log_z).exp();
    const Tensor weighted = states * prob.unsqueeze(1);
    Tensor mean = large.mean(a, gamma);
    if (by_hidden) mean = mean * couple;
    both.addmm_(weighted.t(), mean);
    small_mean.add_(weighted.sum(0));
    large_mean.add_(mean.t().mv(prob));
  });
  Tensor y_mean = by_hidden ? large_mean : small_mean;
  Tensor h_mean = by_hidden ? small_mean : large_mean;
  Tensor yh = by_hidden ? both.t() : both;
  if (w.dz.defined()) w.h_model = h_mean.to(at::kFloat);
  w.dy.add_(y_mean.to(at::kFloat));
  if (learning_.centring) {  // <(y - mu)(h - lambda)> = <y h> - mu <h> - (<y> - mu) lambda
    const Tensor mu = visible_offset.to(at::kDouble) * couple, lambda = hidden_offset.to(at::kDouble);
    yh = yh - at::outer(mu, h_mean) - at::outer(y_mean - mu, lambda);
    if (w.brake.defined()) yh = yh * w.brake.to(at::kDouble).unsqueeze(1);
    w.dw_lambda.add_(yh.mv(lambda).to(at::kFloat));
    h_mean = h_mean - yh.t().mv(mu);
  }
  weights.mutable_grad().add_(yh.to(at::kFloat));
  w.dh.add_(h_mean.to(at::kFloat));
}

// From the statistics to the gradients of b, z and c (header: centring).
void Rbm::finish_gradients() {
  Workspace& w = *workspace_;
  const bool centred = learning_.centring;
  Tensor db = w.dy;
  const Tensor& couple = w.natural.couple;
  if (!couple.defined()) {
    visible_bias.mutable_grad().copy_(centred ? db - w.dw_lambda : db);
    return;
  }
  const Tensor gaussian = visible_units_.columns_of(UnitKind::gaussian), inverse = at::reciprocal(couple);
  // plain: dE/db of y / s for counts, y / sigma for Gaussian units; centred: in units of the variance.
  if (w.brake.defined()) db = db * w.brake;
  db = db * (centred ? at::where(gaussian, inverse, couple) : at::where(gaussian, couple, inverse));
  const Tensor carry = at::where(gaussian, inverse, couple);  // f
  if (centred) db.sub_(carry * w.dw_lambda);
  if (w.dz.defined()) {
    Tensor h = w.h_model;
    if (centred) h = h - hidden_offset;
    const Tensor q = row_dots(weights, h.unsqueeze(0));  // W (<h> - lambda)
    Tensor rise = visible_bias * couple;
    Tensor along;
    if (centred) {
      along = row_dots(weights, hidden_offset.unsqueeze(0));
      rise = rise - visible_offset * couple + along;
    }
    Tensor dz = (0.5 * (1 - rise * q) - w.dz) * gaussian.to(at::kFloat);
    if (w.brake.defined()) dz = dz * w.brake;
    visible_log_variance.mutable_grad().copy_(dz);
    if (centred) {
      db.sub_(carry * along * dz / 2);
      const Tensor turn = (visible_offset * couple * dz / 2).unsqueeze(0);
      Tensor dh = w.dh.unsqueeze(0);
      multiply(dh, turn, weights, 1, 1);
    }
    w.dz = Tensor();
  }
  visible_bias.mutable_grad().copy_(db);
}

// Hinton 2010, section 11: the cross entropy between wanted and mean activity pulls at c and W. Under
// centring the inputs of a unit have mean zero and the pull at W vanishes.
void Rbm::add_sparsity() {
  Workspace& w = *workspace_;
  Tensor activity = at::empty_like(hidden_bias);
  column_sums(w.h_data, 1.0 / static_cast<double>(w.h_data.size(0)), false,
              activity);  // not mean(): fixed order of sums
  const Tensor pull = (activity - learning_.sparsity) * learning_.sparsity_cost;
  if (!learning_.centring)
    multiply(weights.mutable_grad(), coupled(data_mean).unsqueeze(1), pull.unsqueeze(0), 1, 1);
  w.dh.add_(pull);
}

}  // namespace deepgen
