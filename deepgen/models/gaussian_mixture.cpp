#include "deepgen/models/gaussian_mixture.h"

namespace deepgen {
namespace {

std::shared_ptr<Components> components_of(const GaussianMixtureOptions& options,
                                          const GaussianMixtureLearning& learning, std::int64_t columns) {
  const GaussianPrior prior{learning.pseudo_count, learning.smallest_deviation};
  if (options.covariance == "full")
    return std::make_shared<FullComponents>(options.components, columns, prior);
  return std::make_shared<DiagonalComponents>(options.components, columns, prior);
}

}  // namespace

GaussianMixture::GaussianMixture(GaussianMixtureOptions options, GaussianMixtureLearning learning,
                                 std::int64_t columns)
    : Mixture("gaussian_mixture", options.components, components_of(options, learning, columns)),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

}  // namespace deepgen
