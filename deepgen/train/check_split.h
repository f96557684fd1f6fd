// Whether a model takes the rows of a part: asked before long work begins.
#pragma once

#include <functional>
#include <string>

#include "deepgen/data/dataset.h"
#include "deepgen/model/model.h"

namespace deepgen {

// Throws the model's data error, which names `name`, row and column, for the first value of the part that the
// model cannot take. `cells` [n, D] -> [n, D]: what is looked at in place of the rows, for one that fills
// their missing cells.
void check_split(const Model& model, const Split& split, const std::string& name,
                 const std::function<Tensor(const Tensor&)>& cells = {});

}  // namespace deepgen
