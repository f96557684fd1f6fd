// Options of the real-valued NADE (rnade.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"

namespace deepgen {

struct RnadeOptions : Options {
  std::int64_t hidden = 50;
  std::int64_t components = 10;
  double smallest_deviation = 0.05;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units of each conditional; their weights are shared", 1, 1e5}, hidden);
    v.field({"components", "Gaussians in the mixture of each conditional", 1, 1000}, components);
    v.field({"smallest_deviation",
             "floor of the Gaussians' standard deviations, as a share of each column's own: without one the "
             "density of values that repeat is endless",
             1e-4, 1},
            smallest_deviation);
  }
};

}  // namespace deepgen
