// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
// The other half of a model's entry, its factory, is in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/rbm_options.h"

namespace deepgen {

struct ModelCard {
  std::string name, title, source;
  std::unique_ptr<Options> (*options)();
  std::unique_ptr<Options> (*learning)();
};

template <class T>
std::unique_ptr<Options> make_options() {
  return std::make_unique<T>();
}

inline const std::vector<ModelCard>& model_catalog() {
  static const std::vector<ModelCard> cards = {
      {"rbm", "Restricted Boltzmann machine, units of any kind",
       "Smolensky 1986; Hinton 2002; Welling, Rosen-Zvi, Hinton 2005; Tieleman 2008; Nair and Hinton 2010; "
       "Melchior, Fischer, Wiskott 2016",
       make_options<RbmOptions>, make_options<RbmLearning>},
  };
  return cards;
}

}  // namespace deepgen
