// The card of the adversarial network of dense layers conditional on labels (conditional_gan.h), whose
// options are those of gan, with two updates of D for each one of G. Torch-free.
#pragma once

#include "deepgen/models/adversarial/gan_options.h"

namespace deepgen {

struct ConditionalGanLearning : GanLearning {
  ConditionalGanLearning() { discriminator_updates = 2; }
};

class ConditionalGan;

struct ConditionalGanCard {
  using Model = ConditionalGan;
  using ModelOptions = GanOptions;
  using LearningOptions = ConditionalGanLearning;
  static ModelCard card() {
    return {.name = "conditional_gan",
            .title = "Generative adversarial network of dense layers conditional on labels",
            .source = "Mirza and Osindero 2014",
            .family = "adversarial",
            .training = adversary_training(),
            .takes = GanCard::takes(),
            .table = {.bins = true},
            .needs_labels = true,
            .recipe = "conditional-gan",
            .small_cases = {GanCard::small("", ValueKind::binary), GanCard::small("grey", ValueKind::grey),
                            GanCard::small("real", ValueKind::real),
                            GanCard::small("mixed", ValueKind::mixed, GanCard::mixed_table())}};
  }
};

}  // namespace deepgen
