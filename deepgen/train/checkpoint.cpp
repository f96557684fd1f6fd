#include "deepgen/train/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/data/files/safetensors.h"
#include "deepgen/train/settings.h"

namespace deepgen {
namespace {

constexpr std::pair<DType, at::ScalarType> types[] = {{DType::u8, at::kByte},   {DType::i8, at::kChar},
                                                      {DType::i16, at::kShort}, {DType::i32, at::kInt},
                                                      {DType::i64, at::kLong},  {DType::f32, at::kFloat},
                                                      {DType::f64, at::kDouble}};

Array to_array(const Tensor& tensor) {
  const Tensor dense = tensor.detach().to(at::kCPU).contiguous();
  for (const auto& [ours, theirs] : types) {
    if (dense.scalar_type() != theirs) continue;
    Array array = make_array(ours, dense.sizes().vec());
    std::memcpy(array.bytes.data(), dense.data_ptr(), array.bytes.size());
    return array;
  }
  throw Error(ErrorKind::bug, "checkpoint", "a tensor has a type that the file format lacks");
}

Tensor from_array(const Array& array, const std::string& name, const std::string& path) {
  for (const auto& [ours, theirs] : types) {
    if (array.type != ours) continue;
    Tensor tensor = at::empty(array.shape, theirs);
    std::memcpy(tensor.data_ptr(), array.bytes.data(), array.bytes.size());
    return tensor;
  }
  fail_data(path, fmt::format("tensor {} has the type {}, which no model uses", name, dtype_name(array.type)));
}

// A metadata entry that must be there.
const std::string& entry(const SafeTensors& file, const std::string& key, const std::string& path) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end())
    fail_data(path, fmt::format("expected the metadata entry '{}'; this is no deepgen checkpoint", key));
  return found->second;
}

template <class T>
T parsed(const SafeTensors& file, const std::string& key, const std::string& path) {
  try {
    return nlohmann::ordered_json::parse(entry(file, key, path)).template get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_data(path, fmt::format("the metadata entry '{}' is malformed", key));
  }
}

// "weights [784, 500]".
std::string shape_text(const Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes().vec(), ", ")); }

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  SafeTensors file;
  file.metadata = {{"format_version", std::to_string(checkpoint_format_version)},
                   {"model", checkpoint.model},
                   {"options", checkpoint.options.dump()},
                   {"data", checkpoint.data.dump()},
                   {"stage", std::to_string(checkpoint.stage)},
                   {"step", std::to_string(checkpoint.step)},
                   {"seed", std::to_string(checkpoint.seed)},
                   {"state", checkpoint.state.dump()},
                   {"commit", checkpoint.commit}};
  for (const auto& [name, tensor] : checkpoint.tensors) file.tensors.emplace(name, to_array(tensor));
  write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::string& path) {
  SafeTensors file = read_safetensors(path);
  const int version = parsed<int>(file, "format_version", path);
  if (version < 1 || version > checkpoint_format_version)
    fail_data(path, fmt::format("expected format version 1 to {}, got {}; use a newer deepgen", checkpoint_format_version,
                                version));
  Checkpoint checkpoint;
  checkpoint.model = entry(file, "model", path);
  checkpoint.options = parsed<nlohmann::ordered_json>(file, "options", path);
  checkpoint.data = parsed<nlohmann::ordered_json>(file, "data", path);
  checkpoint.stage = parsed<std::int64_t>(file, "stage", path);
  checkpoint.step = parsed<std::int64_t>(file, "step", path);
  checkpoint.seed = parsed<std::uint64_t>(file, "seed", path);
  checkpoint.state = parsed<nlohmann::ordered_json>(file, "state", path);
  checkpoint.commit = entry(file, "commit", path);
  for (const auto& [name, array] : file.tensors) checkpoint.tensors[name] = from_array(array, name, path);
  return checkpoint;
}

void collect_tensors(Model& model, const std::string& prefix, std::map<std::string, Tensor>& into) {
  for (const auto& item : model.named_parameters()) into[prefix + item.key()] = item.value();
  for (const auto& item : model.named_buffers()) into[prefix + item.key()] = item.value();
}

void restore_tensors(Model& model, const std::string& prefix, const Checkpoint& checkpoint, const std::string& path) {
  torch::NoGradGuard no_graph;
  std::map<std::string, Tensor> wanted;
  collect_tensors(model, prefix, wanted);
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : wanted) {
    const auto found = checkpoint.tensors.find(name);
    if (found == checkpoint.tensors.end()) problems.push_back("missing " + name);
    else if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type())
      problems.push_back(fmt::format("{} is {}, expected {}", name, shape_text(found->second), shape_text(tensor)));
  }
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix) && !wanted.contains(name)) problems.push_back("extra " + name);
  if (!problems.empty()) fail_data(path, fmt::format("does not fit the model {}: {}", checkpoint.model, fmt::join(problems, "; ")));
  for (auto& [name, tensor] : wanted) tensor.copy_(checkpoint.tensors.at(name));
}

std::shared_ptr<Model> make_model_of(const Checkpoint& checkpoint) {
  Settings settings(checkpoint.model);
  settings.set_all(checkpoint.options);
  DataShape data;
  data.shape = checkpoint.data.at("shape").get<std::vector<std::int64_t>>();
  data.columns = 1;
  for (const std::int64_t size : data.shape) data.columns *= size;
  data.classes = checkpoint.data.value("classes", std::int64_t{0});
  return make_model(checkpoint.model, settings.model_json(), settings.learning_json(), data);
}

std::shared_ptr<Model> load_model(const Checkpoint& checkpoint, const std::string& path) {
  std::shared_ptr<Model> model;
  try {
    model = make_model_of(checkpoint);
  } catch (const nlohmann::json::exception& error) {
    fail_data(path, fmt::format("the data description is malformed ({})", error.what()));
  }
  restore_tensors(*model, "model.", checkpoint, path);
  for (auto& item : model->named_parameters()) {
    const auto average = checkpoint.tensors.find("average." + item.key());
    if (average == checkpoint.tensors.end()) continue;
    if (average->second.sizes() != item.value().sizes())
      fail_data(path, fmt::format("average.{} is {}, expected {}", item.key(), shape_text(average->second),
                                  shape_text(item.value())));
    torch::NoGradGuard no_graph;
    item.value().copy_(average->second);
  }
  return model;
}

}  // namespace deepgen
