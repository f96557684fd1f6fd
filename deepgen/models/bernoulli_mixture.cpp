#include "deepgen/models/bernoulli_mixture.h"

namespace deepgen {

BernoulliMixture::BernoulliMixture(MixtureOptions options, MixtureLearning learning, std::int64_t columns)
    : Mixture("bernoulli_mixture", options.components,
              std::make_shared<BernoulliComponents>(options.components, columns, learning.pseudo_count)),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

}  // namespace deepgen
