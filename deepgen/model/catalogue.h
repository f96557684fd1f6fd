// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/model_card.h"

namespace deepgen {

const std::vector<ModelCard>& model_catalogue();

// The card of a model; an unknown name is a usage error with the nearest one.
const ModelCard& model_card(const std::string& name);

// Whether the card names the kind among those it takes.
bool takes(const ModelCard& card, ColumnKind kind);
// The models that take all of these kinds and, where there are no labels, need none.
std::vector<std::string> models_taking(const std::vector<ColumnGroup>& groups, bool has_labels);

}  // namespace deepgen
