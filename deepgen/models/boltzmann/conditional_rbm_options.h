// Options of the conditional restricted Boltzmann machine (conditional_rbm.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"
#include "deepgen/models/boltzmann/dynamic_bias_options.h"

namespace deepgen {

struct ConditionalRbmOptions : DynamicBiasOptions {
  std::string given = "left";
  std::int64_t completion_steps = 200;
  std::int64_t temperatures = 500;

  void visit(OptionVisitor& v) override {
    v.field(
        {"given",
         "the part of a case that is the condition: left, right, upper or lower (halves; of cases that are "
         "no pictures left is the first half of the columns), or quarters of pictures: upper_left, "
         "upper_right, lower_left, lower_right; several with commas between them"},
        given);
    DynamicBiasOptions::visit(v);
    v.field({"completion_steps", "Gibbs steps that draw the rest of a case", 1, 1e6}, completion_steps);
    v.field({"temperatures",
             "inverse temperatures of the annealed chains that estimate log Z of each condition, where it is "
             "not exact",
             2, 1e6},
            temperatures);
  }
};

class ConditionalRbm;

struct ConditionalRbmCard {
  using Model = ConditionalRbm;
  using ModelOptions = ConditionalRbmOptions;
  using LearningOptions = DynamicBiasLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=4", exact = "training.learning=exact";
    const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 2},
                                            {ColumnKind::softmax, 2, 3},
                                            {ColumnKind::gaussian, 5, 2},
                                            {ColumnKind::count, 7, 1},
                                            {ColumnKind::mean_field, 8, 2}};
    TrainingOptions training = adam_training();
    training.epochs = 50;
    return {
        .name = "conditional_rbm",
        .title = "Conditional restricted Boltzmann machine: the rest of a case given a part of it",
        .source = "Taylor, Hinton, Roweis 2006; Mnih, Larochelle, Hinton 2011",
        .family = "boltzmann",
        .training = training,
        .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                  ColumnKind::mean_field},
        .recipe = "conditional-rbm-halves",
        .small_cases = {{.name = "", .settings = {few}},
                        {.name = "exact", .settings = {few, exact}},
                        {.name = "wide", .settings = {"model.hidden=30", exact}},
                        {.name = "grey", .settings = {few}, .values = ValueKind::grey},
                        {.name = "real", .settings = {few}, .values = ValueKind::real},
                        {.name = "table", .settings = {few}, .values = ValueKind::mixed, .groups = table},
                        {.name = "quadrant", .settings = {few, "model.given=lower_left"}, .pictures = true}}};
  }
};

}  // namespace deepgen
