#include "deepgen/models/mixtures/gaussian_mixture.h"

#include "deepgen/model/create.h"

namespace deepgen {
namespace {

std::shared_ptr<MixtureComponents> components_of(const GaussianMixtureOptions& options,
                                                 const GaussianMixtureLearning& learning,
                                                 std::int64_t columns) {
  const GaussianPrior prior{learning.pseudo_count, learning.smallest_deviation};
  if (options.covariance == "full")
    return std::make_shared<FullComponents>(options.components, columns, prior);
  return std::make_shared<DiagonalComponents>(options.components, columns, prior);
}

}  // namespace

GaussianMixture::GaussianMixture(GaussianMixtureOptions options, GaussianMixtureLearning learning,
                                 const DataShape& data)
    : HiddenMixture("gaussian_mixture", options.components, components_of(options, learning, data.columns)),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

template std::shared_ptr<Model> create<GaussianMixtureCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
