// Options of the temporal restricted Boltzmann machine (temporal_rbm.h). Torch-free.
#pragma once

#include "deepgen/model/model_card.h"
#include "deepgen/models/boltzmann/dynamic_bias_options.h"

namespace deepgen {

struct TemporalRbmOptions : DynamicBiasOptions {
  std::int64_t order = 3;
  std::int64_t continuation_steps = 30;

  void visit(OptionVisitor& v) override {
    v.field({"order", "frames before it on which a frame depends", 1, 1e4}, order);
    DynamicBiasOptions::visit(v);
    v.field({"continuation_steps", "Gibbs steps that draw each further frame, begun at the frame before it",
             1, 1e6},
            continuation_steps);
  }
};

struct TemporalRbmLearning : DynamicBiasLearning {
  std::int64_t frames = 100;
  std::int64_t updates = 1;

  void visit(OptionVisitor& v) override {
    DynamicBiasLearning::visit(v);
    v.field({"frames", "frames of an update, drawn from the sequences of the batch; 0: all of them", 0, 1e9},
            frames);
    v.field({"updates", "updates made of each batch of sequences, each with frames of its own", 1, 1e6},
            updates);
  }
};

class TemporalRbm;

struct TemporalRbmCard {
  using Model = TemporalRbm;
  using ModelOptions = TemporalRbmOptions;
  using LearningOptions = TemporalRbmLearning;
  static ModelCard card() {
    const std::string few = "model.hidden=4", order = "model.order=2", exact = "training.learning=exact";
    const std::vector<ColumnGroup> table = {{ColumnKind::binary, 0, 2},
                                            {ColumnKind::softmax, 2, 3},
                                            {ColumnKind::gaussian, 5, 2},
                                            {ColumnKind::mean_field, 7, 2}};
    TrainingOptions training = adam_training();
    training.epochs = 100, training.batch = 10;
    return {.name = "temporal_rbm",
            .title = "Temporal restricted Boltzmann machine: each frame given those before it",
            .source = "Taylor, Hinton, Roweis 2006",
            .family = "boltzmann",
            .training = training,
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                      ColumnKind::mean_field},
            .recipe = "temporal-rbm-mocap",
            .small_cases = {
                {.name = "", .settings = {few, order}},
                {.name = "exact", .settings = {few, order, exact}},
                {.name = "real", .settings = {few, order}, .values = ValueKind::real},
                {.name = "table", .settings = {few, order}, .values = ValueKind::mixed, .groups = table}}};
  }
};

}  // namespace deepgen
