// Options of MADE (made.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct MadeOptions : Options {
  std::string hidden = "500";
  std::string activation = "relu";
  bool direct = true;
  std::int64_t masks = 1;
  std::string order = "natural";

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "sizes of the hidden layers, as in 500,500"}, hidden);
    v.field({"activation", "of hidden units", 0, 0, {"relu", "tanh", "sigmoid"}}, activation);
    v.field({"direct", "connect inputs to outputs past the hidden layers too"}, direct);
    v.field({"masks",
             "connectivities, drawn once and trained in turn; each is an exact distribution, and "
             "`evaluate --orders` takes the mean over several",
             1, 1e6},
            masks);
    v.field({"order",
             "of the columns: as in the data, or random, another one for each mask",
             0,
             0,
             {"natural", "random"}},
            order);
  }
};

struct MadeLearning : Options {
  double input_dropout = 0;
  double dropout = 0;

  void visit(OptionVisitor& v) override {
    v.field({"input_dropout", "share of the inputs dropped at random in training", 0, 0.95}, input_dropout);
    v.field({"dropout", "share of the hidden units dropped at random in training", 0, 0.95}, dropout);
  }
};

class Made;

struct MadeCard {
  using Model = Made;
  using ModelOptions = MadeOptions;
  using LearningOptions = MadeLearning;
  static ModelCard card() {
    return {.name = "made",
            .title = "Masked autoencoder for distribution estimation, with one or many masks",
            .source = "Germain, Gregor, Murray, Larochelle 2015",
            .family = "autoregressive",
            .training = adam_training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax},
            .table = {.bins = true},
            .recipe = "made-dna",
            .small_cases = {{.name = "", .settings = {"model.hidden=9,7", "model.masks=3"}},
                            {.name = "random_order",
                             .settings = {"model.hidden=9,7", "model.masks=3", "model.order=random"}},
                            {.name = "groups",
                             .settings = {"model.hidden=9,7", "model.masks=3", "model.order=random"},
                             .values = ValueKind::mixed,
                             .groups = {{ColumnKind::softmax, 0, 3},
                                        {ColumnKind::binary, 3, 2},
                                        {ColumnKind::softmax, 5, 2},
                                        {ColumnKind::softmax, 7, 4}}}}};
  }
};

}  // namespace deepgen
