// Models made by name.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "deepgen/data/files/data_shape.h"
#include "deepgen/model/catalogue.h"
#include "deepgen/model/model.h"

namespace deepgen {

// A new model with these options, which are of the classes that its card names; its parameters are zero until
// `initialise`. Data of a kind that the card does not take are a data error.
std::shared_ptr<Model> make_model(const std::string& name, const Options& options, const Options& learning,
                                  const DataShape& data);

// The same from objects of option names.
std::shared_ptr<Model> make_model(const std::string& name, const nlohmann::ordered_json& options,
                                  const nlohmann::ordered_json& learning, const DataShape& data);

// One of the card's small cases: `columns` columns (of a case with pictures 16).
DataShape small_shape(const SmallCase& small, std::int64_t columns, std::int64_t classes);
std::shared_ptr<Model> make_small_model(const ModelCard& card, const SmallCase& small, const DataShape& data);

// How the registry makes a model: each model's .cpp ends with `template std::shared_ptr<Model> create<XCard>(
// const Options&, const Options&, const DataShape&);` (model/create.h).
template <class Card>
std::shared_ptr<Model> create(const Options& options, const Options& learning, const DataShape& data);

}  // namespace deepgen
