// Options of the deep autoencoder (deep_autoencoder.h). Torch-free.
#pragma once

#include "deepgen/models/belief/fine_tuned_dbn_options.h"

namespace deepgen {

struct DeepAutoencoderOptions : FineTunedOptions {
  std::string code_units = "gaussian";
  bool tied = false;

  DeepAutoencoderOptions() { layers = "1000,500,250,30"; }
  // Of the network: the code is its uppermost layer.
  DbnOptions stack() const {
    DbnOptions all = *this;
    std::vector<std::string> kinds = layer_items(hidden_units);
    kinds.resize(std::max<std::size_t>(1, sizes().size()) - 1, kinds.back());
    kinds.push_back(code_units);
    all.hidden_units.clear();
    for (const std::string& kind : kinds) all.hidden_units += (all.hidden_units.empty() ? "" : ",") + kind;
    return all;
  }
  void check() const override {
    FineTunedOptions::check();
    const std::size_t kinds = layer_items(hidden_units).size();
    if (kinds > 1 && kinds >= sizes().size())
      fail_usage("model.hidden_units",
                 "expected items for the layers below the code alone, whose units are model.code_units");
    if (visible_units != "auto" && visible_units != "binary" && visible_units != "softmax" &&
        visible_units != "gaussian")
      fail_usage(
          "model.visible_units",
          "expected units that are reconstructed by cross-entropy or squared error (auto, binary, softmax, "
          "gaussian), got " +
              visible_units);
    stack().check();
  }
  void visit(OptionVisitor& v) override {
    v.field({"code_units",
             "kind of the units of the uppermost layer, the code: gaussian makes it linear",
             0,
             0,
             {"gaussian", "binary", "rectified"}},
            code_units);
    v.field(
        {"tied", "whether the decoder keeps the transposed weights of the encoder, or only begins with them"},
        tied);
    FineTunedOptions::visit(v);
  }
};

struct DeepAutoencoderLearning : FineTuneLearning {
  double code_rate = 1e-3;

  void visit(OptionVisitor& v) override {
    v.field({"code_rate",
             "learning rate of the stages of layers whose hidden units are not binary, the code among them; "
             "such units have no bound, and learn ten to a hundred times slower",
             0, 1e3},
            code_rate);
    FineTuneLearning::visit(v);
  }
};

class DeepAutoencoder;

struct DeepAutoencoderCard {
  using Model = DeepAutoencoder;
  using ModelOptions = DeepAutoencoderOptions;
  using LearningOptions = DeepAutoencoderLearning;
  static ModelCard card() {
    return {.name = "deep_autoencoder",
            .title = "Deep autoencoder, a belief network unrolled and fine-tuned",
            .source = "Hinton and Salakhutdinov 2006",
            .family = "belief",
            .training = DbnCard::training(),
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::gaussian, ColumnKind::mean_field},
            .recipe = "deep-autoencoder-30",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    const std::string few = "model.layers=6,3", large = "model.weight_scale=0.1";
    const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 3},
                                            {ColumnKind::softmax, 3, 3},
                                            {ColumnKind::gaussian, 6, 2},
                                            {ColumnKind::mean_field, 8, 2}};
    return {{.name = "", .settings = {few, large}},
            {.name = "tied", .settings = {"model.layers=6,5,3", large, "model.tied=true"}},
            {.name = "random_start", .settings = {few, "training.pretrain=false", "model.code_units=binary"}},
            {.name = "rectified",
             .settings = {few, large, "model.hidden_units=rectified", "model.code_units=rectified"}},
            {.name = "grey", .settings = {few, large}, .values = ValueKind::grey},
            {.name = "real", .settings = {few, large}, .values = ValueKind::real},
            {.name = "table", .settings = {few, large}, .groups = table}};
  }
};

}  // namespace deepgen
