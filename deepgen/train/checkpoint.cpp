#include "deepgen/train/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "deepgen/core/error.h"
#include "deepgen/data/files/safetensors.h"
#include "deepgen/data/transform.h"
#include "deepgen/train/settings.h"

namespace deepgen {
namespace {

constexpr std::pair<DType, at::ScalarType> types[] = {
    {DType::u8, at::kByte},  {DType::i8, at::kChar},   {DType::i16, at::kShort}, {DType::i32, at::kInt},
    {DType::i64, at::kLong}, {DType::f32, at::kFloat}, {DType::f64, at::kDouble}};

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
  fail_data(path,
            fmt::format("tensor {} has the type {}, which no model uses", name, dtype_name(array.type)));
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
    const auto json = nlohmann::ordered_json::parse(entry(file, key, path));
    if (std::is_integral_v<T> && !json.is_number_integer())
      fail_data(path, fmt::format("the metadata entry '{}' is malformed", key));
    return json.template get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_data(path, fmt::format("the metadata entry '{}' is malformed", key));
  }
}

// Data descriptions are read by every user of a checkpoint: their types are checked once, here.
void check_description(const nlohmann::ordered_json& data, const std::string& path) {
  try {
    if (!data.is_object()) fail_data(path, "the metadata entry 'data' is malformed");
    data.at("shape").get<std::vector<std::int64_t>>();
    data.value("columns", std::vector<std::string>{});
    data.value("spec", std::string());
    data.value("binarize", std::string());
    data.value("classes", std::int64_t{0});
    Transform::from_json(data.value("transform", nlohmann::ordered_json::object()));
  } catch (const nlohmann::json::exception&) {
    fail_data(path, "the metadata entry 'data' is malformed");
  }
}

}  // namespace

std::string shape_text(const Tensor& tensor) {
  const char* type = "?";
  for (const auto& [ours, theirs] : types)
    if (tensor.scalar_type() == theirs) type = dtype_name(ours);
  return fmt::format("[{}] {}", fmt::join(tensor.sizes().vec(), ", "), type);
}

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
  const double version = parsed<double>(file, "format_version", path);
  if (version != std::floor(version) || version < 1 || version > checkpoint_format_version)
    fail_data(path, fmt::format("expected format version 1 to {}, got {}; use a newer deepgen",
                                checkpoint_format_version, version));
  Checkpoint checkpoint;
  checkpoint.model = entry(file, "model", path);
  checkpoint.options = parsed<nlohmann::ordered_json>(file, "options", path);
  checkpoint.data = parsed<nlohmann::ordered_json>(file, "data", path);
  check_description(checkpoint.data, path);
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

void copy_tensors(const Checkpoint& checkpoint, std::map<std::string, Tensor>& wanted,
                  const std::string& path) {
  torch::NoGradGuard no_graph;
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : wanted) {
    const auto found = checkpoint.tensors.find(name);
    if (found == checkpoint.tensors.end())
      problems.push_back("missing " + name);
    else if (shape_text(found->second) != shape_text(tensor))
      problems.push_back(
          fmt::format("{} is {}, expected {}", name, shape_text(found->second), shape_text(tensor)));
  }
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (!wanted.contains(name)) problems.push_back("extra " + name);
  if (!problems.empty())
    fail_data(path,
              fmt::format("does not fit the model {}: {}", checkpoint.model, fmt::join(problems, "; ")));
  for (auto& [name, tensor] : wanted) tensor.copy_(checkpoint.tensors.at(name));
}

namespace {

// The largest machine a file can describe has no more inputs than its largest tensor has numbers; but for
// convolutional ones, whose tensors may be small: pictures of 32 x 32 always pass.
constexpr std::int64_t small_picture = 1024;

DataShape shape_of(const Checkpoint& checkpoint, const std::string& path) {
  const auto shape = checkpoint.data.at("shape").get<std::vector<std::int64_t>>();
  std::int64_t largest = small_picture, columns = 1;
  for (const auto& [name, tensor] : checkpoint.tensors) largest = std::max(largest, tensor.numel());
  for (const std::int64_t size : shape) {
    if (size < 1 || size > largest || columns > largest / size)
      fail_data(path, fmt::format("the shape [{}] of a case does not fit the tensors of the file",
                                  fmt::join(shape, ", ")));
    columns *= size;
  }
  if (shape.empty()) fail_data(path, "the shape of a case is empty");
  return data_shape_from_json(checkpoint.data, path);
}

// Tensors that only a run that goes on has a use for.
bool is_for_training(const std::string& name) {
  constexpr const char* prefixes[] = {"optimiser.", "good.", "best.", "start."};
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](const char* prefix) { return name.starts_with(prefix); });
}

std::shared_ptr<Model> make_model_of(const Checkpoint& checkpoint, const std::string& path) {
  try {
    Settings settings(checkpoint.model);
    settings.set_all(checkpoint.options);
    return make_model(checkpoint.model, *settings.model_options, *settings.learning,
                      shape_of(checkpoint, path));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::data && std::string(error.what()).find(path) != std::string::npos) throw;
    fail_data(path, fmt::format("describes a model that cannot be made: {}", error.what()));
  } catch (const c10::Error& error) {
    fail_data(path, fmt::format("describes a model that cannot be made: {}", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    fail_data(path, fmt::format("describes a model that cannot be made: {}", error.what()));
  }
}

void check_finite(const std::string& name, const Tensor& tensor, const std::string& path) {
  if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>())
    fail_data(path, fmt::format("the tensor {} holds values that are not finite", name));
}

}  // namespace

std::shared_ptr<Model> load_model(const Checkpoint& checkpoint, const std::string& path) {
  std::shared_ptr<Model> model = make_model_of(checkpoint, path);
  Checkpoint used = checkpoint;  // shares the tensors
  used.tensors.clear();
  bool averaged = false;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (is_for_training(name)) continue;  // checked when training goes on
    averaged = averaged || name.starts_with("average.");
    check_finite(name, tensor, path);
    used.tensors[name] = tensor;
  }
  std::map<std::string, Tensor> wanted;
  collect_tensors(*model, "model.", wanted);
  std::map<std::string, Tensor> averages;
  if (averaged)  // all or none
    for (const auto& item : model->named_parameters())
      averages["average." + item.key()] = at::empty_like(item.value());
  wanted.insert(averages.begin(), averages.end());
  copy_tensors(used, wanted, path);
  torch::NoGradGuard no_graph;
  for (auto& item : model->named_parameters())
    if (averaged) item.value().copy_(averages.at("average." + item.key()));
  return model;
}

}  // namespace deepgen
