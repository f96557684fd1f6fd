// A recipe: one claim as a TOML file. Model, data, training and the published number it answers.
//
//   title = "..."           model = "rbm"          data = "binarized_mnist"      seed = 1
//   [model_options] hidden = 500     [training] epochs = 100 ...
//   [evaluate] split = "test"   ais = "salakhutdinov_murray"   chains = 100   samples = 5000   orders = 16
//   [published] value = -86.34   metric = "log_prob"   source = "..."   aim = -85.0   aim_note = "..."
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deepgen {

struct Recipe {
  std::string name, path, title, model, data;
  std::uint64_t seed = 1;
  nlohmann::ordered_json settings;  // {"model": {...}, "training": {...}}
  std::string split = "test", ais = "standard";
  std::int64_t chains = 100, samples = 100, orders = 1;
  std::optional<double> published, aim,
      bracket;  // the figure to reach, the one hoped for, the widest bracket allowed
  std::string metric = "log_prob", source, note;
};

// Throws a usage error for unknown keys and a data error for malformed TOML, naming file and line.
Recipe read_recipe(const std::string& path);
Recipe parse_recipe(const std::string& path, const std::string& text);

// The file of a recipe given by path or by name (looked for in ./recipes and beside the program), or "".
std::string find_recipe(const std::string& name);
std::vector<std::string> recipe_names();

}  // namespace deepgen
