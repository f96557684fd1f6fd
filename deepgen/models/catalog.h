// The models by name: titles, sources and options. Torch-free, so that help and usage errors answer at once.
// The other half of a model's entry, its factory, is in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/mixture_options.h"
#include "deepgen/models/rbm_options.h"
#include "deepgen/models/training_options.h"
#include "deepgen/models/vae_options.h"

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
      {"vae", "Variational autoencoder",
       "Kingma and Welling 2014; Rezende, Mohamed, Wierstra 2014; Burda, Grosse, Salakhutdinov 2016; Tucker, "
       "Lawson, Gu, Maddison 2019",
       make_options<VaeOptions>, make_options<VaeLearning>, [] { return adam_training(1e-3); }},
      {"cvae", "Variational autoencoder conditional on labels",
       "Kingma, Rezende, Mohamed, Welling 2014; Sohn, Lee, Yan 2015", make_options<CvaeOptions>,
       make_options<VaeLearning>, [] { return adam_training(1e-3); }},
      {"structured_vae", "Variational autoencoder of the rest of a case given a part of it",
       "Sohn, Lee, Yan 2015", make_options<StructuredVaeOptions>, make_options<VaeLearning>,
       [] { return adam_training(1e-3); }},
  };
  return cards;
}

}  // namespace deepgen
