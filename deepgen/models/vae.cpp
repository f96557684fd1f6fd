#include "deepgen/models/vae.h"

#include "deepgen/ops/unit_layers.h"

namespace deepgen {

Vae::Vae(const VaeOptions& options, VaeLearning learning, std::int64_t columns)
    : LatentModel("vae", options, std::move(learning), bernoulli_likelihood(columns),
                  {.inputs = columns, .prior = options.prior, .prior_components = options.prior_components}),
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
  const Tensor z = prior_state().sample(count, sizes_.latent, rng);
  return likelihood_->sample(decoder_->forward(z), rng);
}

// ---------------------------------------------------------------- scores

Tensor Vae::log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) {
  return bound_of({x, {}}, samples, rng);
}

}  // namespace deepgen
