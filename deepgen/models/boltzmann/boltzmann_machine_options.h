// Options of the general Boltzmann machine (boltzmann_machine.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct BoltzmannMachineOptions : Options {
  std::int64_t hidden = 0;
  double weight_scale = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"hidden",
             "hidden units; 0: every unit is visible. Scores sum over all their states, which bounds their "
             "number",
             0, 20},
            hidden);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct BoltzmannMachineLearning : Options {
  std::string learning = "auto";
  std::int64_t gibbs_steps = 1, chains = 100, data_steps = 10, gap_steps = 5;
  double fast_rate = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"learning",
             "where the gradient comes from: exact (enumeration of at most 20 units), pseudo_likelihood (of "
             "machines without hidden units), pcd (chains that persist), fpcd (the same, driven on by fast "
             "weights), or auto: exact up to 16 units, else "
             "pseudo_likelihood without hidden units and pcd with them",
             0,
             0,
             {"auto", "exact", "pseudo_likelihood", "pcd", "fpcd"}},
            learning);
    v.field({"gibbs_steps", "sweeps of the chains over all units an update (pcd, fpcd)", 1, 1e5},
            gibbs_steps);
    v.field({"chains", "persistent chains (pcd, fpcd)", 1, 1e6}, chains);
    v.field(
        {"fast_rate",
         "learning rate of the fast weights, which fade by a twentieth an update; 0 is pcd (fpcd)", 0, 1e3},
        fast_rate);
    v.field({"data_steps",
             "sweeps over the hidden units given the rows of a batch (pcd, fpcd; up to 12 hidden units are "
             "summed "
             "over instead)",
             1, 1e5},
            data_steps);
    v.field({"gap_steps",
             "sweeps that fill the missing cells of a batch before its update; exact learning sums them out",
             1, 1e5},
            gap_steps);
  }
};

class BoltzmannMachine;

struct BoltzmannMachineCard {
  using Model = BoltzmannMachine;
  using ModelOptions = BoltzmannMachineOptions;
  using LearningOptions = BoltzmannMachineLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=3";
    return {
        .name = "boltzmann_machine",
        .title = "General Boltzmann machine: every pair of units coupled",
        .source =
            "Hinton and Sejnowski 1983; Ackley, Hinton, Sejnowski 1985; Besag 1975; Tieleman 2008; "
            "Tieleman and Hinton 2009",
        .family = "boltzmann",
        .training = adam_training(),
        .takes = {ColumnKind::binary},
        .recipe = "general-boltzmann",
        .small_cases = {{.name = "", .settings = {few}},
                        {.name = "pcd", .settings = {few, "training.learning=pcd"}},
                        {.name = "fast_weights", .settings = {few, "training.learning=fpcd"}},
                        {.name = "visible", .settings = {}},
                        {.name = "pseudo_likelihood", .settings = {"training.learning=pseudo_likelihood"}}}};
  }
};

}  // namespace deepgen
