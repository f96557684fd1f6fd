#include "deepgen/models/adversarial/gan.h"

#include "deepgen/model/create.h"

namespace deepgen {

Gan::Gan(const GanOptions& options, const GanLearning& learning, const DataShape& data)
    : DenseAdversaries("gan", options, learning, data, 0) {}

Tensor Gan::sample(std::int64_t count, Rng& rng) const { return draw(count, {}, rng); }

template std::shared_ptr<Model> create<GanCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
