// The end of a model's .cpp: how the registry makes it (registry.h). `Card` names the classes of the model
// (Card::Model), of its options (Card::ModelOptions) and of its learning options (Card::LearningOptions).
#pragma once

#include "deepgen/model/registry.h"

namespace deepgen {

template <class Card>
std::shared_ptr<Model> create(const Options& options, const Options& learning, const DataShape& data) {
  return std::make_shared<typename Card::Model>(dynamic_cast<const typename Card::ModelOptions&>(options),
                                                dynamic_cast<const typename Card::LearningOptions&>(learning),
                                                data);
}

}  // namespace deepgen
