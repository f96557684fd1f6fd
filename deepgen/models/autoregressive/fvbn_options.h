// Options of the fully visible belief network (fvbn.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

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

class Fvbn;

struct FvbnCard {
  using Model = Fvbn;
  using ModelOptions = FvbnOptions;
  using LearningOptions = NoOptions;
  static ModelCard card() {
    return {.name = "fvbn",
            .title = "Fully visible belief network: logistic autoregression",
            .source = "Frey, Hinton, Dayan 1996; Frey 1998; Larochelle and Murray 2011",
            .family = "autoregressive",
            .training = adam_training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax},
            .table = {.bins = true},
            .recipe = "fvbn",
            .small_cases = {{.name = "", .settings = {}},
                            {.name = "random_order", .settings = {"model.order=random"}},
                            {.name = "groups",
                             .settings = {"model.order=random"},
                             .values = ValueKind::mixed,
                             .groups = {{ColumnKind::softmax, 0, 3},
                                        {ColumnKind::binary, 3, 2},
                                        {ColumnKind::softmax, 5, 2},
                                        {ColumnKind::softmax, 7, 4}}}}};
  }
};

}  // namespace deepgen
