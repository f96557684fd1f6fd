#include "deepgen/model/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/models/all_models.h"

namespace deepgen {
namespace {

using Factory = std::shared_ptr<Model> (*)(const Options&, const Options&, const DataShape&);

template <class... Cards>
std::map<std::string, Factory> factories_of(CardList<Cards...>) {
  return {{Cards::card().name, create<Cards>}...};
}

Factory factory_of(const ModelCard& card) {
  static const std::map<std::string, Factory> all = factories_of(AllModels{});
  return all.at(card.name);
}

// Kinds of columns that the model has no distribution for.
void refuse_columns(const ModelCard& card, const DataShape& data) {
  std::vector<std::string> names;
  for (const ColumnKind kind : card.takes) names.push_back(name_of(kind));
  for (const ColumnGroup& group : data.groups)
    if (!takes(card, group.kind))
      fail_data(
          card.name,
          fmt::format("expected {} columns, got {} columns from column {} of the encoded table; all of it "
                      "is taken by: {}",
                      fmt::join(names, " or "), name_of(group.kind), group.first,
                      fmt::join(models_taking(data.groups, data.classes > 0), ", ")));
}

}  // namespace

std::shared_ptr<Model> make_model(const std::string& name, const Options& options, const Options& learning,
                                  const DataShape& data) {
  const ModelCard& card = model_card(name);
  refuse_columns(card, data);
  options.check();
  learning.check();
  DataShape whole = data;
  if (whole.shape.empty()) whole.shape = {whole.columns};
  return factory_of(card)(options, learning, whole);
}

std::shared_ptr<Model> make_model(const std::string& name, const nlohmann::ordered_json& options,
                                  const nlohmann::ordered_json& learning, const DataShape& data) {
  const ModelCard& card = model_card(name);
  const std::unique_ptr<Options> own = card.options(), learns = card.learning();
  set_options(*own, "model", options);
  set_options(*learns, "training", learning);
  return make_model(name, *own, *learns, data);
}

DataShape small_shape(const SmallCase& small, std::int64_t columns, std::int64_t classes) {
  DataShape data{small.pictures ? 16 : columns, {}, classes, small.values, small.groups};
  data.shape = small.pictures ? std::vector<std::int64_t>{1, 4, 4} : std::vector<std::int64_t>{columns};
  if (!small.groups.empty()) {
    data.values = ValueKind::mixed;
    data.columns = small.groups.back().first + small.groups.back().size;
    data.shape = {data.columns};
  }
  return data;
}

std::shared_ptr<Model> make_small_model(const ModelCard& card, const SmallCase& small,
                                        const DataShape& data) {
  const std::unique_ptr<Options> own = card.options(), learns = card.learning();
  for (const std::string& setting : small.settings) {
    const std::size_t dot = setting.find('.'), equals = setting.find('=');
    const std::string group = setting.substr(0, dot);
    set_option(group == "model" ? *own : *learns, group, setting.substr(dot + 1, equals - dot - 1),
               setting.substr(equals + 1));
  }
  return make_model(card.name, *own, *learns, data);
}

}  // namespace deepgen
