// Options of NADE (nade.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"

namespace deepgen {

struct NadeOptions : Options {
  std::int64_t hidden = 500;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units of each conditional; their weights are shared", 1, 1e6}, hidden);
  }
};

}  // namespace deepgen
