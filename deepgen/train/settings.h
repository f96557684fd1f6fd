// All settings of a run: model.<option> and training.<option>. Torch-free.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "deepgen/model/catalogue.h"
#include "deepgen/model/training_options.h"

namespace deepgen {

class Settings {
 public:
  explicit Settings(const std::string& model);  // the defaults; an unknown model is a usage error

  std::string model;
  std::unique_ptr<Options> model_options, learning;
  TrainingOptions training;

  // "model.hidden=20"; unknown groups and names are usage errors with the nearest name.
  void set(const std::string& assignment);
  void set(const std::string& group, const std::string& name, const std::string& text);
  // {"model": {...}, "training": {...}}, as written by to_json or read from a recipe.
  void set_all(const nlohmann::ordered_json& groups);
  // Whether `set` or `set_all` was told "training.epochs", say: what is stated is kept as it is.
  bool states(const std::string& name) const { return stated_.contains(name); }

  nlohmann::ordered_json to_json() const;  // the model's learning options are among "training"
  nlohmann::ordered_json model_json() const, learning_json() const;

 private:
  std::set<std::string> stated_;
};

}  // namespace deepgen
