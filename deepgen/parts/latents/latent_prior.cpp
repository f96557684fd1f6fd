#include "deepgen/parts/latents/latent_prior.h"

#include <algorithm>
#include <cmath>

#include "deepgen/core/constants.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

constexpr double shrinkage = 0.5;     // of the first pseudo-inputs, towards the mean of the data
constexpr double least_share = 0.02;  // they keep away from 0 and 1, where a sigmoid's slope ends
// Of a mixture's Gaussians: log_density keeps its digits.
const double least_log_variance = 2 * std::log(0.01);

std::vector<std::int64_t> some_rows(std::int64_t count, std::int64_t rows, Rng& rng) {
  std::vector<std::int64_t> chosen;
  while (static_cast<std::int64_t>(chosen.size()) < count)
    for (const std::int64_t row : rng.permutation(rows))
      if (static_cast<std::int64_t>(chosen.size()) < count) chosen.push_back(row);
  return chosen;
}

}  // namespace

// ---------------------------------------------------------------- mixtures

Tensor GaussianMixtureLatent::log_density(const Tensor& z) const {
  const Tensor precision = (-components.log_variance).exp(), pull = components.mean * precision;
  const Tensor weights = at::cat({precision * -0.5, pull}, 1).t().contiguous();  // [2 units, K]
  const Tensor offset =
      log_mixing - (components.mean * pull + components.log_variance + log_two_pi).sum(1) * 0.5;
  return log_sum_exp_rows(dense(at::cat({z.square(), z}, 1), weights, offset));
}

Tensor GaussianMixtureLatent::sample(std::int64_t count, Rng& rng) const {
  Tensor u = at::empty({count}, at::kDouble);
  for (std::int64_t i = 0; i < count; ++i) u.data_ptr<double>()[i] = rng.uniform();
  const Tensor which = pick_categories(log_mixing.exp().to(at::kDouble), u);
  const Gaussian chosen{components.mean.index_select(0, which),
                        components.log_variance.index_select(0, which)};
  return draw(chosen, normal(count, components.mean.size(1), rng.next()));
}

namespace composed {
Tensor log_density(const GaussianMixtureLatent& mixture, const Tensor& z) {
  const Tensor mean = mixture.components.mean.to(at::kDouble).unsqueeze(0);
  const Tensor log_variance = mixture.components.log_variance.to(at::kDouble).unsqueeze(0);
  const Tensor each =
      ((z.unsqueeze(1) - mean).square() / log_variance.exp() + log_variance + log_two_pi).sum(2) * -0.5;
  return at::logsumexp(each + mixture.log_mixing, 1);
}
}  // namespace composed

// ---------------------------------------------------------------- priors

Tensor PriorState::log_density(const Tensor& z) const {
  return mixture ? mixture->log_density(z) : standard_log_density(z);
}

Tensor PriorState::sample(std::int64_t count, std::int64_t units, Rng& rng) const {
  return mixture ? mixture->sample(count, rng) : normal(count, units, rng.next());
}

LatentPrior::LatentPrior(std::string kind, std::int64_t components, std::int64_t units, std::int64_t columns,
                         bool bounded)
    : kind_(std::move(kind)), bounded_(bounded) {
  if (kind_ == "mixture") {
    mean_ = register_parameter("mean", at::zeros({components, units}));
    log_variance_ = register_parameter("log_variance", at::zeros({components, units}));
    mixing_ = register_parameter("mixing", at::zeros({components}));
  }
  if (kind_ == "vamp") pseudo_ = register_parameter("pseudo_inputs", at::zeros({components, columns}));
}

void LatentPrior::initialise(const Tensor& inputs, Rng& rng) {
  NoGradGuard no_graph;
  if (mean_.defined()) mean_.copy_(normal(mean_.size(0), mean_.size(1), rng.next()));
  if (!pseudo_.defined()) return;
  const Tensor rows =
      inputs.index_select(0, at::tensor(some_rows(pseudo_.size(0), inputs.size(0), rng), at::kLong));
  const Tensor mean = inputs.mean(0, true, at::kDouble).to(at::kFloat);
  const Tensor begin = mean + (rows - mean) * (1 - shrinkage);
  pseudo_.copy_(begin);
  if (!bounded_) return;
  float* share = pseudo_.data_ptr<float>();
  for (std::int64_t i = 0; i < pseudo_.numel(); ++i) {
    const double p = std::clamp(static_cast<double>(share[i]), least_share, 1 - least_share);
    share[i] = static_cast<float>(std::log(p) - std::log1p(-p));
  }
}

Tensor LatentPrior::pseudo_inputs() const {
  return pseudo_.defined() && bounded_ ? activate(pseudo_, Activation::sigmoid) : pseudo_;
}

PriorState LatentPrior::state(const Encoder& encoder) const {
  if (standard()) return {};
  auto mixture = std::make_shared<GaussianMixtureLatent>();
  if (kind_ == "mixture") {
    mixture->components = {mean_, log_variance_.clamp_min(least_log_variance)};
    mixture->log_mixing = at::log_softmax(mixing_, 0);
  } else {
    mixture->components = encoder(pseudo_inputs());
    const double components = static_cast<double>(pseudo_.size(0));
    mixture->log_mixing = at::full({pseudo_.size(0)}, -std::log(components));
  }
  return {mixture};
}

}  // namespace deepgen
