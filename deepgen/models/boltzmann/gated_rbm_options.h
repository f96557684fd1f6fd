// Options of the gated machine (gated_rbm.h). Torch-free.
#pragma once

#include "deepgen/core/error.h"
#include "deepgen/core/options.h"
#include "deepgen/model/model_card.h"

namespace deepgen {

struct GatedRbmOptions : Options {
  std::int64_t factors = 200, mappings = 100;
  std::int64_t first_columns = 0;
  double weight_scale = 0.1;

  void visit(OptionVisitor& v) override {
    v.field({"factors", "products of a filter of the first part with a filter of the second", 1, 1e5},
            factors);
    v.field({"mappings", "binary hidden units that say how the two parts belong together", 1, 1e5}, mappings);
    v.field({"first_columns", "columns of the first part, the rest is the second; 0: half of them", 0, 1e6},
            first_columns);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct GatedRbmLearning : Options {
  std::string objective = "joint", learning = "cd";
  std::int64_t gibbs_steps = 1;
  std::int64_t chains = 100;
  std::int64_t gap_steps = 5;

  void check() const override {
    if (objective == "conditional" && learning == "pcd")
      fail_usage("training.learning",
                 "the conditional objective holds the first part of each case, so its chains cannot persist; "
                 "use cd, or training.objective=joint");
  }
  void visit(OptionVisitor& v) override {
    v.field({"objective",
             "what is learnt: joint (log p of both parts) or conditional (log p of the second part given the "
             "first)",
             0,
             0,
             {"joint", "conditional"}},
            objective);
    v.field(
        {"learning",
         "where the model's statistics come from: cd (chains restart at the data) or pcd (chains persist)",
         0,
         0,
         {"cd", "pcd"}},
        learning);
    v.field({"gibbs_steps", "Gibbs steps an update", 1, 1e5}, gibbs_steps);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
    v.field({"gap_steps", "Gibbs steps that fill the missing cells of a batch before its update", 1, 1e5},
            gap_steps);
  }
};

class GatedRbm;

struct GatedRbmCard {
  using Model = GatedRbm;
  using ModelOptions = GatedRbmOptions;
  using LearningOptions = GatedRbmLearning;
  static ModelCard card() {
    const std::string factors = "model.factors=4", units = "model.mappings=3";
    ModelCard card;
    card.name = "gated_rbm";
    card.title = "Gated restricted Boltzmann machine: how two parts of a case belong together";
    card.source = "Memisevic and Hinton 2010; Susskind, Memisevic, Hinton, Pollefeys 2011";
    card.family = "boltzmann";
    card.training = adam_training();
    card.takes = {ColumnKind::binary, ColumnKind::mean_field};
    card.recipe = "gated-rbm-shifts";
    card.small_cases = {
        {.name = "", .settings = {factors, units}},
        {.name = "pcd", .settings = {factors, units, "training.learning=pcd", "model.first_columns=2"}},
        {.name = "conditional", .settings = {factors, units, "training.objective=conditional"}},
        {.name = "grey", .settings = {factors, units}, .values = ValueKind::grey}};
    return card;
  }
};

}  // namespace deepgen
