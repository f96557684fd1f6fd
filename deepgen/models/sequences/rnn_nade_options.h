// Options of the RNN-NADE (rnn_nade.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct RnnNadeOptions : Options {
  std::int64_t hidden = 150, recurrent = 100;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units of each conditional of a row; their weights are shared", 1, 1e6},
            hidden);
    v.field({"recurrent", "recurrent units, which remember the rows before", 1, 1e5}, recurrent);
  }
};

class RnnNade;

struct RnnNadeCard {
  using Model = RnnNade;
  using ModelOptions = RnnNadeOptions;
  using LearningOptions = NoOptions;
  static ModelCard card() {
    TrainingOptions training = adam_training();
    training.batch = 10;
    training.epochs = 200;
    training.clip = 5;
    return {.name = "rnn_nade",
            .title = "Recurrent net over neural autoregressive estimators: sequences of bits",
            .source = "Boulanger-Lewandowski, Bengio, Vincent 2012",
            .family = "sequences",
            .training = training,
            .takes = {ColumnKind::binary},
            .recipe = "rnn-nade-jsb",
            .small_cases = {{.name = "", .settings = {"model.hidden=5", "model.recurrent=3"}}}};
  }
};

}  // namespace deepgen
