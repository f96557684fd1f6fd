// Options of the conditional convolutional adversarial network (conditional_dcgan.h). Torch-free.
#pragma once

#include "deepgen/models/adversarial/gan_options.h"

namespace deepgen {

struct ConditionalDcganOptions : Options {
  std::int64_t noise = 100, filters = 32, units = 512;

  void visit(OptionVisitor& v) override {
    v.field({"noise", "numbers of noise, uniform in [0, 1), that a sample is made from", 1, 100000}, noise);
    v.field({"filters",
             "filters of the layers next to the picture; those one further in have twice as many (64 in the "
             "source, four times as slow)",
             1, 4096},
            filters);
    v.field({"units", "units of the dense layer of each network (1024 in the source)", 1, 1000000}, units);
  }
};

struct ConditionalDcganLearning : AdversaryLearning {
  ConditionalDcganLearning() { discriminator_updates = 2; }
};

class ConditionalDcgan;

struct ConditionalDcganCard {
  using Model = ConditionalDcgan;
  using ModelOptions = ConditionalDcganOptions;
  using LearningOptions = ConditionalDcganLearning;
  static ModelCard card() {
    return {.name = "conditional_dcgan",
            .title = "Conditional convolutional adversarial network: pictures given their label",
            .source = "Radford, Metz, Chintala 2016; Mirza and Osindero 2014",
            .family = "adversarial",
            .training = adversary_training(),
            .takes = {ColumnKind::binary, ColumnKind::mean_field},
            .needs_labels = true,
            .recipe = "dcgan-conditional",
            .small_cases = {small("", ValueKind::grey), small("binary", ValueKind::binary)}};
  }
  static SmallCase small(const std::string& name, ValueKind values) {
    return {.name = name,
            .settings = {"model.noise=4", "model.filters=3", "model.units=6"},
            .values = values,
            .pictures = true};
  }
};

}  // namespace deepgen
