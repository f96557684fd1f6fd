#include "deepgen/models/catalog.h"

#include "deepgen/models/conditional_dcgan_options.h"
#include "deepgen/models/fvbn_options.h"
#include "deepgen/models/gan_options.h"
#include "deepgen/models/made_options.h"
#include "deepgen/models/mixture_options.h"
#include "deepgen/models/nade_options.h"
#include "deepgen/models/orderless_nade_options.h"
#include "deepgen/models/pixelcnn_options.h"
#include "deepgen/models/rbm_options.h"
#include "deepgen/models/rnade_options.h"
#include "deepgen/models/vae_options.h"

namespace deepgen {
namespace {

template <class T>
std::unique_ptr<Options> make_options() {
  return std::make_unique<T>();
}

// Networks trained by automatic differentiation.
TrainingOptions adam_training(double rate = 1e-3) {
  TrainingOptions training;
  training.optimiser = "adam";
  training.rate = rate;
  return training;
}

// Two adversaries: a short memory of the gradients (Radford, Metz, Chintala 2016, section 3).
TrainingOptions adversary_training(double rate = 2e-4) {
  TrainingOptions training = adam_training(rate);
  training.momentum = 0.5;
  return training;
}

}  // namespace

const std::vector<ModelCard>& model_catalog() {
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
      {"fvbn", "Fully visible belief network: logistic autoregression",
       "Frey, Hinton, Dayan 1996; Frey 1998; Larochelle and Murray 2011", make_options<FvbnOptions>,
       make_options<NoOptions>, [] { return adam_training(1e-3); }},
      {"nade", "Neural autoregressive distribution estimator of bits", "Larochelle and Murray 2011",
       make_options<NadeOptions>, make_options<NoOptions>, [] { return adam_training(1e-3); }},
      {"made", "Masked autoencoder for distribution estimation, with one or many masks",
       "Germain, Gregor, Murray, Larochelle 2015", make_options<MadeOptions>, make_options<MadeLearning>,
       [] { return adam_training(1e-3); }},
      {"orderless_nade", "Deep NADE for every order of the columns", "Uria, Murray, Larochelle 2014",
       make_options<OrderlessNadeOptions>, make_options<OrderlessNadeLearning>,
       [] { return adam_training(1e-3); }},
      {"rnade", "Real-valued NADE: each column a mixture of Gaussians given those before it",
       "Uria, Murray, Larochelle 2013", make_options<RnadeOptions>, make_options<NoOptions>,
       [] { return adam_training(1e-3); }},
      {"vae", "Variational autoencoder",
       "Kingma and Welling 2014; Rezende, Mohamed, Wierstra 2014; Burda, Grosse, Salakhutdinov 2016; Tucker, "
       "Lawson, Gu, Maddison 2019",
       make_options<VaeOptions>, make_options<VaeLearning>, [] { return adam_training(1e-3); }},
      {"cvae", "Variational autoencoder conditional on labels",
       "Kingma, Rezende, Mohamed, Welling 2014; Sohn, Lee, Yan 2015", make_options<CvaeOptions>,
       make_options<VaeLearning>, [] { return adam_training(1e-3); }},
      {"structured_vae", "Variational autoencoder of the rest of a case given a part of it",
       "Sohn, Lee, Yan 2015", make_options<StructuredVaeOptions>, make_options<StructuredVaeLearning>,
       [] { return adam_training(1e-3); }},
      {"gan", "Generative adversarial network of dense layers",
       "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio 2014",
       make_options<GanOptions>, make_options<GanLearning>, [] { return adversary_training(); }},
      {"conditional_dcgan", "Conditional convolutional adversarial network: pictures given their label",
       "Radford, Metz, Chintala 2016; Mirza and Osindero 2014", make_options<ConditionalDcganOptions>,
       make_options<ConditionalDcganLearning>, [] { return adversary_training(); }},
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
