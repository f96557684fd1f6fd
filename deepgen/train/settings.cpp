#include "deepgen/train/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

std::vector<std::string> names_of(Options& options) {
  std::vector<std::string> names;
  for (const FieldText& field : describe_options(options)) names.push_back(field.name);
  return names;
}

}  // namespace

Settings::Settings(const std::string& name) : model(name) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue()) {
    names.push_back(card.name);
    if (card.name != name) continue;
    model_options = card.options();
    learning = card.learning();
    training = card.training;
  }
  if (!model_options) fail_usage("model", unknown_name("model", name, names));
}

void Settings::set(const std::string& assignment) {
  const std::size_t equals = assignment.find('='), dot = assignment.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals)
    fail_usage("--set",
               fmt::format("expected model.<option>=value or training.<option>=value, got '{}'", assignment));
  set(assignment.substr(0, dot), assignment.substr(dot + 1, equals - dot - 1), assignment.substr(equals + 1));
}

void Settings::set(const std::string& group, const std::string& name, const std::string& text) {
  stated_.insert(group + "." + name);
  if (group == "model") {
    set_option(*model_options, group, name, text);
    return model_options->check();
  }
  if (group != "training") fail_usage("--set", unknown_name("group", group, {"model", "training"}));
  std::vector<std::string> names = names_of(*learning);
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    set_option(*learning, group, name, text);
    return learning->check();
  }
  const std::vector<std::string> common = names_of(training);
  if (std::find(common.begin(), common.end(), name) != common.end())
    return set_option(training, group, name, text);
  names.insert(names.end(), common.begin(), common.end());
  fail_usage(group, unknown_name("option", name, names));
}

void Settings::set_all(const nlohmann::ordered_json& groups) {
  for (const auto& [group, values] : groups.items()) {
    if (!values.is_object()) fail_usage(group, "expected a table of options");
    for (const auto& [name, value] : values.items()) {
      if (!value.is_primitive() || value.is_null())
        fail_usage(group + "." + name, "expected a number, text, true or false");
      set(group, name, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
}

nlohmann::ordered_json Settings::to_json() const {
  nlohmann::ordered_json all = {{"model", model_json()},
                                {"training", options_to_json(const_cast<TrainingOptions&>(training))}};
  const nlohmann::ordered_json own = learning_json();
  for (const auto& [name, value] : own.items()) all["training"][name] = value;
  return all;
}

nlohmann::ordered_json Settings::model_json() const { return options_to_json(*model_options); }
nlohmann::ordered_json Settings::learning_json() const { return options_to_json(*learning); }

}  // namespace deepgen
