// Models made by name.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "deepgen/data/files/column_group.h"
#include "deepgen/models/catalog.h"
#include "deepgen/models/model.h"

namespace deepgen {

// What a model must know of the data: columns D of a case, its shape (product D), the number of classes, what
// the values are ("binary", "grey" or "real") and, for a table of mixed kinds, which columns are of which
// kind.
struct DataShape {
  std::int64_t columns = 0;
  std::vector<std::int64_t> shape = {};
  std::int64_t classes = 0;
  std::string values = "binary";
  std::vector<ColumnGroup> groups = {};
};

// The card of a model; an unknown name is a usage error with the nearest one.
const ModelCard& model_card(const std::string& name);

// A new model with these options (objects of option names); its parameters are zero until `initialise`.
std::shared_ptr<Model> make_model(const std::string& name, const nlohmann::ordered_json& options,
                                  const nlohmann::ordered_json& learning, const DataShape& data);

}  // namespace deepgen
