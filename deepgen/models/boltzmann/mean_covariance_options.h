// Options of the machines that gate the covariance of real columns (mean_covariance.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"
#include "deepgen/model/model_card.h"

namespace deepgen {

struct MeanCovarianceOptions : Options {
  std::int64_t factors = 256, covariance_units = 256, mean_units = 100;
  double weight_scale = 0.02;

  void visit(OptionVisitor& v) override {
    v.field({"factors", "filters whose squared answers are pooled", 1, 1e5}, factors);
    v.field({"covariance_units", "hidden units over the pooled squares", 1, 1e5}, covariance_units);
    v.field({"mean_units", "binary hidden units that move the mean", 1, 1e5}, mean_units);
    v.field({"weight_scale",
             "deviation of the mean units' initial weights, in units of one over the columns' own", 0, 10},
            weight_scale);
  }
};

struct MeanCovarianceLearning : Options {
  std::string learning = "pcd";
  std::int64_t hybrid_moves = 1, leapfrogs = 20;
  double first_step = 0.1;
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
    v.field({"hybrid_moves", "moves of hybrid Monte Carlo an update", 1, 1e5}, hybrid_moves);
    v.field({"leapfrogs", "leapfrog steps of a move", 1, 1e4}, leapfrogs);
    v.field({"first_step",
             "length of a leapfrog step at first, in deviations of the columns; training moves it until nine "
             "tenths of the moves are accepted",
             1e-4, 1},
            first_step);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
    v.field({"gap_steps", "moves that fill the missing cells of a batch before its update", 1, 1e5},
            gap_steps);
  }
};

inline ModelCard mean_covariance_card(const std::string& name) {
  const std::string settings[] = {"model.factors=4", "model.covariance_units=3", "model.mean_units=2",
                                  "training.leapfrogs=5"};
  const std::vector<std::string> few(std::begin(settings), std::end(settings));
  std::vector<std::string> by_data = few;
  by_data.push_back("training.learning=cd");
  ModelCard card;
  card.name = name, card.family = "boltzmann", card.recipe = name + "-patches";
  card.training = adam_training();
  card.takes = {ColumnKind::gaussian};
  card.small_cases = {{.name = "", .settings = few, .values = ValueKind::real},
                      {.name = "cd", .settings = by_data, .values = ValueKind::real}};
  return card;
}

class Mcrbm;

struct McrbmCard {
  using Model = Mcrbm;
  using ModelOptions = MeanCovarianceOptions;
  using LearningOptions = MeanCovarianceLearning;
  static ModelCard card() {
    ModelCard card = mean_covariance_card("mcrbm");
    card.title = "Mean-covariance restricted Boltzmann machine of real columns";
    card.source = "Ranzato and Hinton 2010";
    return card;
  }
};

class Mpot;

struct MpotCard {
  using Model = Mpot;
  using ModelOptions = MeanCovarianceOptions;
  using LearningOptions = MeanCovarianceLearning;
  static ModelCard card() {
    ModelCard card = mean_covariance_card("mpot");
    card.title = "Mean product of Student-t distributions of real columns";
    card.source = "Welling, Hinton, Osindero 2003; Ranzato, Mnih, Hinton 2010";
    return card;
  }
};

}  // namespace deepgen
