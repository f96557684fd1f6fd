// Options of the convolutional restricted Boltzmann machine (conv_rbm.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct ConvRbmOptions : Options {
  std::int64_t filters = 40;
  std::int64_t filter = 11;
  std::int64_t pooling = 2;
  std::string visible_units = "auto";
  std::string visible_bias = "channel";
  double deviation = 1;
  double weight_scale = 0.01;
  // What the sizes are called where a machine is a layer of something.
  std::string filter_option = "model.filter", pooling_option = "model.pooling";

  void visit(OptionVisitor& v) override {
    v.field({"filters", "filters; each has a map of hidden units and one of pooling units", 1, 1e5}, filters);
    v.field({"filter", "height and width of a filter; of lines of cells its width", 1, 1e4}, filter);
    v.field({"pooling",
             "height and width of a block of hidden units, at most one of which is on; must divide the map, "
             "which is the picture's side less the filter's, plus 1. 1: no pooling",
             1, 1e4},
            pooling);
    v.field({"visible_units",
             "auto goes by the data: binary, mean_field for grey values in [0, 1], Gaussian for reals; "
             "expected_bits takes grey values as the means of bits",
             0,
             0,
             {"auto", "expected_bits"}},
            visible_units);
    v.field({"visible_bias",
             "biases of the visible units: one for each channel, the same everywhere, or one for each pixel",
             0,
             0,
             {"channel", "pixel"}},
            visible_bias);
    v.field(
        {"deviation",
         "standard deviation of Gaussian pixels given the hidden units, as a share of their channel's own",
         1e-3, 10},
        deviation);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct ConvRbmLearning : Options {
  std::string learning = "pcd";
  std::int64_t gibbs_steps = 1, chains = 100;
  double sparsity = 0;
  double sparsity_cost = 1;
  std::int64_t gap_steps = 5;

  void visit(OptionVisitor& v) override {
    v.field(
        {"learning",
         "where the model's statistics come from: cd (chains restart at the data) or pcd (chains persist)",
         0,
         0,
         {"cd", "pcd"}},
        learning);
    v.field({"gibbs_steps", "Gibbs steps an update", 1, 1e5}, gibbs_steps);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
    v.field({"sparsity", "wanted mean activity of a hidden unit; 0 wants nothing", 0, 1}, sparsity);
    v.field({"sparsity_cost", "weight of the sparsity target in the gradient of the hidden biases", 0, 1e3},
            sparsity_cost);
    v.field({"gap_steps", "Gibbs steps that fill the missing cells of a batch before its update", 1, 1e5},
            gap_steps);
  }
};

class ConvRbm;

struct ConvRbmCard {
  using Model = ConvRbm;
  using ModelOptions = ConvRbmOptions;
  using LearningOptions = ConvRbmLearning;
  static ModelCard card() {
    return {.name = "conv_rbm",
            .title = "Convolutional restricted Boltzmann machine with probabilistic max pooling",
            .source = "Lee, Grosse, Ranganath, Ng 2009",
            .family = "boltzmann",
            .training = adam_training(),
            .takes = {ColumnKind::binary, ColumnKind::gaussian, ColumnKind::mean_field},
            .recipe = "conv-rbm",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    const std::string two = "model.filters=2", three = "model.filter=3", cd = "training.learning=cd";
    return {
        {.name = "", .settings = {two, three}, .pictures = true},
        {.name = "line", .settings = {two, three}},
        {.name = "unpooled", .settings = {two, "model.filter=2", "model.pooling=1", cd}, .pictures = true},
        {.name = "dense",
         .settings = {two, "model.filter=4", "model.pooling=1", "model.visible_bias=pixel"},
         .pictures = true},
        {.name = "sparse", .settings = {two, three, "training.sparsity=0.05", cd}, .pictures = true},
        {.name = "grey", .settings = {two, three}, .values = ValueKind::grey, .pictures = true},
        {.name = "real", .settings = {two, three}, .values = ValueKind::real, .pictures = true}};
  }
};

}  // namespace deepgen
