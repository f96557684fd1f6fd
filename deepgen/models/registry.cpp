#include "deepgen/models/registry.h"

#include <map>

#include "deepgen/core/error.h"
#include "deepgen/models/rbm.h"

namespace deepgen {
namespace {

using Factory = std::shared_ptr<Model> (*)(const nlohmann::ordered_json& options,
                                           const nlohmann::ordered_json& learning, const DataShape& data);

template <class ModelOptions, class Learning, class Make>
std::shared_ptr<Model> build(const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
                             Make make) {
  ModelOptions model_options;
  Learning learning_options;
  set_options(model_options, "model", options);
  set_options(learning_options, "training", learning);
  return make(model_options, learning_options);
}

std::vector<UnitGroup> unit_groups(const std::vector<ColumnGroup>& groups) {
  std::vector<UnitGroup> units;
  for (const ColumnGroup& group : groups)
    units.push_back({unit_kind(group.kind, "data"), group.first, group.size});
  return units;
}

// One line a model.
const std::map<std::string, Factory>& factories() {
  static const std::map<std::string, Factory> all = {
      {"rbm",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         return build<RbmOptions, RbmLearning>(
             options, learning, [&](const RbmOptions& o, const RbmLearning& l) {
               return std::make_shared<Rbm>(
                   o, l, visible_layer_of(o, data.columns, data.values, unit_groups(data.groups)));
             });
       }},
  };
  return all;
}

}  // namespace

const ModelCard& model_card(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalog()) {
    if (card.name == name) return card;
    names.push_back(card.name);
  }
  fail_usage("model", unknown_name("model", name, names));
}

std::shared_ptr<Model> make_model(const std::string& name, const nlohmann::ordered_json& options,
                                  const nlohmann::ordered_json& learning, const DataShape& data) {
  return factories().at(model_card(name).name)(options, learning, data);
}

}  // namespace deepgen
