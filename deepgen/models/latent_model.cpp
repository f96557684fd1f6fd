#include "deepgen/models/latent_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/importance.h"

namespace deepgen {
namespace {

constexpr double largest_log_variance = 6;    // of a code; the prior's is 0
constexpr std::int64_t draws_at_once = 1000;  // of a bound: their activations stay in the processor's cache
constexpr double active_variance = 0.01;      // Burda et al. 2016, section 5.2

double mean_of(const Tensor& values) { return values.detach().mean().item<double>(); }

std::vector<std::int64_t> reversed(std::vector<std::int64_t> sizes) {
  std::reverse(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace

// ---------------------------------------------------------------- construction

GaussianNet::GaussianNet(std::int64_t in, const std::vector<std::int64_t>& hidden,
                         const std::string& activation, std::int64_t out, double smallest_deviation)
    : body_(register_module("body", std::make_shared<Mlp>(in, hidden, activation))),
      mean_(register_module("mean", std::make_shared<DenseLayer>(body_->out(), out))),
      log_variance_(register_module("log_variance", std::make_shared<DenseLayer>(body_->out(), out))),
      least_(2 * std::log(smallest_deviation)) {}

void GaussianNet::initialise(Rng& rng) {
  body_->initialise(rng);
  mean_->initialise(rng);
  log_variance_->initialise(rng);
}

Gaussian GaussianNet::forward(const Tensor& x) const {
  const Tensor h = body_->forward(x);
  return {mean_->forward(h), log_variance_->forward(h).clamp(least_, largest_log_variance)};
}

DecoderNet::DecoderNet(std::int64_t in, const std::vector<std::int64_t>& hidden,
                       const std::string& activation, std::int64_t out)
    : body_(register_module("body", std::make_shared<Mlp>(in, hidden, activation))),
      output_(register_module("output", std::make_shared<DenseLayer>(body_->out(), out))) {}

void DecoderNet::initialise(Rng& rng) {
  body_->initialise(rng);
  output_->initialise(rng);
}

Tensor DecoderNet::forward(const Tensor& x) const { return output_->forward(body_->forward(x)); }

LatentModel::LatentModel(std::string name, const LatentOptions& sizes, VaeLearning learning,
                         std::shared_ptr<Likelihood> likelihood, LatentShape shape)
    : name_(std::move(name)),
      sizes_(sizes),
      learning_(std::move(learning)),
      likelihood_(std::move(likelihood)) {
  const std::vector<std::int64_t> hidden = parse_sizes("model.hidden", sizes_.hidden);
  const auto gaussian_net = [&](std::int64_t in) {
    return std::make_shared<GaussianNet>(in, hidden, sizes_.activation, sizes_.latent,
                                         sizes_.smallest_deviation);
  };
  encoder_ = register_module("encoder", gaussian_net(shape.inputs));
  decoder_ = register_module("decoder",
                             std::make_shared<DecoderNet>(sizes_.latent + shape.condition, reversed(hidden),
                                                          sizes_.activation, likelihood_->width()));
  prior_ = register_module("prior", std::make_shared<LatentPrior>(shape.prior, shape.prior_components,
                                                                  sizes_.latent, shape.inputs, true));
  if (shape.prior_network) prior_network_ = register_module("prior_network", gaussian_net(shape.condition));
}

void LatentModel::initialise(const Batch& sample, Rng& rng) {
  encoder_->initialise(rng);
  decoder_->initialise(rng);
  prior_->initialise(encoder_input(sample), rng);
  if (prior_network_) prior_network_->initialise(rng);
  NoGradGuard no_graph;
  decoder_->output_bias().copy_(likelihood_->marginals(target(sample)));
}

void LatentModel::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  likelihood_->check(x, what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor LatentModel::Terms::log_weights(double beta) const {
  return (log_likelihood + (log_prior - log_posterior) * beta).view({posterior.mean.size(0), -1});
}

PriorState LatentModel::prior_state() const {
  return prior_->state([this](const Tensor& x) { return encoder_->forward(x); });
}

Tensor LatentModel::decoded(const Tensor& z, const Tensor& condition) const {
  if (!condition.defined()) return decoder_->forward(z);
  return decoder_->forward(at::cat({z, condition.repeat_interleave(z.size(0) / condition.size(0), 0)}, 1));
}

LatentModel::Terms LatentModel::terms(const Batch& rows, std::int64_t draws, const PriorState& prior,
                                      Rng& rng, bool doubly) const {
  Terms t;
  t.posterior = posterior_of(rows);
  Tensor z = draw(t.posterior, normal(rows.x.size(0) * draws, sizes_.latent, rng.next()));
  if (doubly) {
    t.factors = std::make_shared<Tensor>();
    z = with_gradient_factors(z, t.factors);
  }
  const Tensor condition = condition_of(rows);
  t.log_likelihood = likelihood_->log_prob(decoded(z, condition), target(rows));
  if (prior_network_) {
    const Gaussian p = prior_network_->forward(condition);
    t.log_prior = log_density(p, z);
    t.divergence = divergence(t.posterior, p);
  } else {
    t.log_prior = prior.log_density(z);
    if (prior.closed()) t.divergence = divergence_from_standard(t.posterior);
  }
  t.log_posterior = log_density(doubly ? t.posterior.detached() : t.posterior, z);
  return t;
}

// ---------------------------------------------------------------- gradients

double LatentModel::beta_at(const Turn& turn) const {
  const double rise = learning_.warm_up * static_cast<double>(turn.steps);
  const double done = static_cast<double>(turn.step) + 1;
  return learning_.beta * (done < rise ? done / rise : 1);
}

// What the divergence costs the batch, in closed form; free units have no gradient.
Tensor LatentModel::closed_cost(const Tensor& units, double& divergence) const {
  const Tensor wide = units.to(at::kDouble), total = wide.sum(1).mean();
  divergence = total.item<double>();
  return learning_.free_bits == 0 ? total : wide.mean(0).clamp_min(learning_.free_bits).sum();
}

// From the draws: a mixture has no closed form, and its units are not apart.
Tensor LatentModel::drawn_cost(const Terms& t, double& divergence) const {
  const Tensor total = (t.log_posterior - t.log_prior).mean();
  divergence = total.item<double>();
  const double free = learning_.free_bits * static_cast<double>(sizes_.latent);
  return learning_.free_bits == 0 ? total : total.clamp_min(free);
}

Tensor LatentModel::evidence_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const {
  const Terms t = terms(batch, learning_.samples, prior_state(), rng);
  const Tensor log_likelihood = t.log_likelihood.mean();
  double divergence = 0;
  const Tensor cost =
      t.divergence.defined() ? closed_cost(t.divergence, divergence) : drawn_cost(t, divergence);
  metrics = {
      {"elbo", log_likelihood.item<double>() - divergence}, {"divergence", divergence}, {"beta", beta}};
  return cost * beta - log_likelihood;
}

Tensor LatentModel::importance_loss(const Batch& batch, double beta, Rng& rng, Metrics& metrics) const {
  const std::int64_t draws = learning_.samples * learning_.importance;
  const Terms t = terms(batch, draws, prior_state(), rng, learning_.doubly_reparameterised);
  const Tensor log_weights = t.log_weights(beta).view({-1, learning_.importance});
  const double bound = mean_of(importance_bound(t.log_weights().detach().view({-1, learning_.importance})));
  metrics = {
      {"bound", bound}, {"divergence", mean_of(t.log_posterior) - mean_of(t.log_prior)}, {"beta", beta}};
  if (!learning_.doubly_reparameterised) return -importance_bound(log_weights).mean();
  const Tensor weights = normalised_weights(log_weights);
  *t.factors = weights.reshape({-1});
  return -(weights * log_weights).sum(1).mean();
}

Metrics LatentModel::gradients(const Batch& batch, const Turn& turn, Rng& rng) {
  Metrics metrics;
  const double beta = beta_at(turn);
  const bool plain = learning_.importance == 1 && !learning_.doubly_reparameterised;
  const Tensor loss =
      plain ? evidence_loss(batch, beta, rng, metrics) : importance_loss(batch, beta, rng, metrics);
  fill_gradients(loss, parameters());
  return metrics;
}

// Latent units that say something of the data, and the bound on rows that are not trained on.
Metrics LatentModel::diagnose(const Batch& train, const Batch& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor variance = posterior_of(train).mean.to(at::kDouble).var(0, true);
  Metrics metrics = {{"active_units", static_cast<double>((variance > active_variance).sum().item<double>())},
                     {"train_elbo", mean_of(bound_of(train, 1, rng))}};
  if (valid.x.defined() && valid.x.size(0) > 0)
    metrics.emplace_back("valid_elbo", mean_of(bound_of(valid, 1, rng)));
  return metrics;
}

// ---------------------------------------------------------------- scores

template <class Weights>
Tensor LatentModel::in_pieces(const Batch& rows, std::int64_t samples, Weights weights) const {
  if (samples < 1) fail_usage(name_, fmt::format("expected 1 sample or more, got {}", samples));
  NoGradGuard no_graph;
  const PriorState prior = prior_state();
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows.x.size(0); first += draws_at_once) {
    const std::int64_t count = std::min(draws_at_once, rows.x.size(0) - first);
    const Batch some{rows.x.narrow(0, first, count),
                     rows.y.defined() ? rows.y.narrow(0, first, count) : rows.y};
    const std::int64_t most = std::max<std::int64_t>(1, draws_at_once / count);
    RunningBound bound;
    for (std::int64_t done = 0; done < samples; done += most)
      bound.add(weights(some, std::min(most, samples - done), prior));
    parts.push_back(bound.value());
  }
  return parts.empty() ? at::empty({0}, at::kDouble) : at::cat(parts);
}

Tensor LatentModel::bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const {
  return in_pieces(rows, samples, [&](const Batch& some, std::int64_t draws, const PriorState& prior) {
    return terms(some, draws, prior, rng).log_weights();
  });
}

Tensor LatentModel::prior_bound_of(const Batch& rows, std::int64_t samples, Rng& rng) const {
  return in_pieces(rows, samples, [&](const Batch& some, std::int64_t draws, const PriorState& prior) {
    const Tensor condition = condition_of(some);
    const std::int64_t count = some.x.size(0) * draws;
    const Tensor z = prior_network_
                         ? draw(prior_network_->forward(condition), normal(count, sizes_.latent, rng.next()))
                         : prior.sample(count, sizes_.latent, rng);
    return likelihood_->log_prob(decoded(z, condition), target(some)).view({some.x.size(0), draws});
  });
}

}  // namespace deepgen
