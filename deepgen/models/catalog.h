// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
// The other half of a model's entry, its factory, is in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/mixture_options.h"
#include "deepgen/models/pixelcnn_options.h"
#include "deepgen/models/rbm_options.h"
#include "deepgen/models/training_options.h"

namespace deepgen {

struct ModelCard {
  std::string name, title, source;
  std::unique_ptr<Options> (*options)();
  std::unique_ptr<Options> (*learning)();
  // The trainer's options that suit the model when nothing is said.
  TrainingOptions (*training)() = [] { return TrainingOptions{}; };
};

// Networks trained by automatic differentiation.
inline TrainingOptions adam_training(double rate = 1e-3) {
  TrainingOptions training;
  training.optimiser = "adam";
  training.rate = rate;
  return training;
}

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
      {"bernoulli_mixture", "Mixture of products of Bernoulli variables, fitted by EM",
       "Dempster, Laird, Rubin 1977; Salakhutdinov and Murray 2008; Bishop 2006",
       make_options<MixtureOptions>, make_options<MixtureLearning>},
      {"gaussian_mixture", "Mixture of Gaussians with diagonal or full covariances, fitted by EM",
       "Dempster, Laird, Rubin 1977; Ghahramani and Jordan 1994; Bishop 2006",
       make_options<GaussianMixtureOptions>, make_options<GaussianMixtureLearning>},
      {"naive_bayes", "Naive Bayes: columns independent within a class, from labelled rows",
       "Duda and Hart 1973; Bishop 2006", make_options<NoOptions>, make_options<NaiveBayesLearning>},
      {"pixelcnn", "Gated PixelCNN: each pixel given those before it, by masked convolutions",
       "van den Oord, Kalchbrenner, Kavukcuoglu 2016; van den Oord and others 2016",
       make_options<PixelCnnOptions>, make_options<PixelCnnLearning>, [] { return adam_training(2e-3); }},
      {"conditional_pixelcnn", "Gated PixelCNN of pictures given their label",
       "van den Oord and others 2016, Conditional image generation with PixelCNN decoders",
       make_options<PixelCnnOptions>, make_options<PixelCnnLearning>, [] { return adam_training(2e-3); }},
  };
  return cards;
}

}  // namespace deepgen
