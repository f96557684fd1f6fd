#include "deepgen/parts/couplings/softmax_gauge.h"

namespace deepgen {

void take_group_means(Tensor& w, const UnitLayer& layer, Side side,
                      const std::function<void(const Tensor& mean)>& give) {
  const std::int64_t along = side == Side::lower ? 0 : 1;
  for (const UnitGroup& group : layer.groups()) {
    if (group.kind != UnitKind::softmax) continue;
    Tensor part = w.narrow(along, group.first, group.size);
    const Tensor mean = part.mean(along);
    part.sub_(mean.unsqueeze(along));
    give(mean);
  }
}

}  // namespace deepgen
