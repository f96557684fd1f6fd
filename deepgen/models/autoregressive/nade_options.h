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
            .title = "Neural autoregressive distribution estimator",
            .source = "Larochelle and Murray 2011",
            .family = "autoregressive",
            .training = adam_training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax},
            .table = {.bins = true},
            .recipe = "nade-adult",
            .small_cases = {{.name = "", .settings = {"model.hidden=5"}},
                            {.name = "groups",
                             .settings = {"model.hidden=5"},
                             .values = ValueKind::mixed,
                             .groups = {{ColumnKind::softmax, 0, 3},
                                        {ColumnKind::binary, 3, 2},
                                        {ColumnKind::softmax, 5, 2},
                                        {ColumnKind::softmax, 7, 4}}}}};
  }
};

}  // namespace deepgen
