// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
// The other half of a model's entry, its factory, is in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/training_options.h"

namespace deepgen {

struct ModelCard {
  std::string name, title, source;
  std::unique_ptr<Options> (*options)();
  std::unique_ptr<Options> (*learning)();
  // The trainer's options that suit the model when nothing is said.
  TrainingOptions (*training)() = [] { return TrainingOptions{}; };
};

const std::vector<ModelCard>& model_catalog();

}  // namespace deepgen
