// Weights of another run as the start of this one: pre-training, for any model that contains the part.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/model/model.h"
#include "deepgen/train/checkpoint.h"

namespace deepgen {

// What was filled, and from where.
struct StartReport {
  std::string path, part;     // as they were given
  std::string model, commit;  // of the other run: which model, and the program that wrote it
  std::int64_t stage = 0, step = 0;
  std::vector<std::string> names;  // parameters and buffers that were filled
  std::vector<std::string>
      left;  // those of the part that the other run has nothing for: they stay as they were

  nlohmann::ordered_json to_json() const;
};

// Copies every parameter and buffer of `model` that the checkpoint holds by the same name and shape; of a run
// with averaged weights, these. `part` takes some of them alone, by the beginning of their names up to a dot
// or underscore, and may rename it: "encoder"; "layers.0=rbm": the model's layers.0 is the other run's rbm;
// "layers.0=": is the whole other model. A dense layer (weight, bias) that finds no such names begins as a
// restricted machine of bits or categories: its way up (weights, hidden_bias), or for "output=NAME.down" its
// way down (weights transposed, visible_bias); "output=down" where the machine is the whole model. Throws,
// and changes nothing: a usage error listing the names of both sides when nothing fits, a data error naming
// both shapes where a name has another shape, and one for numbers that are not finite.
StartReport start_from(Model& model, const Checkpoint& from, const std::string& path,
                       const std::string& part = "");

}  // namespace deepgen
