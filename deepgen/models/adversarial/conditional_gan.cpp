#include "deepgen/models/adversarial/conditional_gan.h"

#include "deepgen/model/create.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {

ConditionalGan::ConditionalGan(const GanOptions& options, const GanLearning& learning, const DataShape& data)
    : DenseAdversaries("conditional_gan", options, learning, data,
                       required_classes("conditional_gan", data.classes, "gan")) {}

Tensor ConditionalGan::sample_given(const Tensor& y, Rng& rng) const {
  const std::int64_t count = y.defined() ? y.size(0) : 0;
  const Tensor label = one_hot(y, count);
  return count == 0 ? at::empty({0, columns()}) : draw(count, label, rng);
}

template std::shared_ptr<Model> create<ConditionalGanCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
