#include "deepgen/models/variational/latent_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/latents/importance_weights.h"

namespace deepgen {
namespace {

constexpr std::int64_t draws_at_once = 1000;  // of a bound: their activations stay in the processor's cache
constexpr double active_variance = 0.01;      // Burda et al. 2016, section 5.2

double mean_of(const Tensor& values) { return ordered_mean(values.detach()).item<double>(); }

std::vector<std::int64_t> reversed(std::vector<std::int64_t> sizes) {
  std::reverse(sizes.begin(), sizes.end());
  return sizes;
}

// Rows of `a` where chosen [R] is true, else of `b`.
Tensor choose(const Tensor& chosen, const Tensor& a, const Tensor& b) {
  return a.defined() ? at::where(chosen.unsqueeze(1), a, b) : a;
}

}  // namespace

// ---------------------------------------------------------------- construction

std::shared_ptr<Likelihood> case_likelihood(const std::string& who, const LatentOptions& options,
                                            const DataShape& data) {
  return likelihood_for(who, options.decoder, data, options.group, options.smallest_noise);
}

GapInputs gap_inputs(const std::string& asked, const DataShape& data) {
  GapInputs gaps;
  for (const ColumnGroup& group : data.column_groups()) {
    std::vector<std::int64_t>& columns = group.marks ? gaps.unseen : gaps.told;
    const std::int64_t cells = group.kind == ColumnKind::softmax ? 1 : group.size;
    for (std::int64_t j = 0; j < cells; ++j) columns.push_back(group.first + j);
  }
  if (asked == "never" || (asked == "auto" && gaps.unseen.empty())) gaps.told.clear();
  return gaps;
}

LatentModel::LatentModel(std::string name, const LatentOptions& sizes, VaeLearning learning,
                         std::shared_ptr<Likelihood> likelihood, const LatentShape& shape)
    : name_(std::move(name)),
      sizes_(sizes),
      learning_(std::move(learning)),
      likelihood_(register_module("likelihood", std::move(likelihood))),
      upper_(shape.upper) {
  if (!shape.gaps.told.empty()) told_ = at::tensor(shape.gaps.told, at::kLong);
  if (!shape.gaps.unseen.empty()) unseen_ = at::tensor(shape.gaps.unseen, at::kLong);
  const std::int64_t inputs = likelihood_->columns() + std::ssize(shape.gaps.told) + shape.beside;
  const std::vector<std::int64_t> hidden = parse_sizes("model.hidden", sizes_.hidden);
  GaussianNet::Shape net{hidden, sizes_.activation, sizes_.smallest_deviation, sizes_.covariance == "full",
                         shape.pictures};
  encoder_ = register_module("encoder", std::make_shared<GaussianNet>(inputs, net, sizes_.latent));
  decoder_ = register_module(
      "decoder", std::make_shared<DecoderNet>(sizes_.latent + shape.condition, reversed(hidden),
                                              sizes_.activation, likelihood_->width(), shape.pictures));
  prior_ = register_module("prior", std::make_shared<LatentPrior>(shape.prior, shape.prior_components,
                                                                  upper_ > 0 ? upper_ : sizes_.latent, inputs,
                                                                  likelihood_->bounded()));
  net.full = false, net.pictures.reset();
  if (shape.prior_network)
    prior_network_ =
        register_module("prior_network", std::make_shared<GaussianNet>(shape.condition, net, sizes_.latent));
  if (upper_ == 0) return;
  net.hidden = shape.upper_hidden;
  upper_encoder_ =
      register_module("upper_encoder", std::make_shared<GaussianNet>(sizes_.latent, net, upper_));
  net.hidden = reversed(shape.upper_hidden);
  upper_decoder_ =
      register_module("upper_decoder", std::make_shared<GaussianNet>(upper_, net, sizes_.latent));
}

void LatentModel::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  likelihood_->start(target(sample.x));
  encoder_->initialise(rng);
  decoder_->initialise(rng, likelihood_->marginals(target(sample.x)));
  prior_->initialise(encoder_input(cases_of(sample)), rng);
  if (prior_network_) prior_network_->initialise(rng);
  if (upper_ == 0) return;
  upper_encoder_->initialise(rng);
  upper_decoder_->initialise(rng);
}

void LatentModel::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  likelihood_->check(x, what, first_row);
}

// ---------------------------------------------------------------- conditionals

LatentModel::Cases LatentModel::Cases::narrow(std::int64_t first, std::int64_t count) const {
  return {x.narrow(0, first, count), condition.defined() ? condition.narrow(0, first, count) : condition};
}

Tensor LatentModel::Terms::log_weights(double beta) const {
  return (log_likelihood + (log_prior - log_posterior) * beta).view({posterior.mean.size(0), -1});
}

Tensor LatentModel::shown(const Tensor& x) const {
  Tensor cells = at::nan_to_num(likelihood_->input_of(x));
  if (unseen_.defined()) cells.index_fill_(1, unseen_, 0);
  if (!told_.defined()) return cells;
  return at::cat({cells, x.index_select(1, told_).isnan().logical_not().to(at::kFloat)}, 1);
}

PriorState LatentModel::prior_state() const {
  return prior_->state([this](const Tensor& x) {
    const Gaussian q = encoder_->forward(x);
    return upper_ > 0 ? upper_encoder_->forward(q.mean) : q;
  });
}

Tensor LatentModel::decoded(const Tensor& z, const Tensor& condition) const {
  if (!condition.defined()) return decoder_->forward(z);
  return decoder_->forward(at::cat({z, condition.repeat_interleave(z.size(0) / condition.size(0), 0)}, 1));
}

// The second layer is drawn from the first as it is; factors are those of what is weighed.
LatentModel::Latents LatentModel::infer(const Gaussian& posterior, std::int64_t draws, Rng& rng,
                                        bool doubly) const {
  Latents z;
  const std::int64_t rows = posterior.mean.size(0) * draws;
  z.lower = draw(posterior, normal(rows, sizes_.latent, rng.next()));
  if (upper_ > 0) {
    z.upper_posterior = upper_encoder_->forward(z.lower);
    z.upper = draw(z.upper_posterior, normal(rows, upper_, rng.next()));
  }
  if (!doubly) return z;
  z.factors = std::make_shared<Tensor>();
  z.lower = with_gradient_factors(z.lower, z.factors);
  if (upper_ == 0) return z;
  z.upper = with_gradient_factors(z.upper, z.factors);
  z.upper_posterior = upper_encoder_->forward(z.lower, true);
  return z;
}

void LatentModel::weigh_prior(const Cases& cases, const Latents& z, const PriorState& prior, Terms& t) const {
  if (prior_network_) {
    const Gaussian p = prior_network_->forward(cases.condition);
    t.log_prior = log_density(p, z.lower);
    t.divergence = divergence(t.posterior, p);
  } else if (upper_ > 0) {
    t.log_prior = prior.log_density(z.upper) + log_density(upper_decoder_->forward(z.upper), z.lower);
  } else {
    t.log_prior = prior.log_density(z.lower);
    if (prior.closed()) t.divergence = divergence_from_standard(t.posterior);
  }
}

LatentModel::Terms LatentModel::weigh(const Cases& cases, const Gaussian& posterior, const Latents& z,
                                      const PriorState& prior) const {
  Terms t;
  t.posterior = posterior, t.factors = z.factors;
  t.log_likelihood = likelihood_->log_prob(decoded(z.lower, cases.condition), target(cases.x));
  weigh_prior(cases, z, prior, t);
  t.log_posterior = log_density(z.factors ? posterior.detached() : posterior, z.lower);
  if (upper_ > 0) t.log_posterior = t.log_posterior + log_density(z.upper_posterior, z.upper);
  return t;
}

LatentModel::Terms LatentModel::terms(const Cases& cases, std::int64_t draws, const PriorState& prior,
                                      Rng& rng, bool doubly) const {
  const Gaussian posterior = posterior_of(cases);
  return weigh(cases, posterior, infer(posterior, draws, rng, doubly), prior);
}

// ---------------------------------------------------------------- gradients

double LatentModel::beta_at(const Turn& turn) const {
  const double rise = learning_.warm_up * static_cast<double>(turn.steps);
  const double done = static_cast<double>(turn.step) + 1;
  return learning_.beta * (done < rise ? done / rise : 1);
}

// What the divergence costs the batch, in closed form; free units have no gradient.
Tensor LatentModel::closed_cost(const Tensor& units, double& divergence) const {
  const Tensor wide = units.to(at::kDouble), total = ordered_mean(wide.sum(1));
  divergence = total.item<double>();
  return learning_.free_bits == 0 ? total : wide.mean(0).clamp_min(learning_.free_bits).sum();
}

// From the draws: a mixture has no closed form, and its units are not apart.
Tensor LatentModel::drawn_cost(const Terms& t, double& divergence) const {
  const Tensor total = ordered_mean(t.log_posterior - t.log_prior);
  divergence = total.item<double>();
  const double free = learning_.free_bits * static_cast<double>(sizes_.latent + upper_);
  return learning_.free_bits == 0 ? total : total.clamp_min(free);
}

Tensor LatentModel::evidence_loss(const Cases& batch, double beta, Rng& rng, Metrics& metrics) const {
  const Terms t = terms(batch, learning_.samples, prior_state(), rng);
  const Tensor log_likelihood = ordered_mean(t.log_likelihood);
  double divergence = 0;
  const Tensor cost =
      t.divergence.defined() ? closed_cost(t.divergence, divergence) : drawn_cost(t, divergence);
  metrics = {
      {"elbo", log_likelihood.item<double>() - divergence}, {"divergence", divergence}, {"beta", beta}};
  return cost * beta - log_likelihood;
}

Tensor LatentModel::importance_loss(const Cases& batch, double beta, Rng& rng, Metrics& metrics) const {
  const std::int64_t draws = learning_.samples * learning_.importance;
  const Terms t = terms(batch, draws, prior_state(), rng, learning_.doubly_reparameterised);
  const Tensor log_weights = t.log_weights(beta).view({-1, learning_.importance});
  const double bound = mean_of(importance_bound(t.log_weights().detach().view({-1, learning_.importance})));
  metrics = {
      {"bound", bound}, {"divergence", mean_of(t.log_posterior) - mean_of(t.log_prior)}, {"beta", beta}};
  if (!learning_.doubly_reparameterised) return -ordered_mean(importance_bound(log_weights));
  const Tensor weights = normalised_weights(log_weights);
  *t.factors = (weights * beta + (1 - beta)).reshape({-1});
  return -ordered_mean((weights * log_weights).sum(1));
}

Metrics LatentModel::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  Metrics metrics;
  const double beta = beta_at(turn);
  const bool plain = learning_.importance == 1 && !learning_.doubly_reparameterised;
  const Cases cases = cases_of(batch);
  const Tensor loss =
      plain ? evidence_loss(cases, beta, rng, metrics) : importance_loss(cases, beta, rng, metrics);
  const Tensor other = other_loss(cases, rng, metrics);
  fill_gradients(other.defined() ? loss * bound_share() + other : loss, parameters());
  return metrics;
}

// Latent units that say something of the data, and the bound on rows that are not trained on.
Metrics LatentModel::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Cases cases = cases_of(train);
  const Tensor variance = posterior_of(cases).mean.to(at::kDouble).var(0, true);
  Metrics metrics = {{"active_units", static_cast<double>((variance > active_variance).sum().item<double>())},
                     {"train_elbo", mean_of(bound_of(cases, 1, rng))}};
  if (valid.size() > 0) metrics.emplace_back("valid_elbo", mean_of(log_prob_bound(valid, 1, rng)));
  return metrics;
}

// ---------------------------------------------------------------- scores

template <class Weights>
Tensor LatentModel::in_pieces(const Cases& cases, std::int64_t samples, Weights weights) const {
  const PriorState prior = prior_state();
  return bound_in_pieces(name_, cases.x.size(0), samples, draws_at_once,
                         [&](std::int64_t first, std::int64_t count, std::int64_t draws) {
                           return weights(cases.narrow(first, count), draws, prior);
                         });
}

Tensor LatentModel::sample_code(std::int64_t count, Rng& rng) const {
  const Tensor z = prior_state().sample(count, upper_ > 0 ? upper_ : sizes_.latent, rng);
  return upper_ > 0 ? draw(upper_decoder_->forward(z), normal(count, sizes_.latent, rng.next())) : z;
}

Tensor LatentModel::completed(const Rows& rows, std::int64_t steps, Rng& rng) const {
  const Tensor& x = rows.x;
  if (x.size(0) == 0) return x;
  const Tensor gaps = x.isnan(), condition = condition_of(rows);
  auto filled = [&](const Tensor& z) {
    return at::where(gaps, likelihood_->sample(decoded(z, condition), rng), x);
  };
  const PriorState prior = prior_state();
  Cases now{filled(sample_code(x.size(0), rng)), condition};
  Latents z;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Cases seen{told_.defined() && step % 2 == 0 ? x : now.x, condition};
    const Gaussian q = posterior_of(seen);
    Latents proposed = infer(q, 1, rng);
    if (step >= steps / 4 && step > 0) {
      if (z.upper.defined()) z.upper_posterior = upper_encoder_->forward(z.lower);
      const Tensor gain =
          weigh(seen, q, proposed, prior).log_weights() - weigh(seen, q, z, prior).log_weights();
      Tensor limit = at::empty({x.size(0)}, at::kDouble);
      for (std::int64_t r = 0; r < x.size(0); ++r) limit.data_ptr<double>()[r] = std::log1p(-rng.uniform());
      const Tensor accepted = gain.view({-1}) > limit;
      proposed.lower = choose(accepted, proposed.lower, z.lower);
      proposed.upper = choose(accepted, proposed.upper, z.upper);
    }
    z = std::move(proposed);
    now.x = filled(z.lower);
  }
  return now.x;
}

Tensor LatentModel::log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  return bound_of(cases_of(rows), samples, rng);
}

Tensor LatentModel::bound_of(const Cases& cases, std::int64_t samples, Rng& rng) const {
  return in_pieces(cases, samples, [&](const Cases& some, std::int64_t draws, const PriorState& prior) {
    return terms(some, draws, prior, rng).log_weights();
  });
}

Tensor LatentModel::prior_bound(const Cases& cases, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  return in_pieces(cases, samples, [&](const Cases& some, std::int64_t draws, const PriorState& prior) {
    const std::int64_t count = some.x.size(0) * draws;
    const Tensor z = prior_network_ ? draw(prior_network_->forward(some.condition),
                                           normal(count, sizes_.latent, rng.next()))
                                    : prior.sample(count, sizes_.latent, rng);
    return likelihood_->log_prob(decoded(z, some.condition), target(some.x)).view({some.x.size(0), draws});
  });
}

}  // namespace deepgen
