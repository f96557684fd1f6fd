#include "deepgen/models/variational/vae.h"

#include "deepgen/model/create.h"

namespace deepgen {
namespace {

std::optional<PictureNetShape> pictures_of(const VaeOptions& options, const DataShape& data) {
  if (options.network == "dense") return {};
  PictureNetShape pictures{data.shape, parse_sizes("model.channels", options.channels), options.activation,
                           options.pooling};
  check_pictures("model.network", pictures);
  return pictures;
}

LatentShape shape_of(const VaeOptions& options, const DataShape& data) {
  return {.prior = options.prior,
          .prior_components = options.prior_components,
          .upper = options.upper_latent,
          .upper_hidden = parse_sizes("model.upper_hidden", options.upper_hidden),
          .pictures = pictures_of(options, data),
          .gaps = gap_inputs(options.network == "dense" ? options.gap_inputs : "never", data)};
}

}  // namespace

Vae::Vae(const VaeOptions& options, const VaeLearning& learning, const DataShape& data)
    : LatentModel("vae", options, learning, case_likelihood("vae", options, data), shape_of(options, data)),
      options_(options) {}

// ---------------------------------------------------------------- conditionals

Tensor Vae::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  return posterior_of(cases_of(rows)).mean;
}

Tensor Vae::decode(const Rows& codes) const {
  NoGradGuard no_graph;
  return likelihood_->mean(decoder_->forward(codes.x));
}

// ---------------------------------------------------------------- sampling

Tensor Vae::sample(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  return likelihood_->sample(decoder_->forward(sample_code(count, rng)), rng);
}

Tensor Vae::complete(const Rows& rows, Rng& rng) const {
  NoGradGuard no_graph;
  return completed(rows, options_.completion_steps, rng);
}

template std::shared_ptr<Model> create<VaeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
