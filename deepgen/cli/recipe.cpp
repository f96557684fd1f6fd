#include "deepgen/cli/recipe.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/evaluate/schedule.h"

namespace deepgen {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_recipe = 1 << 20;
constexpr std::int64_t most_chains = 100000, most_samples = 1000000, most_orders = 100000;

// Folders that hold recipes: the working folder's, then those of the source tree the program was built in.
std::vector<fs::path> recipe_folders() {
  std::vector<fs::path> folders = {"recipes"};
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!ignored) {
    folders.push_back(program.parent_path() / "../../recipes");
    folders.push_back(program.parent_path() / "../share/deepgen/recipes");
  }
  return folders;
}

nlohmann::ordered_json to_json(const std::string& where, const toml::node& node) {
  if (node.is_integer()) return node.as_integer()->get();
  if (node.is_floating_point()) return node.as_floating_point()->get();
  if (node.is_boolean()) return node.as_boolean()->get();
  if (node.is_string()) return node.as_string()->get();
  fail_usage(where, "expected a number, text, true or false");
}

// Reads the known keys of a table and refuses the others.
class TableReader {
 public:
  TableReader(std::string where, const toml::table& table) : where_(std::move(where)), table_(table) {}

  template <class T>
  void read(const char* key, T& value) {
    known_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (!node) return;
    const auto found = node->value<T>();
    if (!found) fail_usage(where_ + " " + key, "has the wrong type");
    value = *found;
  }
  void read(const char* key, std::optional<double>& value) {
    double number = 0;
    read(key, number);
    if (table_.get(key)) value = number;
  }
  const toml::table* table(const char* key) {
    known_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (!node) return nullptr;
    if (!node->is_table()) fail_usage(where_ + " " + key, "expected a table");
    return node->as_table();
  }
  void refuse_unknown() const {
    for (const auto& [key, node] : table_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        fail_usage(where_, unknown_name("key", std::string(key.str()), known_));
  }

 private:
  std::string where_;
  const toml::table& table_;
  std::vector<std::string> known_;
};

// What the evaluation after the training would refuse is refused now.
void check_evaluation(const Recipe& recipe) {
  const std::string where = recipe.path + " [evaluate]";
  const std::vector<std::string> splits = {"train", "valid", "test"};
  if (std::find(splits.begin(), splits.end(), recipe.split) == splits.end())
    fail_usage(where, unknown_name("split", recipe.split, splits));
  if (recipe.chains < 2 || recipe.chains > most_chains)
    fail_usage(where, fmt::format("expected 2 to {} chains, got {}", most_chains, recipe.chains));
  if (recipe.samples < 1 || recipe.samples > most_samples)
    fail_usage(where, fmt::format("expected 1 to {} samples, got {}", most_samples, recipe.samples));
  if (recipe.orders < 1 || recipe.orders > most_orders)
    fail_usage(where, fmt::format("expected 1 to {} orders, got {}", most_orders, recipe.orders));
  try {
    check_schedule(recipe.ais);
  } catch (const Error& error) {
    fail_usage(where, error.what());
  }
  const std::vector<std::string> metrics = {"log_prob",
                                            "log_prob_per_row",
                                            "log_prob_annealed",
                                            "log_prob_annealed_per_row",
                                            "pseudo_log_likelihood",
                                            "pseudo_log_likelihood_per_row",
                                            "reconstruction_error",
                                            "frame_prediction_error",
                                            "linear_error_code",
                                            "nearest_neighbour_error_code",
                                            "elbo",
                                            "conditional_log_prob",
                                            "conditional_log_prob_annealed",
                                            "conditional_elbo",
                                            "conditional_log_prob_prior",
                                            "log_prob_ensemble",
                                            "log_prob_bound_less_log_z",
                                            "elbo_less_log_z",
                                            "classification_error",
                                            "classification_log_loss",
                                            "parzen_log_density",
                                            "two_sample_accuracy",
                                            "mmd2",
                                            "nearest_training_distance",
                                            "label_recognition"};
  if (std::find(metrics.begin(), metrics.end(), recipe.metric) == metrics.end())
    fail_usage(recipe.path + " [published]", unknown_name("metric", recipe.metric, metrics));
}

void read_groups(TableReader& reader, Recipe& recipe) {
  for (const char* group : {"model_options", "training"}) {
    if (const toml::table* table = reader.table(group))
      for (const auto& [key, node] : *table)
        recipe.settings[group == std::string("training") ? "training" : "model"][std::string(key.str())] =
            to_json(recipe.path + " " + std::string(key.str()), node);
  }
}

}  // namespace

Recipe parse_recipe(const std::string& path, const std::string& text) {
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    fail_data(path, fmt::format("line {}: {}", error.source().begin.line, error.description()));
  }
  Recipe recipe;
  recipe.path = path;
  recipe.name = fs::path(path).stem().string();
  TableReader reader(path, root);
  std::int64_t seed = 1;
  reader.read("title", recipe.title), reader.read("model", recipe.model), reader.read("data", recipe.data);
  reader.read("note", recipe.note), reader.read("seed", seed);
  if (seed < 0) fail_usage(path + " seed", fmt::format("expected 0 or more, got {}", seed));
  recipe.seed = static_cast<std::uint64_t>(seed);
  read_groups(reader, recipe);
  if (const toml::table* table = reader.table("evaluate")) {
    TableReader own(path + " [evaluate]", *table);
    own.read("split", recipe.split), own.read("ais", recipe.ais), own.read("chains", recipe.chains);
    own.read("samples", recipe.samples), own.read("orders", recipe.orders);
    own.read("metric", recipe.metric);
    own.refuse_unknown();
  }
  if (const toml::table* table = reader.table("published")) {
    TableReader own(path + " [published]", *table);
    own.read("value", recipe.published), own.read("aim", recipe.aim), own.read("bracket", recipe.bracket);
    own.read("metric", recipe.metric), own.read("source", recipe.source);
    own.refuse_unknown();
  }
  reader.refuse_unknown();
  if (recipe.model.empty() || recipe.data.empty()) fail_usage(path, "expected the keys model and data");
  check_evaluation(recipe);
  return recipe;
}

Recipe read_recipe(const std::string& path) {
  const Bytes bytes = read_raw_file(path, largest_recipe);
  return parse_recipe(path, std::string(bytes.begin(), bytes.end()));
}

std::string find_recipe(const std::string& name) {
  std::error_code ignored;
  if (name.ends_with(".toml")) return name;
  for (const fs::path& folder : recipe_folders()) {
    const fs::path path = folder / (name + ".toml");
    if (fs::exists(path, ignored)) return path.lexically_normal().string();
  }
  return "";
}

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const fs::path& folder : recipe_folders()) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (entry->path().extension() == ".toml") names.push_back(entry->path().stem().string());
    if (!names.empty()) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace deepgen
