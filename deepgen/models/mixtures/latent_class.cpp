#include "deepgen/models/mixtures/latent_class.h"

#include "deepgen/model/create.h"
#include "deepgen/parts/likelihoods/mixture_products.h"

namespace deepgen {

LatentClass::LatentClass(LatentClassOptions options, GaussianMixtureLearning learning, const DataShape& data)
    : HiddenMixture("latent_class", options.components,
                    product_components(options.components, data.column_groups(),
                                       {learning.pseudo_count, learning.smallest_deviation})),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

template std::shared_ptr<Model> create<LatentClassCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
