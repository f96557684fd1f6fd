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
            .takes = {ColumnKind::binary},
            .recipe = "fvbn",
            .small_cases = {{.name = "", .settings = {}},
                            {.name = "random_order", .settings = {"model.order=random"}}}};
  }
};

}  // namespace deepgen
