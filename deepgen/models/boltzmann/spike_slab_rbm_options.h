// Options of the spike-and-slab machine (spike_slab_rbm.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"
#include "deepgen/model/model_card.h"

namespace deepgen {

struct SpikeSlabRbmOptions : Options {
  std::int64_t hidden = 200;
  double weight_scale = 0.05;
  double contraction = 0.1;

  void visit(OptionVisitor& v) override {
    v.field(
        {"hidden", "hidden units, a spike and a slab each; few of them (some 12) make scores exact", 1, 1e5},
        hidden);
    v.field(
        {"weight_scale", "deviation of the initial weights, in units of one over the columns' own", 0, 10},
        weight_scale);
    v.field({"contraction",
             "what a spike adds to the precision of a column at first, as a share of the column's own", 1e-6,
             100},
            contraction);
  }
};

struct SpikeSlabRbmLearning : Options {
  std::string learning = "pcd";
  std::int64_t gibbs_steps = 1;
  std::int64_t chains = 100;
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
    v.field({"gap_steps", "Gibbs steps that fill the missing cells of a batch before its update", 1, 1e5},
            gap_steps);
  }
};

class SpikeSlabRbm;

struct SpikeSlabRbmCard {
  using Model = SpikeSlabRbm;
  using ModelOptions = SpikeSlabRbmOptions;
  using LearningOptions = SpikeSlabRbmLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=4";
    return {.name = "spike_slab_rbm",
            .title = "Spike-and-slab restricted Boltzmann machine of real columns",
            .source = "Courville, Bergstra, Bengio 2011",
            .family = "boltzmann",
            .training = adam_training(),
            .takes = {ColumnKind::gaussian},
            .recipe = "ssrbm-patches",
            .small_cases = {{.name = "", .settings = {few}, .values = ValueKind::real},
                            {.name = "cd",
                             .settings = {few, "training.learning=cd", "training.gibbs_steps=2"},
                             .values = ValueKind::real}}};
  }
};

}  // namespace deepgen
