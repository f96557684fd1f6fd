#include "deepgen/models/mixtures/bernoulli_mixture.h"

#include "deepgen/model/create.h"

namespace deepgen {

BernoulliMixture::BernoulliMixture(MixtureOptions options, MixtureLearning learning, const DataShape& data)
    : HiddenMixture(
          "bernoulli_mixture", options.components,
          std::make_shared<BernoulliComponents>(options.components, data.columns, learning.pseudo_count)),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

template std::shared_ptr<Model> create<BernoulliMixtureCard>(const Options&, const Options&,
                                                             const DataShape&);

}  // namespace deepgen
