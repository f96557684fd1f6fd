// Options of the adversarial network of dense layers (gan.h). Torch-free.
#pragma once

#include "deepgen/core/error.h"
#include "deepgen/model/model_card.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

struct GanOptions : Options {
  std::int64_t noise = 100;
  std::string noise_kind = "uniform";
  std::string generator = "1200,1200", generator_activation = "relu";
  std::string discriminator = "240,240", discriminator_activation = "maxout";
  std::int64_t pieces = 5;

  void check() const override {
    parse_sizes("model.generator", generator);
    parse_sizes("model.discriminator", discriminator);
  }
  void visit(OptionVisitor& v) override {
    const std::vector<std::string> functions = {"relu", "leaky", "tanh", "sigmoid", "softplus", "gated"};
    v.field({"noise", "numbers of noise that a sample is made from", 1, 100000}, noise);
    v.field({"noise_kind",
             "distribution of the noise, of mean 0 and variance 1 in either case",
             0,
             0,
             {"uniform", "normal"}},
            noise_kind);
    v.field({"generator", "sizes of the generator's hidden layers, as in 1200,1200"}, generator);
    v.field({"generator_activation", "function of the generator's hidden layers", 0, 0, functions},
            generator_activation);
    v.field({"discriminator", "sizes of the discriminator's hidden layers"}, discriminator);
    v.field(
        {"discriminator_activation",
         "function of the discriminator's hidden layers; leaky has the slope 0.2 below zero, maxout is the "
         "largest of model.pieces linear functions",
         0,
         0,
         {"maxout", "leaky", "relu", "tanh", "sigmoid", "softplus"}},
        discriminator_activation);
    v.field({"pieces", "linear functions of each maxout unit", 1, 100}, pieces);
  }
};

// How two adversaries are trained.
struct AdversaryLearning : Options {
  std::int64_t discriminator_updates = 1;
  double discriminator_rate = 1, generator_rate = 1;
  std::string generator_cost = "non_saturating";
  double label_smoothing = 0;

  void visit(OptionVisitor& v) override {
    v.field({"discriminator_updates", "updates of the discriminator for each one of the generator", 1, 1000},
            discriminator_updates);
    v.field(
        {"discriminator_rate", "the discriminator's learning rate as a multiple of training.rate", 0, 1e3},
        discriminator_rate);
    v.field({"generator_rate", "the generator's learning rate as a multiple of training.rate", 0, 1e3},
            generator_rate);
    v.field({"generator_cost",
             "what the generator descends: non_saturating, -log D(G(z)), or minimax, log(1 - D(G(z)))",
             0,
             0,
             {"non_saturating", "minimax"}},
            generator_cost);
    v.field(
        {"label_smoothing",
         "the discriminator is asked for 1 - this on real rows (0.1 is usual): it grows less sure", 0, 0.5},
        label_smoothing);
  }
};

struct GanLearning : AdversaryLearning {
  double input_dropout = 0, hidden_dropout = 0;
  double temperature = 0.2;

  void visit(OptionVisitor& v) override {
    AdversaryLearning::visit(v);
    v.field(
        {"input_dropout", "share of the discriminator's inputs that are left out in each update", 0, 0.95},
        input_dropout);
    v.field(
        {"hidden_dropout", "share of the discriminator's hidden units that are left out, likewise", 0, 0.95},
        hidden_dropout);
    v.field({"temperature",
             "of the draws of categories, and of bits beside columns of other kinds, that the discriminator "
             "sees: the smaller, the nearer to 0 and 1 and the wilder the generator's gradients",
             0.05, 10},
            temperature);
  }
};

// Two adversaries: a short memory of the gradients (Radford, Metz, Chintala 2016, section 3).
inline TrainingOptions adversary_training() { return adam_training(2e-4, 0.5); }

class Gan;

struct GanCard {
  using Model = Gan;
  using ModelOptions = GanOptions;
  using LearningOptions = GanLearning;
  static ModelCard card() {
    return {.name = "gan",
            .title = "Generative adversarial network of dense layers",
            .source = "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio 2014",
            .family = "adversarial",
            .training = adversary_training(),
            .takes = takes(),
            .recipe = "gan",
            .small_cases = {small("", ValueKind::binary), small("grey", ValueKind::grey),
                            small("real", ValueKind::real), small("mixed", ValueKind::mixed, mixed_table()),
                            small("categories", ValueKind::mixed, table_of_categories())}};
  }
  static std::vector<ColumnKind> takes() {
    return {ColumnKind::binary, ColumnKind::softmax, ColumnKind::gaussian, ColumnKind::mean_field};
  }
  static SmallCase small(const std::string& name, ValueKind values,
                         const std::vector<ColumnGroup>& groups = {}) {
    return {.name = name,
            .settings = {"model.noise=4", "model.generator=12", "model.discriminator=8", "model.pieces=3"},
            .values = values,
            .groups = groups};
  }
  static std::vector<ColumnGroup> mixed_table() {
    return {{ColumnKind::binary, 0, 2},
            {ColumnKind::gaussian, 2, 2},
            {ColumnKind::softmax, 4, 3},
            {ColumnKind::mean_field, 7, 1}};
  }
  static std::vector<ColumnGroup> table_of_categories() {
    return {{ColumnKind::softmax, 0, 3}, {ColumnKind::binary, 3, 1}, {ColumnKind::softmax, 4, 4}};
  }
};

}  // namespace deepgen
