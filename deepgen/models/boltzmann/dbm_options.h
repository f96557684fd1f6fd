// Options of the deep Boltzmann machine (dbm.h). Torch-free.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/model_card.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

struct DbmOptions : Options {
  std::string hidden = "500,1000";
  std::int64_t mean_field_steps = 50;
  double tolerance = 1e-3;
  std::int64_t completion_steps = 200;
  double weight_scale = 0.01;

  std::vector<std::int64_t> sizes() const { return parse_sizes("model.hidden", hidden); }
  void check() const override {
    if (sizes().size() < 2)
      fail_usage("model.hidden", "expected the sizes of two hidden layers or more, as in 500,1000, got '" +
                                     hidden + "'; a machine with one is rbm");
  }
  void visit(OptionVisitor& v) override {
    v.field({"hidden",
             "units of each hidden layer, two or more, from the data up; log Z is exact where the odd or the "
             "even layers (the data are layer 0) have at most 25 units together"},
            hidden);
    v.field({"mean_field_steps", "steps of the mean field at most, each over all hidden layers", 1, 1e5},
            mean_field_steps);
    v.field({"tolerance", "the mean field ends when no mean of a batch moves further than this", 0, 1},
            tolerance);
    v.field({"completion_steps", "Gibbs steps that draw the missing cells of a case", 1, 1e6},
            completion_steps);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct DbmLearning : Options {
  std::string learning = "pcd";
  std::int64_t gibbs_steps = 5, chains = 100;
  bool centring = true;
  double offset_rate = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"learning",
             "where the gradient comes from: pcd (mean field for the data, chains that persist for the "
             "model), or exact (enumeration; small machines only)",
             0,
             0,
             {"pcd", "exact"}},
            learning);
    v.field({"gibbs_steps", "Gibbs steps of the chains an update (pcd)", 1, 1e5}, gibbs_steps);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
    v.field({"centring",
             "subtract moving averages from the units in the gradient; the energy stays plain. Without it "
             "deep layers hardly learn from small weights"},
            centring);
    v.field({"offset_rate", "how fast the moving averages follow the units' means", 0, 1}, offset_rate);
  }
};

class Dbm;

struct DbmCard {
  using Model = Dbm;
  using ModelOptions = DbmOptions;
  using LearningOptions = DbmLearning;
  static ModelCard card() {
    const std::string large = "model.weight_scale=0.5", few = "training.chains=30";
    return {
        .name = "dbm",
        .title = "Deep Boltzmann machine, layers of binary units, all undirected",
        .source = "Salakhutdinov and Hinton 2009; Montavon and Mueller 2012; Melchior, Fischer, Wiskott 2016",
        .family = "boltzmann",
        .training = training(),
        .takes = {ColumnKind::binary},
        .recipe = "dbm-500-1000",
        .small_cases = {
            {.name = "", .settings = {"model.hidden=4,3", large, few}},
            {.name = "three_layers", .settings = {"model.hidden=5,4,3", large, few}},
            {.name = "wide", .settings = {"model.hidden=14,2", large, few}},
            {.name = "exact", .settings = {"model.hidden=4,3", large, "training.learning=exact"}}}};
  }
  static TrainingOptions training() {
    TrainingOptions options;
    options.rate = 0.005, options.momentum = 0.9;
    return options;
  }
};

}  // namespace deepgen
