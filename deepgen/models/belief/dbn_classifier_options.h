// Options of the deep belief network that is fine-tuned to tell classes apart (dbn_classifier.h). Torch-free.
#pragma once

#include "deepgen/models/belief/fine_tuned_dbn_options.h"

namespace deepgen {

struct DbnClassifierOptions : FineTunedOptions {
  DbnClassifierOptions() { layers = "500,500,2000"; }
};

struct DbnClassifierLearning : FineTuneLearning {
  double dropout_visible = 0, dropout = 0;
  double max_norm = 0;

  void visit(OptionVisitor& v) override {
    v.field({"dropout_visible", "share of the visible units left out of each update of fine_tune; 0: none", 0,
             0.99},
            dropout_visible);
    v.field({"dropout", "share of the hidden units left out of each update of fine_tune; 0: none", 0, 0.99},
            dropout);
    v.field({"max_norm",
             "longest vector of weights into a unit in fine_tune; longer ones are shortened; 0: any", 0, 1e6},
            max_norm);
    FineTuneLearning::visit(v);
  }
};

class DbnClassifier;

struct DbnClassifierCard {
  using Model = DbnClassifier;
  using ModelOptions = DbnClassifierOptions;
  using LearningOptions = DbnClassifierLearning;
  static ModelCard card() {
    return {.name = "dbn_classifier",
            .title = "Deep belief network fine-tuned to tell classes apart",
            .source =
                "Hinton, Osindero, Teh 2006; Bengio, Lamblin, Popovici, Larochelle 2007; Srivastava, Hinton, "
                "Krizhevsky, Sutskever, Salakhutdinov 2014",
            .family = "belief",
            .training = DbnCard::training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                      ColumnKind::mean_field},
            .needs_labels = true,
            .recipe = "dbn-classify",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    const std::string few = "model.layers=6,4", large = "model.weight_scale=0.1";
    const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 3},
                                            {ColumnKind::softmax, 3, 3},
                                            {ColumnKind::gaussian, 6, 2},
                                            {ColumnKind::mean_field, 8, 2}};
    return {{.name = "", .settings = {few, large}},
            {.name = "dropout",
             .settings = {"model.layers=6,5,4", large, "training.dropout=0.5", "training.dropout_visible=0.2",
                          "training.max_norm=1"}},
            {.name = "random_start", .settings = {few, "training.pretrain=false"}},
            {.name = "rectified", .settings = {few, large, "model.hidden_units=rectified"}},
            {.name = "grey", .settings = {few, large}, .values = ValueKind::grey},
            {.name = "real", .settings = {few, large}, .values = ValueKind::real},
            {.name = "table", .settings = {few, large}, .groups = table}};
  }
};

}  // namespace deepgen
