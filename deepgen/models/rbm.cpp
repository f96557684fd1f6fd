#include "deepgen/models/rbm.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/enumeration.h"

namespace deepgen {
namespace {

void ensure_gradient(Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
}

// The matrix product into a buffer that is resized only when the batch changes.
void product(Tensor& out, const Tensor& a, const Tensor& b) {
  if (out.dim() != 2 || out.size(0) != a.size(0) || out.size(1) != b.size(1))
    out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply(out, a, b);
}

}  // namespace

// ---------------------------------------------------------------- construction

struct Rbm::Workspace {
  Tensor h_data, h_start, h, v;  // [B, H] mean under the data, [B, H] sample of it, chain states
  Tensor dv, dh;                 // gradient with respect to b and c before centring
  Tensor v_shifted, h_shifted;   // units minus their offsets (centring)
  Tensor row;                    // [1, B]
  bool samples_wanted = false;
};

Rbm::Rbm(RbmOptions options, RbmLearning learning, std::int64_t visible)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      workspace_(std::make_shared<Workspace>()) {
  if (visible < 1) fail_data("rbm", fmt::format("expected at least one visible unit, got {}", visible));
  learning_.check();
  const std::int64_t hidden = options_.hidden;
  if (learning_.learning == "exact" && std::min(visible, hidden) > enumerable_units)
    fail_usage(
        "training.learning",
        fmt::format(
            "exact learning enumerates the smaller layer, at most {} units, got {} x {}; use pcd or cd",
            enumerable_units, visible, hidden));
  weights = register_parameter("weights", at::zeros({visible, hidden}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({visible}), false);
  hidden_bias = register_parameter("hidden_bias", at::zeros({hidden}), false);
  data_mean = register_buffer("data_mean", at::full({visible}, 0.5));
  if (learning_.centring) {
    visible_offset = register_buffer("visible_offset", at::full({visible}, 0.5));
    hidden_offset = register_buffer("hidden_offset", at::full({hidden}, 0.5));
  }
  if (learning_.learning == "pcd") chains = register_buffer("chains", at::zeros({learning_.chains, hidden}));
}

void Rbm::initialise(const Batch& sample, Rng& rng) {
  const double rows = static_cast<double>(sample.x.size(0));
  data_mean.copy_((sample.x.sum(0, false, at::kDouble) + 1) / (rows + 2));  // one pseudo-count of each value
  float* w = weights.data_ptr<float>();
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  visible_bias.copy_(base_bias());
  hidden_bias.zero_();
  if (learning_.centring) {
    visible_offset.copy_(data_mean);
    hidden_offset.fill_(0.5);
  }
  if (chains.defined()) chains.copy_(sample_h_given_v(chain_start(chains.size(0), rng), rng));
}

void Rbm::check_optimiser(const std::string& name) const {
  if (name == "adam" && learning_.centring)
    fail_usage("training.optimiser",
               "adam scales each element of the gradient by itself, which undoes centring and can go "
               "downhill; use sgd, or set training.centring=false");
}

void Rbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (x.size(1) != visible())
    fail_data(what,
              fmt::format("expected {} columns, as the model was made for, got {}", visible(), x.size(1)));
  const Tensor bad = at::logical_not(at::logical_or(x == 0, x == 1));
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.nonzero()[0];
  const std::int64_t row = first[0].item<std::int64_t>(), column = first[1].item<std::int64_t>();
  fail_data(what, fmt::format(
                      "expected 0 or 1 for binary units, got {} at row {}, column {}; add a binarisation to "
                      "the data: :binarize=threshold, static or dynamic",
                      x[row][column].item<double>(), first_row + row, column));
}

Tensor Rbm::filters() { return weights.t().contiguous(); }

// ---------------------------------------------------------------- conditionals

Tensor Rbm::mean_h_given_v(const Tensor& v) const {
  Tensor h;
  product(h, v, weights);
  binary_layer(h, hidden_bias, 1, {}, {.mean = h});
  return h;
}

Tensor Rbm::mean_v_given_h(const Tensor& h) const {
  Tensor v;
  product(v, h, weights.t());
  binary_layer(v, visible_bias, 1, {}, {.mean = v});
  return v;
}

Tensor Rbm::sample_h_given_v(const Tensor& v, Rng& rng) const {
  Tensor h;
  product(h, v, weights);
  binary_layer(h, hidden_bias, 1, rng.next(), {.sample = h});
  return h;
}

Tensor Rbm::sample_v_given_h(const Tensor& h, Rng& rng) const {
  Tensor v;
  product(v, h, weights.t());
  binary_layer(v, visible_bias, 1, rng.next(), {.sample = v});
  return v;
}

// ---------------------------------------------------------------- gradients

Metrics Rbm::gradients(const Batch& batch, const Turn& turn, Rng& rng) {
  torch::NoGradGuard no_graph;
  for (Tensor* parameter : {&weights, &visible_bias, &hidden_bias}) ensure_gradient(*parameter);
  Workspace& w = *workspace_;
  w.dv = visible_bias.mutable_grad();
  w.dh = hidden_bias.mutable_grad();
  w.samples_wanted = learning_.learning == "cd";
  data_phase(batch.x, rng);
  if (learning_.learning == "exact")
    exact_phase();
  else
    chain_phase(turn, rng);
  if (learning_.sparsity > 0) add_sparsity();
  return {};
}

// Minus <v h>, <v>, <h> under the data go into the gradient (we descend); offsets follow the means.
void Rbm::data_phase(const Tensor& v, Rng& rng) {
  Workspace& w = *workspace_;
  const double share = 1.0 / static_cast<double>(v.size(0));
  product(w.h_data, v, weights);
  if (w.samples_wanted && (!w.h_start.defined() || !w.h_start.is_same_size(w.h_data)))
    w.h_start = at::empty_like(w.h_data);
  binary_layer(w.h_data, hidden_bias, 1, rng.next(),
               {.mean = w.h_data, .sample = w.samples_wanted ? w.h_start : Tensor()});
  column_sums(v, -share, false, w.dv);
  column_sums(w.h_data, -share, false, w.dh);
  if (learning_.centring) {  // here dv and dh are minus the data's means
    visible_offset.mul_(1 - learning_.offset_rate).sub_(w.dv, learning_.offset_rate);
    hidden_offset.mul_(1 - learning_.offset_rate).sub_(w.dh, learning_.offset_rate);
  }
  add_products(v, w.h_data, -share, 0);
}

// dW = keep * dW + share * v^T h. Under centring v and h are taken without their offsets, and the part of db
// and dc that carries the gradient back to the plain parameters (Melchior et al. 2016, eq. 12-14: db = dv -
// dW lambda, dc = dh - dW^T mu) is formed from the factors: v^T (h lambda) costs one pass over v, not one
// over dW.
void Rbm::add_products(const Tensor& v, const Tensor& h, double share, double keep) {
  Workspace& w = *workspace_;
  if (!learning_.centring) {
    multiply(weights.mutable_grad(), v.t(), h, share, keep);
    return;
  }
  w.v_shifted = v - visible_offset;
  w.h_shifted = h - hidden_offset;
  multiply(weights.mutable_grad(), w.v_shifted.t(), w.h_shifted, share, keep);
  product(w.row, hidden_offset.unsqueeze(0), w.h_shifted.t());
  Tensor dv = w.dv.unsqueeze(0), dh = w.dh.unsqueeze(0);
  multiply(dv, w.row, w.v_shifted, -share, 1);
  product(w.row, visible_offset.unsqueeze(0), w.v_shifted.t());
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

// Plus <v h>, <v>, <h> at the end of k Gibbs steps.
void Rbm::chain_phase(const Turn& turn, Rng& rng) {
  Workspace& w = *workspace_;
  const bool persistent = learning_.learning == "pcd";
  Tensor& start = persistent ? chains : w.h_start;
  const std::int64_t steps = gibbs_steps(turn);
  for (std::int64_t k = 0; k < steps; ++k) {
    product(w.v, k == 0 ? start : w.h, weights.t());
    binary_layer(w.v, visible_bias, 1, rng.next(), {.sample = w.v});
    product(w.h, w.v, weights);
    if (k + 1 < steps) binary_layer(w.h, hidden_bias, 1, rng.next(), {.sample = w.h});
  }
  binary_layer(w.h, hidden_bias, 1, rng.next(), {.mean = w.h, .sample = persistent ? chains : Tensor()});
  const double share = 1.0 / static_cast<double>(w.v.size(0));
  add_products(w.v, w.h, share, 1);
  column_sums(w.v, share, true, w.dv);
  column_sums(w.h, share, true, w.dh);
}

// Plus the exact means under the model: every state of the smaller layer, the other one summed out.
void Rbm::exact_phase() {
  const double log_z = *exact_log_partition();
  const bool by_hidden = hidden() <= visible();
  const Tensor w = (by_hidden ? weights.t() : weights).to(at::kDouble);  // [small, large]
  const Tensor small_bias = (by_hidden ? hidden_bias : visible_bias).to(at::kDouble);
  const Tensor large_bias = (by_hidden ? visible_bias : hidden_bias).to(at::kDouble);
  Tensor both = at::zeros_like(w), small_mean = at::zeros_like(small_bias),
         large_mean = at::zeros_like(large_bias);
  for_each_block_of_states(w.size(0), w.size(1), [&](std::int64_t, const Tensor& states) {
    const Tensor input = at::addmm(large_bias, states, w);
    const Tensor p = (states.mv(small_bias) + softplus_row_sum64(input) - log_z).exp();
    const Tensor weighted = states * p.unsqueeze(1);
    const Tensor mean = input.sigmoid();
    both.addmm_(weighted.t(), mean);
    small_mean.add_(weighted.sum(0));
    large_mean.add_(mean.t().mv(p));
  });
  Tensor v_mean = by_hidden ? large_mean : small_mean;
  Tensor h_mean = by_hidden ? small_mean : large_mean;
  Tensor vh = by_hidden ? both.t() : both;
  if (learning_.centring) {  // <(v - mu)(h - lambda)> = <v h> - mu <h> - (<v> - mu) lambda
    const Tensor mu = visible_offset.to(at::kDouble), lambda = hidden_offset.to(at::kDouble);
    vh = vh - at::outer(mu, h_mean) - at::outer(v_mean - mu, lambda);
    v_mean = v_mean - vh.mv(lambda);
    h_mean = h_mean - vh.t().mv(mu);
  }
  weights.mutable_grad().add_(vh.to(at::kFloat));
  workspace_->dv.add_(v_mean.to(at::kFloat));
  workspace_->dh.add_(h_mean.to(at::kFloat));
}

// Hinton 2010, section 11: the cross entropy between wanted and mean activity pulls at c and W. Under
// centring the inputs of a unit have mean zero and the pull at W vanishes.
void Rbm::add_sparsity() {
  Workspace& w = *workspace_;
  Tensor activity = at::empty_like(hidden_bias);
  column_sums(w.h_data, 1.0 / static_cast<double>(w.h_data.size(0)), false,
              activity);  // not mean(): fixed order of sums
  const Tensor pull = (activity - learning_.sparsity) * learning_.sparsity_cost;
  if (!learning_.centring) multiply(weights.mutable_grad(), data_mean.unsqueeze(1), pull.unsqueeze(0), 1, 1);
  w.dh.add_(pull);
}

// ---------------------------------------------------------------- sampling

Tensor Rbm::base_bias() const { return data_mean.log() - (-data_mean).log1p(); }

Tensor Rbm::chain_start(std::int64_t count, Rng& rng) {
  Tensor v = at::zeros({count, visible()});
  binary_layer(v, base_bias(), 1, rng.next(), {.sample = v});
  return v;
}

Tensor Rbm::chain_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) {
  torch::NoGradGuard no_graph;
  Tensor v = x.clone(), h;
  for (std::int64_t k = 0; k < steps; ++k) {
    product(h, v, weights);
    binary_layer(h, hidden_bias, 1, rng.next(), {.sample = h});
    product(v, h, weights.t());
    binary_layer(v, visible_bias, 1, rng.next(), {.sample = v});
    if (known.defined()) v = at::where(known, x, v);
  }
  return v;
}

Tensor Rbm::chain_mean(const Tensor& x, Rng& rng) { return mean_v_given_h(sample_h_given_v(x, rng)); }

namespace {

// Chains of annealed importance sampling; the input of the hidden layer is kept, so a step costs two
// products.
class RbmAnnealedChains : public AnnealedChains {
 public:
  RbmAnnealedChains(const Rbm& rbm, Tensor base_bias, const Tensor& v)
      : rbm_(rbm), base_bias_(std::move(base_bias)), tilt_(rbm.visible_bias - base_bias_), v_(v.clone()) {
    tilted_ = v_.to(at::kDouble).mv(tilt_.to(at::kDouble));
    product(input_, v_, rbm_.weights);
    h_ = at::empty_like(input_);
  }

  void step(double from, double to, Tensor& log_weights, Rng& rng) override {
    torch::NoGradGuard no_graph;
    log_weights.add_(tilted_, to - from);
    anneal_layer(input_, rbm_.hidden_bias, from, to, rng.next(), log_weights, h_);
    product(v_, h_, rbm_.weights.t());
    at::lerp_out(bias_, base_bias_, rbm_.visible_bias, to);
    tilted_.zero_();
    binary_layer(v_, bias_, to, rng.next(), {.sample = v_, .weight = tilt_, .row_sum = tilted_});
    product(input_, v_, rbm_.weights);
  }

 private:
  const Rbm& rbm_;
  Tensor base_bias_, tilt_, bias_ = at::empty({0});
  Tensor v_, h_, input_, tilted_;  // v [chains, V], h and v W [chains, H], v . (b - b_0) [chains]
};

}  // namespace

double Rbm::log_base_partition() {
  const double hidden_part = static_cast<double>(hidden()) * std::log(2.0);
  return at::softplus(base_bias().to(at::kDouble), 1, 1e9).sum().item<double>() + hidden_part;
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from_base(std::int64_t count, Rng& rng) {
  return anneal_from(chain_start(count, rng));
}

std::unique_ptr<AnnealedChains> Rbm::anneal_from(const Tensor& v) {
  return std::make_unique<RbmAnnealedChains>(*this, base_bias(), v);
}

// ---------------------------------------------------------------- scores

Tensor Rbm::free_energy(const Tensor& v) {
  torch::NoGradGuard no_graph;
  const Tensor visible_part = (v * visible_bias).sum(1, false, at::kDouble);
  Tensor input;
  product(input, v, weights);
  return -(visible_part + softplus_row_sum(input, hidden_bias));
}

std::optional<double> Rbm::exact_log_partition() {
  torch::NoGradGuard no_graph;
  if (enumeration_units() > enumerable_units) return std::nullopt;
  const bool by_hidden = hidden() <= visible();
  const Tensor w = (by_hidden ? weights.t() : weights).to(at::kDouble).contiguous();
  const Tensor small_bias = (by_hidden ? hidden_bias : visible_bias).to(at::kDouble);
  const Tensor large_bias = (by_hidden ? visible_bias : hidden_bias).to(at::kDouble);
  LogSumExp total;
  for_each_block_of_states(w.size(0), w.size(1), [&](std::int64_t, const Tensor& states) {
    total.add(states.mv(small_bias) + softplus_row_sum64(at::addmm(large_bias, states, w)));
  });
  return total.value();
}

// log p(x_i | rest) = -softplus(F(x) - F(x with x_i flipped)); flipping unit i moves the hidden input by
// +-W_i.
Tensor Rbm::pseudo_log_likelihood(const Tensor& v) {
  torch::NoGradGuard no_graph;
  Tensor input;
  product(input, v, weights);
  input.add_(hidden_bias);
  const Tensor hidden_part = softplus_row_sum(input, {});
  Tensor total = at::zeros({v.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < visible(); ++i) {
    const Tensor sign = 1 - 2 * v.select(1, i);  // +1 when the flip turns the unit on
    const Tensor flipped = softplus_row_sum(at::addr(input, sign, weights[i]), {});
    const Tensor gain =
        flipped - hidden_part + (sign * visible_bias[i]).to(at::kDouble);  // F(x) - F(flipped)
    total.sub_(at::softplus(gain, 1, 1e9));
  }
  return total;
}

Metrics Rbm::diagnose(const Batch& train, const Batch& valid, Rng&) {
  torch::NoGradGuard no_graph;
  Metrics metrics;
  const double train_energy = free_energy(train.x).mean().item<double>();
  metrics.emplace_back("train_free_energy", train_energy);
  if (valid.x.defined() && valid.x.size(0) > 0) {
    const double valid_energy = free_energy(valid.x).mean().item<double>();
    metrics.emplace_back("valid_free_energy", valid_energy);
    metrics.emplace_back("free_energy_gap", valid_energy - train_energy);
  }
  const Batch& probe = valid.x.defined() && valid.x.size(0) > 0 ? valid : train;
  const std::int64_t rows = std::min<std::int64_t>(probe.x.size(0), 50);
  metrics.emplace_back("pseudo_log_likelihood_proxy",
                       pseudo_log_likelihood(probe.x.narrow(0, 0, rows)).mean().item<double>());
  const Tensor activity = mean_h_given_v(train.x);
  const Tensor mean = activity.mean(0);
  auto share = [](const Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); };
  metrics.emplace_back("dead_units", share(mean < 0.01));
  metrics.emplace_back("saturated_units", share(mean > 0.99));
  metrics.emplace_back("weight_norm", weights.norm().item<double>());
  return metrics;
}

}  // namespace deepgen
