// Options of the discriminative restricted Boltzmann machine (discriminative_rbm.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"
#include "deepgen/models/boltzmann/rbm_options.h"

namespace deepgen {

struct DiscriminativeRbmOptions : Options {
  std::int64_t hidden = 500;
  std::string visible_units = "auto";
  double weight_scale = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units; at most 25 make every likelihood exact", 1, 1e6}, hidden);
    v.field({"visible_units",
             "auto goes by the data: binary, mean_field for grey values in [0, 1], one-hot groups; "
             "expected_bits takes grey values as the means of bits",
             0,
             0,
             {"auto", "expected_bits"}},
            visible_units);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct DiscriminativeRbmLearning : Options {
  std::string objective = "hybrid";
  double generative_weight = 0.01;
  double unlabelled_weight = 0.1;
  std::string learning = "cd";
  std::string gibbs_steps = "1";
  std::int64_t chains = 100;

  void check() const override { parse_gibbs_steps(gibbs_steps); }
  void visit(OptionVisitor& v) override {
    v.field({"objective",
             "what is maximised of labelled rows: log p(y | x) (discriminative), that and generative_weight "
             "times log p(x, y) (hybrid), or log p(x, y) alone (generative)",
             0,
             0,
             {"discriminative", "hybrid", "generative"}},
            objective);
    v.field({"generative_weight", "weight of log p(x, y) of labelled rows (hybrid)", 0, 1e3},
            generative_weight);
    v.field({"unlabelled_weight", "weight of log p(x) of rows whose label is unknown, whatever the objective",
             0, 1e3},
            unlabelled_weight);
    v.field(
        {"learning",
         "where the model's statistics of the generative part come from: cd (chains restart at the data), "
         "pcd (chains persist), exact (enumeration; small machines only)",
         0,
         0,
         {"cd", "pcd", "exact"}},
        learning);
    v.field({"gibbs_steps", "Gibbs steps an update: K, or A..B to raise it evenly over the run"},
            gibbs_steps);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
  }
};

class DiscriminativeRbm;

struct DiscriminativeRbmCard {
  using Model = DiscriminativeRbm;
  using ModelOptions = DiscriminativeRbmOptions;
  using LearningOptions = DiscriminativeRbmLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=4";
    const std::vector<ColumnGroup> table = {
        {ColumnKind::binary, 0, 2}, {ColumnKind::softmax, 2, 3}, {ColumnKind::mean_field, 5, 2}};
    TrainingOptions training = adam_training();
    training.epochs = 50;
    return {
        .name = "discriminative_rbm",
        .title = "Classification restricted Boltzmann machine: discriminative, hybrid, semi-supervised",
        .source = "Larochelle and Bengio 2008; Larochelle, Mandel, Pascanu, Bengio 2012",
        .family = "boltzmann",
        .training = training,
        .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::mean_field},
        .table = {.bins = true},
        .needs_labels = true,
        .recipe = "hdrbm",
        .small_cases = {{.name = "", .settings = {few}},
                        {.name = "discriminative", .settings = {few, "training.objective=discriminative"}},
                        {.name = "generative",
                         .settings = {few, "training.objective=generative", "training.learning=pcd"}},
                        {.name = "grey", .settings = {few}, .values = ValueKind::grey},
                        {.name = "table", .settings = {few}, .values = ValueKind::mixed, .groups = table}}};
  }
};

}  // namespace deepgen
