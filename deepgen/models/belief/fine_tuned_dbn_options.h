// Options that the fine-tuned belief networks share (fine_tuned_dbn.h). Torch-free.
#pragma once

#include "deepgen/models/belief/dbn_options.h"

namespace deepgen {

struct FineTunedOptions : DbnOptions {
  void check() const override {
    DbnOptions::check();
    for (const std::string& kind : layer_items(hidden_units))
      if (kind != "binary" && kind != "rectified" && kind != "gaussian")
        fail_usage(
            "model.hidden_units",
            "expected hidden units that fine-tuning has a function of (binary, rectified, gaussian), got " +
                kind);
  }
  void visit(OptionVisitor& v) override {
    v.field({"layers", "units of each hidden layer, from the data up"}, layers);
    std::vector<std::string> kinds = unit_kind_names();
    kinds.insert(kinds.begin(), "auto");
    v.field({"visible_units",
             "kind of the visible units; auto goes by the data, column by column: binary, softmax, count, "
             "gaussian, and "
             "binary for grey values in [0, 1], which are taken as the means of bits",
             0, 0, kinds},
            visible_units);
    v.field({"hidden_units",
             "kind of the hidden units (binary, rectified, gaussian); an item for each layer, as in "
             "rectified,binary, the last for all above it"},
            hidden_units);
    FieldsBut rest(v, {"layers", "visible_units", "hidden_units"});
    DbnOptions::visit(rest);
  }
};

struct FineTuneLearning : DbnLearning {
  bool pretrain = true;
  double fine_share = 2;
  std::string fine_optimiser = "adam";
  double fine_rate = 1e-3;
  double fine_momentum = 0.9;
  std::string fine_schedule = "cosine";
  double fine_rate_final = 0;
  double fine_decay = 0;

  // Layers by short chains in plain parameters: adam, which fine-tuning wants, undoes centring.
  FineTuneLearning() { learning = "cd", inputs = "means", centring = false; }
  void visit(OptionVisitor& v) override {
    v.field(
        {"pretrain",
         "whether layers are trained one after another first; if not, fine_tune is all of the training and "
         "begins with random weights"},
        pretrain);
    v.field({"fine_share",
             "share of the epochs that fine_tune has, beside the layers' of 1 each or training.shares", 1e-3,
             1e6},
            fine_share);
    v.field({"fine_optimiser", "optimiser of fine_tune", 0, 0, {"sgd", "adam"}}, fine_optimiser);
    v.field({"fine_rate", "learning rate at the start of fine_tune", 0, 1e3}, fine_rate);
    v.field({"fine_momentum", "momentum of sgd in fine_tune, or beta1 of adam", 0, 0.9999}, fine_momentum);
    v.field({"fine_schedule",
             "how the rate moves from fine_rate to fine_rate_final",
             0,
             0,
             {"constant", "linear", "cosine", "exponential"}},
            fine_schedule);
    v.field({"fine_rate_final", "learning rate at the end of fine_tune", 0, 1e3}, fine_rate_final);
    v.field({"fine_decay", "weight decay of fine_tune", 0, 1e3}, fine_decay);
    DbnLearning::visit(v);
  }
};

}  // namespace deepgen
