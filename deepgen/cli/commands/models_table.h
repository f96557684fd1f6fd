// What the models of the catalogue can do, from a small instance of each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/model.h"
#include "deepgen/model/model_card.h"

namespace deepgen {

// The first of the card's small cases. Capabilities are promises for every configuration, so it speaks for
// all.
std::shared_ptr<Model> small_instance(const ModelCard& card);

// The names of the models of which this holds, in the order of the catalogue.
std::vector<std::string> models_that(const std::function<bool(const Model&)>& holds);

// "binary, categorical, count": kinds of columns in the words of tables.
std::string takes_text(const ModelCard& card);

// The table of models in README.md.
std::string models_markdown_table();

}  // namespace deepgen
