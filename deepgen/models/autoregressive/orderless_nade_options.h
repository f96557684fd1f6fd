// Options of the order-agnostic NADE (orderless_nade.h). Torch-free.
#pragma once

#include "deepgen/core/error.h"
#include "deepgen/model/model_card.h"

namespace deepgen {

struct OrderlessNadeOptions : Options {
  std::string hidden = "512,512+,512+";
  std::string activation = "relu";
  std::string direct = "auto";
  std::int64_t embedding = 16;

  void visit(OptionVisitor& v) override {
    v.field({"hidden",
             "sizes of the hidden layers, as in 512,512+; at least one. A layer with + is added to "
             "what it receives, which must be of its size"},
            hidden);
    v.field({"activation", "of hidden units", 0, 0, {"relu", "tanh", "sigmoid"}}, activation);
    v.field({"direct",
             "weights from what is known straight to the log odds; auto: where there are categories",
             0,
             0,
             {"auto", "true", "false"}},
            direct);
    v.field(
        {"embedding",
         "learnt numbers that stand for a value of a category of more values than these; 0: a column each", 0,
         10000},
        embedding);
  }
  void check() const override {
    if (hidden.empty()) fail_usage("model.hidden", "expected at least one hidden layer, as in 500,500");
  }
};

struct OrderlessNadeLearning : Options {
  double dropout = 0;

  void visit(OptionVisitor& v) override {
    v.field({"dropout", "share of the hidden units dropped at random in training", 0, 0.95}, dropout);
  }
};

class OrderlessNade;

struct OrderlessNadeCard {
  using Model = OrderlessNade;
  using ModelOptions = OrderlessNadeOptions;
  using LearningOptions = OrderlessNadeLearning;
  static TrainingOptions training() {
    TrainingOptions training = adam_training();
    training.batch = 200;
    training.schedule = "cosine";
    training.average = 0.999;
    training.updates = 10000;
    return training;
  }
  static ModelCard card() {
    return {.name = "orderless_nade",
            .title = "Deep NADE for every order of the columns: tables, with gaps too",
            .source = "Uria, Murray, Larochelle 2014",
            .family = "autoregressive",
            .training = training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax},
            .table = {.bins = true, .marks = true},
            .recipe = "orderless-mushrooms",
            .small_cases = {
                {.name = "", .settings = {"model.hidden=9,7"}},
                {.name = "groups",
                 .settings = {"model.hidden=9,9+", "model.embedding=2", "model.direct=true"},
                 .groups = {
                     {ColumnKind::softmax, 0, 3}, {ColumnKind::binary, 3, 2}, {ColumnKind::softmax, 5, 2}}}}};
  }
};

}  // namespace deepgen
