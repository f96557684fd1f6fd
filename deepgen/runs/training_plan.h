// What a training is to be, before any data are read. Torch-free.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/train/settings.h"

namespace deepgen {

// Weights that training starts from: those of another run, or a part of them.
struct StartingPoint {
  std::string run;   // folder of a run, or a .safetensors file
  std::string part;  // "": all that the two models have in common; else as in train/start_from.h: "encoder"
                     // (of both), "layers.0=rbm" (ours is their rbm), "layers.0=" (ours is their whole model)
};

struct TrainingPlan {
  TrainingPlan(Settings own, std::string spec, std::uint64_t seed_ = 1)
      : settings(std::move(own)), data(std::move(spec)), seed(seed_) {}
  // A model with its defaults.
  TrainingPlan(const std::string& model, std::string spec, std::uint64_t seed_ = 1)
      : TrainingPlan(Settings(model), std::move(spec), seed_) {}

  Settings settings;
  std::string data;  // SPEC
  std::uint64_t seed = 1;
  std::vector<StartingPoint> start;  // filled in one after another; none: every weight is new
};

}  // namespace deepgen
