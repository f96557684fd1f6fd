#include "deepgen/models/boltzmann/rbm_training.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

Tensor gradient_of(Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  return parameter.mutable_grad();
}

// sum_j cov(before_j, after_j) / sum_j var(before_j) over the rows of two [B, H]; nothing where the rows are alike.
// One pass in a fixed order.
std::optional<double> surviving_share(const Tensor& before, const Tensor& after) {
  const std::int64_t rows = before.size(0), units = before.size(1);
  const Tensor start = before.contiguous(), end = after.contiguous();
  const float *a = start.data_ptr<float>(), *b = end.data_ptr<float>();
  std::vector<double> a_sums(static_cast<std::size_t>(units)), b_sums(static_cast<std::size_t>(units));
  double products = 0, squares = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < a_sums.size(); ++j) {
      const double x = *a++, y = *b++;
      a_sums[j] += x, b_sums[j] += y, products += x * y, squares += x * x;
    }
  const double share = 1 / static_cast<double>(rows);
  double covariance = products, variance = squares;
  for (std::size_t j = 0; j < a_sums.size(); ++j)
    covariance -= share * a_sums[j] * b_sums[j], variance -= share * a_sums[j] * a_sums[j];
  if (!(variance > 1e-9 * squares) || !std::isfinite(covariance)) return std::nullopt;
  return covariance / variance;
}

}  // namespace

RbmStep::RbmStep(Rbm& rbm, const Turn& turn, Rng& rng)
    : rbm_(rbm),
      w_(*rbm.workspace_),
      turn_(turn),
      rng_(rng),
      natural_(rbm.visible_natural()),
      dw_(gradient_of(rbm.weights)),
      dh_(gradient_of(rbm.hidden_bias)) {
  gradient_of(rbm.visible_bias);
  if (rbm.visible_log_variance.defined()) gradient_of(rbm.visible_log_variance);
  if (centred()) brake_ = brake();
  if (!w_.dy.defined()) w_.dy = at::zeros({rbm.visible()});
}

Metrics RbmStep::run(const Tensor& v) {
  const std::string& how = rbm_.learning_.learning;
  Metrics metrics;
  if (how == "ratio_matching" || how == "score_matching") {
    metrics.emplace_back("matching_loss", matching_phase(v));
  } else {
    data_phase(v);
    if (how == "exact")
      exact_phase();
    else if (how == "pt")
      tempered_phase();
    else if (how == "trajectory")
      trajectory_phase();
    else
      chain_phase();
    finish_visible_bias();
    if (how == "fpcd") learn_fast_weights();
  }
  if (rbm_.learning_.sparsity > 0) add_sparsity();
  return metrics;
}

// ---------------------------------------------------------------- statistics

// Minus <y>, <h> under the data go into the gradient (we descend); offsets follow the means.
Tensor RbmStep::data_means(const Tensor& v) {
  const double share = 1.0 / static_cast<double>(v.size(0));
  const bool sample = rbm_.learning_.learning == "cd";
  const Tensor y = natural_.couple.defined() ? v * natural_.couple : v;
  rbm_.coupling().input_to_upper(w_.h_data, y);
  if (sample) fit_buffer(w_.h_start, w_.h_data.size(0), w_.h_data.size(1), w_.h_data.options());
  rbm_.hidden_units_.activate(w_.h_data, rbm_.hidden_natural(), 1, rng_,
                              {.mean = w_.h_data, .sample = sample ? w_.h_start : Tensor()}, true);
  column_sums(y, -share, false, w_.dy);
  column_sums(w_.h_data, -share, false, dh_);
  if (centred()) follow_data();
  return y;
}

// And minus <y h>.
void RbmStep::data_phase(const Tensor& v) {
  const Tensor y = data_means(v);
  add_products(y, w_.h_data, -1.0 / static_cast<double>(v.size(0)), 0);
  if (rbm_.visible_log_variance.defined() && rbm_.options_.variance == "learned") begin_variances(y);
}

// Here dy and dh are minus the data's means.
void RbmStep::follow_data() {
  const Tensor& couple = natural_.couple;
  const double rate = rbm_.learning_.offset_rate;
  follow_mean(rbm_.visible_offset, couple.defined() ? w_.dy / couple : w_.dy, rate);
  follow_mean(rbm_.hidden_offset, dh_, rate);
  w_.centring.begin(coupled_offset(), rbm_.hidden_offset, brake_);
}

// dW = keep * dW + share * y^T h.
void RbmStep::add_products(const Tensor& y, const Tensor& h, double share, double keep) {
  if (centred())
    w_.centring.add_products(rbm_.coupling(), dw_, y, h, share, keep, dh_);
  else
    rbm_.coupling().add_products(dw_, y, h, share, keep);
}

std::int64_t RbmStep::gibbs_steps() const {
  const GibbsRange range = parse_gibbs_steps(rbm_.learning_.gibbs_steps);
  if (range.automatic)
    return std::clamp(static_cast<std::int64_t>(rbm_.chain_memory.data_ptr<float>()[0]), range.first,
                      range.last);
  const double progress =
      static_cast<double>(turn_.step) / static_cast<double>(std::max<std::int64_t>(turn_.steps, 1));
  const double steps =
      static_cast<double>(range.first) + progress * static_cast<double>(range.last - range.first + 1);
  return std::clamp(static_cast<std::int64_t>(steps), std::min(range.first, range.last),
                    std::max(range.first, range.last));
}

// Plus <y h>, <y>, <h> at the end of k Gibbs steps.
void RbmStep::chain_phase() {
  const UnitLayer &visible = rbm_.visible_units_, &hidden = rbm_.hidden_units_;
  const LevelMachine machine = chain_machine();
  const DenseCoupling& coupling = machine.coupling;
  const bool persistent = rbm_.learning_.learning != "cd";
  const Tensor& start = persistent ? rbm_.chains : w_.h_start;
  const std::int64_t steps = gibbs_steps();
  Tensor before;  // of chains that will be written over
  if (rbm_.chain_memory.defined()) before = persistent ? start.clone() : start;
  for (std::int64_t k = 0; k < steps; ++k) {
    coupling.input_to_lower(w_.v, k == 0 ? start : w_.h);
    visible.activate(w_.v, machine.visible, 1, rng_, {.sample = w_.v}, true);
    if (natural_.couple.defined()) w_.v.mul_(natural_.couple);
    coupling.input_to_upper(w_.h, w_.v);
    if (k + 1 < steps) hidden.activate(w_.h, machine.hidden, 1, rng_, {.sample = w_.h}, true);
  }
  hidden.activate(w_.h, machine.hidden, 1, rng_,
                  {.mean = w_.h, .sample = persistent ? rbm_.chains : Tensor()}, true);
  if (before.defined()) follow_memory(before, w_.h);
  add_model_statistics(w_.v, w_.h);
}

// What survives of the states before the steps in the means after them, and more steps where it is too much (rbm.h).
void RbmStep::follow_memory(const Tensor& before, const Tensor& after) {
  constexpr double rate = 0.05, growth = 1.5;
  const std::optional<double> survives = surviving_share(before, after);
  if (!survives) return;
  float* state = rbm_.chain_memory.data_ptr<float>();
  const auto most = static_cast<double>(parse_gibbs_steps(rbm_.learning_.gibbs_steps).last);
  const auto steps = static_cast<double>(gibbs_steps());
  double memory = static_cast<double>(state[1]), next = steps;
  memory += rate * (*survives - memory);
  if (memory > rbm_.learning_.gibbs_memory && steps < most) {
    next = std::min(most, std::max(steps + 1, std::floor(growth * steps)));
    memory = std::pow(std::min(memory, 1.0), next / steps);
  }
  state[0] = static_cast<float>(next), state[1] = static_cast<float>(memory);
}

// y [B, V] coupled states, h [B, H] means given them.
void RbmStep::add_model_statistics(const Tensor& y, const Tensor& h) {
  const double share = 1.0 / static_cast<double>(y.size(0));
  add_products(y, h, share, 1);
  column_sums(y, share, true, w_.dy);
  column_sums(h, share, true, dh_);
  if (!dz_data_.defined()) return;
  h_model_ = at::empty_like(dh_);
  column_sums(h, share, false, h_model_);
}

// ---------------------------------------------------------------- visible parameters

// How much slower the rows of W, the biases and z of Gaussian units are moved: sigma^2 over the column's own
// variance. The smaller sigma, the larger y, and the smaller the steps that do not overshoot.
Tensor RbmStep::brake() const {
  if (!rbm_.visible_log_variance.defined()) return {};
  const Tensor share = (rbm_.visible_log_variance.exp() / rbm_.data_variance).clamp_max(1);
  return at::where(rbm_.visible_units_.columns_of(UnitKind::gaussian), share, at::ones_like(share));
}

Tensor RbmStep::coupled_offset() const {
  return natural_.couple.defined() ? rbm_.visible_offset * natural_.couple : rbm_.visible_offset;
}

// The data's part of dz with b' = b + sigma W lambda, halved:
//
//   <(v - b')^2 / sigma^2 - s (v - mu) W (h - lambda)>
void RbmStep::begin_variances(const Tensor& y) {
  const double share = 1.0 / static_cast<double>(y.size(0));
  const Tensor shifted = centred() ? y - coupled_offset() : y;
  Tensor first = at::empty_like(w_.dy), second = at::empty_like(w_.dy);
  Tensor both = rbm_.coupling().weighted_products(dw_);  // of minus the products
  column_sums(shifted, share, false, first);
  column_sums(shifted.square(), share, false, second);
  rise_ = rbm_.visible_bias * natural_.couple;
  if (centred()) {
    w_lambda_ = rbm_.coupling().input_of(rbm_.hidden_offset);
    rise_ = rise_ - coupled_offset() + w_lambda_;
  }
  if (brake_.defined()) both.div_(brake_);
  dz_data_ = (second - 2 * rise_ * first + rise_.square() + both) / 2;
}

// The model's part given h, (1 - (b' - mu) / sigma W (<h> - lambda)) / 2, and both into the gradient of z.
Tensor RbmStep::finish_variances() {
  const Tensor h = centred() ? h_model_ - rbm_.hidden_offset : h_model_;
  const Tensor q = rbm_.coupling().input_of(h);
  const Tensor gaussian = rbm_.visible_units_.columns_of(UnitKind::gaussian).to(at::kFloat);
  Tensor dz = (0.5 * (1 - rise_ * q) - dz_data_) * gaussian;
  if (brake_.defined()) dz = dz * brake_;
  rbm_.visible_log_variance.mutable_grad().copy_(dz);
  return dz;
}

// From the statistics to the gradients of b, z and c (rbm.h: centring).
void RbmStep::finish_visible_bias() {
  Tensor db = w_.dy;
  const Tensor& couple = natural_.couple;
  if (!couple.defined()) {
    rbm_.visible_bias.mutable_grad().copy_(centred() ? db - w_.centring.dw_lambda() : db);
    return;
  }
  const Tensor gaussian = rbm_.visible_units_.columns_of(UnitKind::gaussian),
               inverse = at::reciprocal(couple);
  // plain: dE/db of y / s for counts, y / sigma for Gaussian units; centred: in units of the variance.
  if (brake_.defined()) db = db * brake_;
  db = db * (centred() ? at::where(gaussian, inverse, couple) : at::where(gaussian, couple, inverse));
  const Tensor carry = at::where(gaussian, inverse, couple);  // f
  if (centred()) db.sub_(carry * w_.centring.dw_lambda());
  if (dz_data_.defined()) {
    const Tensor dz = finish_variances();
    if (centred()) {
      db.sub_(carry * w_lambda_ * dz / 2);
      Tensor dh = dh_.unsqueeze(0);
      rbm_.coupling().input_to_upper(dh, (coupled_offset() * dz / 2).unsqueeze(0), true);
    }
  }
  rbm_.visible_bias.mutable_grad().copy_(db);
}

// Hinton 2010, section 11: the cross entropy between wanted and mean activity pulls at c and W. Under
// centring the inputs of a unit have mean zero and the pull at W vanishes.
void RbmStep::add_sparsity() {
  const Tensor& h = w_.h_data;
  Tensor activity = at::empty_like(rbm_.hidden_bias);
  column_sums(h, 1.0 / static_cast<double>(h.size(0)), false, activity);  // not mean(): fixed order of sums
  const Tensor pull = (activity - rbm_.learning_.sparsity) * rbm_.learning_.sparsity_cost;
  if (!centred())
    rbm_.coupling().add_products(dw_, rbm_.coupled(rbm_.data_mean).unsqueeze(0), pull.unsqueeze(0), 1, 1);
  dh_.add_(pull);
}

}  // namespace deepgen
