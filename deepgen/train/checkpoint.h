// Checkpoints: one safetensors file that holds a run, so that it can be used, resumed and understood.
//
// Tensors are model.<name>, average.<name>, optimiser.<phase>.<slot>.<name> and, for going on alone,
// good.<...>, best.<name> and start.<...>; the metadata holds format_version, model, options, data, stage,
// step, seed and the trainer's state (docs/checkpoint_format.md).
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "deepgen/core/torch.h"
#include "deepgen/model/registry.h"

namespace deepgen {

inline constexpr int checkpoint_format_version = 1;

struct Checkpoint {
  std::string model;
  nlohmann::ordered_json options;  // {"model": {...}, "training": {...}}
  nlohmann::ordered_json data;     // Dataset::describe
  std::int64_t stage = 0, step = 0;
  std::uint64_t seed = 0;
  nlohmann::ordered_json state;  // the trainer's: best score of the stage, seconds, ...
  std::string commit;            // of the program that wrote it
  std::map<std::string, Tensor> tensors;
};

// Written to a temporary name, flushed to disk, renamed: the old file stays whole whatever happens.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);
// Trusts no length in the file. Throws a data error for a file that is no checkpoint or of a newer format.
Checkpoint load_checkpoint(const std::string& path);

// Parameters and buffers of a model under `prefix` ("model.").
void collect_tensors(Model& model, const std::string& prefix, std::map<std::string, Tensor>& into);
// "[784, 500] float32".
std::string shape_text(const Tensor& tensor);

// Copies every tensor of a checkpoint into `wanted`; missing, extra and misshapen ones are listed in one data
// error and nothing is changed.
void copy_tensors(const Checkpoint& checkpoint, std::map<std::string, Tensor>& wanted,
                  const std::string& path);

// The model a checkpoint describes, ready for use: the averaged weights where there are any. Refuses what
// does not fit or is not finite by a data error that names the file.
std::shared_ptr<Model> load_model(const Checkpoint& checkpoint, const std::string& path);

}  // namespace deepgen
