// Options of NADE (nade.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct NadeOptions : Options {
  std::int64_t hidden = 500;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units of each conditional; their weights are shared", 1, 1e6}, hidden);
  }
};

class Nade;

struct NadeCard {
  using Model = Nade;
  using ModelOptions = NadeOptions;
  using LearningOptions = NoOptions;
  static ModelCard card() {
    return {.name = "nade",
            .title = "Neural autoregressive distribution estimator of bits",
            .source = "Larochelle and Murray 2011",
            .family = "autoregressive",
            .training = adam_training(),
            .takes = {ColumnKind::binary},
            .recipe = "nade-adult",
            .small_cases = {{.name = "", .settings = {"model.hidden=5"}}}};
  }
};

}  // namespace deepgen
