#include "deepgen/models/vae.h"

#include <cmath>

namespace deepgen {
namespace {

std::optional<PictureShape> pictures_of(const VaeOptions& options, const std::vector<std::int64_t>& shape) {
  if (options.network == "dense") return {};
  PictureShape pictures{shape, parse_sizes("model.channels", options.channels), options.activation,
                        options.pooling};
  check_pictures("model.network", pictures);
  return pictures;
}

LatentShape shape_of(const VaeOptions& options, const Likelihood& likelihood,
                     const std::vector<std::int64_t>& case_shape) {
  return {.inputs = likelihood.columns(),
          .bounded = likelihood.bounded(),
          .prior = options.prior,
          .prior_components = options.prior_components,
          .upper = options.upper_latent,
          .upper_hidden = parse_sizes("model.upper_hidden", options.upper_hidden),
          .pictures = pictures_of(options, case_shape)};
}

// Rows of `a` where chosen [R] is true, else of `b`.
Tensor choose(const Tensor& chosen, const Tensor& a, const Tensor& b) {
  return a.defined() ? at::where(chosen.unsqueeze(1), a, b) : a;
}

}  // namespace

Vae::Vae(const VaeOptions& options, VaeLearning learning, std::shared_ptr<Likelihood> likelihood,
         const std::vector<std::int64_t>& case_shape)
    : LatentModel("vae", options, std::move(learning), likelihood,
                  shape_of(options, *likelihood, case_shape)),
      options_(options) {}

// ---------------------------------------------------------------- conditionals

Tensor Vae::encode(const Tensor& x) {
  NoGradGuard no_graph;
  return posterior_of({x, {}}).mean;
}

Tensor Vae::decode(const Tensor& code) {
  NoGradGuard no_graph;
  return likelihood_->mean(decoder_->forward(code));
}

// ---------------------------------------------------------------- sampling

Tensor Vae::sample(std::int64_t count, Rng& rng) {
  NoGradGuard no_graph;
  return likelihood_->sample(decoder_->forward(sample_code(count, rng)), rng);
}

Tensor Vae::complete(const Tensor& x, Rng& rng) {
  NoGradGuard no_graph;
  if (x.size(0) == 0) return x;
  const Tensor gaps = x.isnan();
  const PriorState prior = prior_state();
  Batch now{at::where(gaps, sample(x.size(0), rng), x), {}};
  Latents z;
  for (std::int64_t step = 0; step < options_.completion_steps; ++step) {
    const Gaussian q = posterior_of(now);
    Latents proposed = infer(q, 1, rng);
    if (step >= options_.completion_steps / 4 && step > 0) {
      if (z.upper.defined()) z.upper_posterior = upper_encoder_->forward(z.lower);
      const Tensor gain =
          weigh(now, q, proposed, prior).log_weights() - weigh(now, q, z, prior).log_weights();
      Tensor limit = at::empty({x.size(0)}, at::kDouble);
      for (std::int64_t r = 0; r < x.size(0); ++r) limit.data_ptr<double>()[r] = std::log1p(-rng.uniform());
      const Tensor accepted = gain.view({-1}) > limit;
      proposed.lower = choose(accepted, proposed.lower, z.lower);
      proposed.upper = choose(accepted, proposed.upper, z.upper);
    }
    z = std::move(proposed);
    now.x = at::where(gaps, likelihood_->sample(decoder_->forward(z.lower), rng), x);
  }
  return now.x;
}

// ---------------------------------------------------------------- scores

Tensor Vae::log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) {
  return bound_of({x, {}}, samples, rng);
}

}  // namespace deepgen
