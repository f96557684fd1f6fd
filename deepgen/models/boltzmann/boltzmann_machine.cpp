// The general Boltzmann machine: construction and learning.
#include "deepgen/models/boltzmann/boltzmann_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/models/boltzmann/boltzmann_sweeps.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/couplings/fast_weights.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

namespace {

std::string boltzmann_rule(const std::string& asked, std::int64_t units, std::int64_t hidden) {
  if (asked != "auto") return asked;
  if (units <= BoltzmannMachine::exact_by_itself) return "exact";
  return hidden == 0 ? "pseudo_likelihood" : "pcd";
}

}  // namespace

BoltzmannMachine::BoltzmannMachine(BoltzmannMachineOptions options, BoltzmannMachineLearning learning,
                                   const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(UnitLayer::of(UnitKind::binary, data.columns)),
      rule_(boltzmann_rule(learning_.learning, units(), hidden())) {
  if (units() < 2)
    fail_usage(
        "model.hidden",
        fmt::format("expected a machine of two units or more, got {} visible and {} hidden; add hidden "
                    "units",
                    visible(), hidden()));
  if (rule_ == "exact" && units() > exact_units)
    fail_usage(
        "training.learning",
        fmt::format("exact learning enumerates at most {} units, got {} visible and {} hidden; use {}",
                    exact_units, visible(), hidden(), hidden() == 0 ? "pseudo_likelihood or pcd" : "pcd"));
  if (rule_ == "pseudo_likelihood" && hidden() > 0)
    fail_usage(
        "training.learning",
        fmt::format("the pseudo-likelihood is that of a machine without hidden units, got {}; use pcd, "
                    "or set model.hidden=0",
                    hidden()));
  register_tensors();
}

void BoltzmannMachine::register_tensors() {
  const Tensor pairs = at::triu_indices(units(), units(), 1, at::kLong);
  pairs_ = pairs[0] * units() + pairs[1];
  pair_weights = register_parameter("pair_weights", at::zeros({pairs_.size(0)}), false);
  biases = register_parameter("biases", at::zeros({units()}), false);
  data_mean = register_buffer("data_mean", at::full({visible()}, 0.5));
  if (has_chains()) chains = register_buffer("chains", at::zeros({learning_.chains, units()}));
  if (rule_ != "fpcd") return;
  fast_pair_weights = register_buffer("fast_pair_weights", at::zeros({pairs_.size(0)}));
  fast_biases = register_buffer("fast_biases", at::zeros({units()}));
}

void BoltzmannMachine::initialise(const Rows& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  const Tensor known = sample.x.isnan().logical_not().sum(0);
  data_mean.copy_((at::nansum(sample.x, {0}, false, at::kDouble) + 1) / (known + 2));
  biases.zero_();
  biases.narrow(0, 0, visible()).copy_(base_activation());
  float* w = pair_weights.data_ptr<float>();
  for (std::int64_t i = 0; i < pair_weights.numel(); ++i)
    w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  if (fast_biases.defined()) fast_pair_weights.zero_(), fast_biases.zero_();
  if (!chains.defined()) return;
  chains.narrow(1, 0, visible()).copy_(chain_start(chains.size(0), rng));
  chains.narrow(1, visible(), hidden()).copy_(uniform(chains.size(0), hidden(), rng.next()) < 0.5);
}

bool BoltzmannMachine::decays(const std::string& name, const Tensor&) const { return name == "pair_weights"; }

void BoltzmannMachine::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "boltzmann_machine", what, first_row);
}

// ---------------------------------------------------------------- parameters

Tensor BoltzmannMachine::weights() const { return weights_of(pair_weights); }

Tensor BoltzmannMachine::weights_of(const Tensor& of_pairs) const {
  Tensor upper = at::zeros({units() * units()});
  upper.index_copy_(0, pairs_, of_pairs.detach());
  upper = upper.view({units(), units()});
  return (upper + upper.t()).contiguous();
}

Tensor BoltzmannMachine::block_of_weights(bool rows_hidden, bool columns_hidden) const {
  const Tensor w = weights();
  const Tensor rows = rows_hidden ? w.narrow(0, visible(), hidden()) : w.narrow(0, 0, visible());
  const Tensor block = columns_hidden ? rows.narrow(1, visible(), hidden()) : rows.narrow(1, 0, visible());
  return block.to(at::kDouble).contiguous();
}

Tensor BoltzmannMachine::filters() const {
  return hidden() > 0 ? block_of_weights(true, false).to(at::kFloat) : Tensor();
}

// ---------------------------------------------------------------- moments

namespace {

Tensor moments_of_states(const Tensor& states) {
  const Tensor wide = states.to(at::kDouble).contiguous();
  Tensor moments = at::empty({wide.size(1), wide.size(1)}, at::kDouble);
  multiply64(moments, wide.t(), wide, 1.0 / static_cast<double>(wide.size(0)));
  return moments;
}

// Rows with missing cells in every state they can have, and the share of each: p(missing | known) / rows.
struct SharedRows {
  Tensor x, shares;  // [N, V], [N] float64
};

SharedRows complete_in_every_way(const BoltzmannMachine& machine, const Tensor& x) {
  const double share = 1.0 / static_cast<double>(x.size(0));
  if (!x.isnan().any().item<bool>()) return {x, at::full({x.size(0)}, share, at::kDouble)};
  std::vector<Tensor> rows, shares;
  for (const Tensor& row : x.unbind(0)) {
    rows.push_back(completions_of(row));
    shares.push_back(at::softmax(-machine.free_energy(rows.back()), 0) * share);
  }
  return {at::cat(rows), at::cat(shares)};
}

}  // namespace

Tensor BoltzmannMachine::data_moments(const Tensor& x, const Tensor& shares) const {
  const Tensor wide = x.to(at::kDouble).contiguous(), shared = wide * shares.unsqueeze(1);
  const std::int64_t V = visible(), H = hidden();
  Tensor moments = at::zeros({units(), units()}, at::kDouble), both = at::empty({V, V}, at::kDouble);
  multiply64(both, shared.t(), wide);
  moments.narrow(0, 0, V).narrow(1, 0, V).copy_(both);
  if (H == 0) return moments;
  const Tensor input = hidden_input(x), log_total = log_hidden_sum(input).unsqueeze(1);
  Tensor means = at::zeros({x.size(0), H}, at::kDouble), among = at::zeros({H, H}, at::kDouble);
  for_each_hidden_block(input, 1, [&](std::int64_t, const Tensor& states, const Tensor& exponents) {
    const Tensor p = (exponents - log_total).exp();
    multiply64(means, p, states, 1, 1);
    Tensor total = at::empty({1, states.size(0)}, at::kDouble);
    multiply64(total, shares.unsqueeze(0), p);
    multiply64(among, states.t(), states * total.t(), 1, 1);
  });
  Tensor across = at::empty({V, H}, at::kDouble);
  multiply64(across, shared.t(), means);
  moments.narrow(0, 0, V).narrow(1, V, H).copy_(across);
  moments.narrow(0, V, H).narrow(1, 0, V).copy_(across.t());
  moments.narrow(0, V, H).narrow(1, V, H).copy_(among);
  return moments;
}

Tensor BoltzmannMachine::sampled_data_moments(const Tensor& x, Rng& rng) const {
  const Tensor h = (uniform(x.size(0), hidden(), rng.next()) < 0.5).to(at::kFloat);
  BoltzmannRows rows(weights(), biases, at::cat({x, h}, 1));
  for (std::int64_t k = 0; k < learning_.data_steps; ++k) rows.sweep({.first = visible()}, rng);
  return moments_of_states(rows.states());
}

Tensor BoltzmannMachine::chain_moments(Rng& rng) {
  const bool driven = fast_biases.defined();
  BoltzmannRows rows(driven ? weights_of(pair_weights + fast_pair_weights) : weights(),
                     driven ? biases + fast_biases : biases, chains.clone());
  for (std::int64_t k = 0; k < learning_.gibbs_steps; ++k) rows.sweep({}, rng);
  chains.copy_(rows.states());
  return moments_of_states(chains);
}

// ---------------------------------------------------------------- learning

Metrics BoltzmannMachine::gradients(const Rows& batch, const Turn&, Rng& rng) {
  torch::NoGradGuard no_graph;
  if (rule_ == "exact") {
    const SharedRows rows = complete_in_every_way(*this, batch.x);
    write_gradient(model_moments() - data_moments(rows.x, rows.shares));
    return {};
  }
  const Tensor x = fill_gaps(batch.x, rng);
  if (has_chains())
    likelihood_gradient(x, rng);
  else
    pseudo_likelihood_gradient(x);
  return {};
}

void BoltzmannMachine::likelihood_gradient(const Tensor& x, Rng& rng) {
  const Tensor shares = at::full({x.size(0)}, 1.0 / static_cast<double>(x.size(0)), at::kDouble);
  const Tensor data = hidden() <= summed_hidden ? data_moments(x, shares) : sampled_data_moments(x, rng);
  write_gradient(chain_moments(rng) - data);
  if (fast_biases.defined()) learn_fast_weights();
}

void BoltzmannMachine::learn_fast_weights() {
  learn_fast(fast_pair_weights, pair_weights.grad(), learning_.fast_rate);
  learn_fast(fast_biases, biases.grad(), learning_.fast_rate);
}

// With the residuals r = x - sigmoid(a): minus <r_i x_j> + <r_j x_i> for the pairs, minus <r_i> for the
// biases.
void BoltzmannMachine::pseudo_likelihood_gradient(const Tensor& x) {
  const double share = 1.0 / static_cast<double>(x.size(0));
  Tensor a = at::empty(x.sizes()), products = at::empty({units(), units()}), means = at::empty({units()});
  multiply(a, x.contiguous(), weights());
  const Tensor residuals = x - at::sigmoid(a.add_(biases));
  multiply(products, residuals.t(), x.contiguous(), -share);
  column_sums(residuals.contiguous(), -share, false, means);
  Tensor moments = products + products.t();
  moments.diagonal().copy_(means);
  write_gradient(moments);
}

void BoltzmannMachine::write_gradient(const Tensor& moments) {
  auto write = [](Tensor& parameter, const Tensor& values) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    parameter.mutable_grad().copy_(values);
  };
  write(pair_weights, moments.reshape({-1}).index_select(0, pairs_));
  write(biases, moments.diagonal());
}

Metrics BoltzmannMachine::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  constexpr std::int64_t most_rows = 50;  // of a score that costs a sum over hidden states a column
  torch::NoGradGuard no_graph;
  const Tensor& probe = valid.size() > 0 ? valid.x : train.x;
  Metrics metrics = {{"weight_norm", ordered_norm(pair_weights)}};
  const Tensor few = fill_gaps(probe.narrow(0, 0, std::min(probe.size(0), most_rows)), rng);
  if (const auto pseudo = pseudo_log_likelihood(few))
    metrics.emplace_back("pseudo_log_likelihood_proxy", pseudo->mean().item<double>());
  return metrics;
}

template std::shared_ptr<Model> create<BoltzmannMachineCard>(const Options&, const Options&,
                                                             const DataShape&);

}  // namespace deepgen
