#include "deepgen/train/start_from.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/train/norm.h"

namespace deepgen {
namespace {

constexpr std::size_t listed = 30;  // names of each side in a message

struct Part {
  std::string ours, theirs;
};

Part parse_part(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool separates(char c) { return c == '.' || c == '_'; }

// ".weights" of "layers.0.weights" in the part layers.0, and nothing of "layers.01.weights".
std::optional<std::string> rest_of(const std::string& name, const std::string& part) {
  if (part.empty()) return name;
  if (!name.starts_with(part)) return std::nullopt;
  std::string rest = name.substr(part.size());
  if (!rest.empty() && !separates(rest[0])) return std::nullopt;
  return rest;
}

// What our name is called in the other run, or nothing where it is not of the part.
std::optional<std::string> their_name(const std::string& name, const Part& part) {
  const std::optional<std::string> rest = rest_of(name, part.ours);
  if (!rest || part.ours == part.theirs) return rest ? std::optional(name) : std::nullopt;
  if (part.ours.empty()) return part.theirs + "." + *rest;
  if (part.theirs.empty()) return rest->empty() ? *rest : rest->substr(1);
  return part.theirs + *rest;
}

// The other model's parameters and buffers by name, averaged where they are.
std::map<std::string, Tensor> weights_of(const Checkpoint& from) {
  std::map<std::string, Tensor> weights;
  for (const std::string prefix : {"model.", "average."})
    for (const auto& [name, tensor] : from.tensors)
      if (name.starts_with(prefix)) weights[name.substr(prefix.size())] = tensor;
  return weights;
}

// What one of ours is filled with; undefined: the other run has nothing for it.
struct Source {
  std::string name;
  Tensor value;
  std::string problem = {};
  bool upward = false;  // the other way of the same machine has the transposed shape
};

// A dense layer's weight [in, out] and bias [out] of a restricted machine's weights [V, H] and biases:
//
//   NAME        upwards:    weights,               hidden_bias
//   NAME.down   downwards:  weights transposed,    visible_bias
Source layer_of_machine(const std::map<std::string, Tensor>& theirs, const std::string& name) {
  const std::size_t after_dot = name.rfind('.') + 1;  // 0 where there is none
  const std::string last = name.substr(after_dot), way_down = "down.";
  if (last != "weight" && last != "bias") return {};
  std::string machine = name.substr(0, after_dot);
  const bool down = machine == way_down || machine.ends_with("." + way_down);
  if (down) machine.resize(machine.size() - way_down.size());
  const std::string weights = machine + "weights", bias = machine + (down ? "visible_bias" : "hidden_bias");
  for (const char* needed : {"weights", "hidden_bias", "visible_bias"})
    if (!theirs.contains(machine + needed)) return {};
  if (theirs.at(weights).dim() != 2) return {};
  Source source{bias, theirs.at(bias)};
  if (last == "weight")
    source = {weights, down ? theirs.at(weights).t().contiguous() : theirs.at(weights), {}, !down};
  if (theirs.contains(machine + "data_variance"))
    source.problem = weights + " is of scaled columns (real values or counts), expected bits or categories";
  return source;
}

// By the same name, else as a layer of a machine.
Source source_for(const std::map<std::string, Tensor>& theirs, const std::string& name) {
  const auto found = theirs.find(name);
  return found == theirs.end() ? layer_of_machine(theirs, name) : Source{name, found->second};
}

// Why it may not fill `tensor`, our `name`; empty: it may.
std::string problem_of(const Source& source, const Tensor& tensor, const std::string& name) {
  if (!source.problem.empty()) return source.problem;
  if (shape_text(source.value) != shape_text(tensor)) {
    const bool turned = source.upward && shape_text(source.value.t()) == shape_text(tensor);
    return fmt::format("{} is {}, expected {} for {}{}", source.name, shape_text(source.value),
                       shape_text(tensor), name, turned ? " (its way down, PART=NAME.down, fits)" : "");
  }
  return all_finite(source.value) ? "" : source.name + " holds values that are not finite";
}

std::string names_of(const std::map<std::string, Tensor>& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors)
    if (names.size() < listed) names.push_back(name);
  const std::size_t more = tensors.size() - names.size();
  return fmt::format("{}{}", fmt::join(names, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

[[noreturn]] void fail_without_match(const std::map<std::string, Tensor>& ours,
                                     const std::map<std::string, Tensor>& theirs, const Checkpoint& from,
                                     const std::string& path, const std::string& part) {
  fail_usage("--start",
             fmt::format("expected names that both runs have{}, got none; this model has {}; {} ({}) "
                         "has {}; say which part is which, as in new=old",
                         part.empty() ? "" : fmt::format(" in the part '{}'", part), names_of(ours), path,
                         from.model, names_of(theirs)));
}

}  // namespace

nlohmann::ordered_json StartReport::to_json() const {
  return {{"path", path},   {"part", part}, {"model", model}, {"commit", commit},
          {"stage", stage}, {"step", step}, {"names", names}, {"left", left}};
}

StartReport start_from(Model& model, const Checkpoint& from, const std::string& path,
                       const std::string& part) {
  const Part wanted = parse_part(part);
  StartReport report{path, part, from.model, from.commit, from.stage, from.step, {}, {}};
  std::map<std::string, Tensor> ours;
  if (as<CanFit>(model)) {  // its buffers are sums of passes over other rows
    for (const auto& item : model.named_parameters()) ours[item.key()] = item.value();
  } else {
    collect_tensors(model, "", ours);
  }
  const std::map<std::string, Tensor> theirs = weights_of(from);
  std::vector<std::string> problems;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : ours) {
    const std::optional<std::string> wanted_name = their_name(name, wanted);
    if (!wanted_name) continue;
    const Source source = source_for(theirs, *wanted_name);
    if (!source.value.defined()) {
      report.left.push_back(name);
    } else if (const std::string problem = problem_of(source, tensor, name); !problem.empty()) {
      problems.push_back(problem);
    } else {
      report.names.push_back(name);
      copies.emplace_back(tensor, source.value);
    }
  }
  if (!problems.empty())
    fail_data(path, fmt::format("does not fit the new model: {}; name the part that fits",
                                fmt::join(problems, "; ")));
  if (copies.empty()) fail_without_match(ours, theirs, from, path, part);
  torch::NoGradGuard no_graph;
  for (auto& [tensor, value] : copies) tensor.copy_(value);
  return report;
}

}  // namespace deepgen
