// Options of the real-valued NADE (rnade.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

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

class Rnade;

struct RnadeCard {
  using Model = Rnade;
  using ModelOptions = RnadeOptions;
  using LearningOptions = NoOptions;
  static ModelCard card() {
    return {
        .name = "rnade",
        .title = "Real-valued NADE: each column a mixture of Gaussians given those before it",
        .source = "Uria, Murray, Larochelle 2013",
        .family = "autoregressive",
        .training = adam_training(),
        .takes = {ColumnKind::gaussian, ColumnKind::mean_field},
        .recipe = "rnade-wine",
        .small_cases = {
            {.name = "", .settings = {"model.hidden=5", "model.components=4"}, .values = ValueKind::real}}};
  }
};

}  // namespace deepgen
