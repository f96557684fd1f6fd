// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/model_card.h"

namespace deepgen {

const std::vector<ModelCard>& model_catalogue();

// The card of a model; an unknown name is a usage error with the nearest one.
const ModelCard& model_card(const std::string& name);

}  // namespace deepgen
