// Options of the deep belief network with labels (labelled_dbn.h): those of its uppermost machine, and how
// layers are stacked below it. Torch-free.
#pragma once

#include <string>
#include <vector>

#include "deepgen/models/belief/dbn_options.h"
#include "deepgen/models/boltzmann/discriminative_rbm_options.h"

namespace deepgen {

struct LabelledDbnOptions : DiscriminativeRbmOptions {
  std::string layers = "500,500,2000";

  std::vector<std::int64_t> sizes() const { return parse_sizes("model.layers", layers); }
  // Of the machine whose hidden units are layer `l`, from 0, below the uppermost.
  RbmOptions lower(std::size_t l) const {
    RbmOptions options;
    options.hidden = sizes().at(l), options.weight_scale = weight_scale;
    return options;
  }
  DiscriminativeRbmOptions top() const {
    DiscriminativeRbmOptions options = *this;
    options.hidden = sizes().back();
    if (sizes().size() > 1) options.visible_units = "auto";  // the bits of the layer below
    return options;
  }
  void check() const override {
    if (sizes().empty())
      fail_usage("model.layers", "expected the size of at least one layer, as in 500,500,2000");
  }
  void visit(OptionVisitor& v) override {
    v.field({"layers",
             "units of each hidden layer, from the data up; the last is joined with the one below it and the "
             "label; at most 25 units in it make log Z exact"},
            layers);
    FieldsBut rest(v, {"hidden"});
    DiscriminativeRbmOptions::visit(rest);
  }
};

struct LabelledDbnLearning : DiscriminativeRbmLearning {
  std::string inputs = "samples";
  double up_down = 0.5;
  double up_down_rate = 0;
  std::string up_down_steps = "3,6,10";

  std::vector<std::int64_t> steps() const { return parse_sizes("training.up_down_steps", up_down_steps); }
  RbmLearning lower() const {
    RbmLearning rule;
    rule.learning = learning, rule.gibbs_steps = gibbs_steps, rule.chains = chains;
    rule.centring = false;  // up-down is of the plain parameters
    return rule;
  }
  // log p(h_L-1, y), and log p(h_L-1) of a row whose label is unknown.
  DiscriminativeRbmLearning top() const {
    DiscriminativeRbmLearning rule = *this;
    rule.objective = "generative", rule.unlabelled_weight = 1;
    return rule;
  }
  void check() const override {
    DiscriminativeRbmLearning::check();
    if (steps().empty())
      fail_usage("training.up_down_steps", "expected one number of Gibbs steps at least, as in 3,6,10");
  }
  void visit(OptionVisitor& v) override {
    FieldsBut rest(v, {"objective", "generative_weight", "unlabelled_weight"});
    DiscriminativeRbmLearning::visit(rest);
    v.field({"inputs",
             "what a layer learns of those below, before up-down: a draw of their units for each row of each "
             "batch, or their means",
             0,
             0,
             {"samples", "means"}},
            inputs);
    v.field(
        {"up_down",
         "share of the epochs that falls to up-down learning of all layers together, the rest being shared "
         "evenly by the layers one by one; 0: none",
         0, 0.99},
        up_down);
    v.field({"up_down_rate",
             "learning rate at the start of up-down, in place of training.rate; 0: training.rate", 0, 1e3},
            up_down_rate);
    v.field({"up_down_steps",
             "Gibbs steps of the uppermost machine an update of up-down: one number or several, each for an "
             "equal part of it, as in 3,6,10"},
            up_down_steps);
  }
};

class LabelledDbn;

struct LabelledDbnCard {
  using Model = LabelledDbn;
  using ModelOptions = LabelledDbnOptions;
  using LearningOptions = LabelledDbnLearning;
  static ModelCard card() {
    TrainingOptions training;
    training.rate = 0.05, training.momentum = 0.9;
    return {.name = "labelled_dbn",
            .title = "Deep belief network with labels, learnt by layers and then by up-down",
            .source = "Hinton, Osindero, Teh 2006; Hinton, Dayan, Frey, Neal 1995",
            .family = "belief",
            .training = training,
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::mean_field},
            .table = {.bins = true},
            .needs_labels = true,
            .recipe = "dbn-up-down",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    const std::string few = "model.layers=6,4", large = "model.weight_scale=0.1",
                      larger = "model.weight_scale=0.3";
    const std::vector<ColumnGroup> table = {
        {ColumnKind::binary, 0, 3}, {ColumnKind::softmax, 3, 3}, {ColumnKind::binary, 6, 2}};
    return {{.name = "", .settings = {few, large}},
            {.name = "three_layers", .settings = {"model.layers=6,5,4", large, "training.up_down_steps=2"}},
            {.name = "layers_alone",
             .settings = {few, large, "training.up_down=0", "training.learning=pcd", "training.chains=20"}},
            {.name = "grey",
             .settings = {few, larger, "model.visible_units=expected_bits", "training.inputs=means",
                          "training.up_down_rate=0.1"},
             .values = ValueKind::grey},
            {.name = "table", .settings = {few, larger}, .groups = table}};
  }
};

}  // namespace deepgen
