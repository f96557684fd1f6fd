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
  return completed({x, {}}, options_.completion_steps, rng);
}

// ---------------------------------------------------------------- scores

Tensor Vae::log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) {
  return bound_of({x, {}}, samples, rng);
}

}  // namespace deepgen
