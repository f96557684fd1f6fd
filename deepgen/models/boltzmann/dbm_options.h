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
  std::int64_t gibbs_steps = 5, chains = 100, temperatures = 10;
  bool centring = true;
  double offset_rate = 0.01;
  double masked = 0.5;
  bool pretrain = false;
  double pretrain_share = 0.3, pretrain_rate = 0.05;
  std::int64_t pretrain_steps = 1;

  void visit(OptionVisitor& v) override {
    v.field({"learning",
             "where the gradient comes from: pcd (mean field for the data, chains that persist for the "
             "model), pt (the same with chains at several temperatures that swap states: parallel "
             "tempering), multi_prediction (each row's units are told from some of them, back through "
             "model.mean_field_steps steps of the mean field: some ten will do), or exact (enumeration; "
             "small machines only)",
             0,
             0,
             {"pcd", "pt", "multi_prediction", "exact"}},
            learning);
    v.field({"gibbs_steps", "Gibbs steps of the chains an update (pcd, pt)", 1, 1e5}, gibbs_steps);
    v.field({"chains", "persistent chains (pcd; pt: at each temperature)", 1, 1e6}, chains);
    v.field({"temperatures", "inverse temperatures from 0 to 1 (pt)", 2, 1000}, temperatures);
    v.field({"centring",
             "subtract moving averages from the units in the gradient; the energy stays plain. Without it "
             "deep layers hardly learn from small weights. multi_prediction does without"},
            centring);
    v.field({"offset_rate", "how fast the moving averages follow the units' means", 0, 1}, offset_rate);
    v.field({"masked", "share of the units that each row hides (multi_prediction)", 0.01, 1}, masked);
    v.field({"pretrain",
             "learn layer by layer first: each two neighbours alone by contrastive divergence, a stage each, "
             "then all together"},
            pretrain);
    v.field({"pretrain_share", "epochs of each stage of pretraining, as a share of those of the joint stage",
             0.001, 1e3},
            pretrain_share);
    v.field({"pretrain_rate", "learning rate at the start of each stage of pretraining", 0, 1e3},
            pretrain_rate);
    v.field({"pretrain_steps", "Gibbs steps an update of pretraining", 1, 1e5}, pretrain_steps);
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
            {.name = "pretrained", .settings = {"model.hidden=5,4,3", large, few, "training.pretrain=true"}},
            {.name = "tempered",
             .settings = {"model.hidden=4,3", large, "training.chains=10", "training.learning=pt",
                          "training.temperatures=4"}},
            {.name = "predicted",
             .settings = {"model.hidden=4,3", large, "training.learning=multi_prediction"}},
            {.name = "exact", .settings = {"model.hidden=4,3", large, "training.learning=exact"}}}};
  }
  static TrainingOptions training() {
    TrainingOptions options;
    options.rate = 0.005, options.momentum = 0.9;
    return options;
  }
};

}  // namespace deepgen
