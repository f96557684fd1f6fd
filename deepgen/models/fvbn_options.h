// Options of the fully visible belief network (fvbn.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"

namespace deepgen {

struct FvbnOptions : Options {
  std::string order = "natural";

  void visit(OptionVisitor& v) override {
    v.field({"order",
             "of the columns: as in the data, or random, drawn once from the seed",
             0,
             0,
             {"natural", "random"}},
            order);
  }
};

}  // namespace deepgen
