// Every model: its card, and one line here. Torch-free.
#pragma once

#include "deepgen/models/adversarial/conditional_dcgan_options.h"
#include "deepgen/models/adversarial/gan_options.h"
#include "deepgen/models/autoregressive/fvbn_options.h"
#include "deepgen/models/autoregressive/made_options.h"
#include "deepgen/models/autoregressive/nade_options.h"
#include "deepgen/models/autoregressive/orderless_nade_options.h"
#include "deepgen/models/autoregressive/pixelcnn_options.h"
#include "deepgen/models/autoregressive/rnade_options.h"
#include "deepgen/models/boltzmann/rbm_options.h"
#include "deepgen/models/mixtures/mixture_options.h"
#include "deepgen/models/variational/vae_options.h"

namespace deepgen {

template <class... Cards>
struct CardList {};

// In the order in which people are shown them.
using AllModels =
    CardList<RbmCard, BernoulliMixtureCard, GaussianMixtureCard, LatentClassCard, NaiveBayesCard, FvbnCard,
             NadeCard, MadeCard, OrderlessNadeCard, RnadeCard, VaeCard, CvaeCard, StructuredVaeCard, GanCard,
             ConditionalDcganCard, PixelCnnCard, ConditionalPixelCnnCard>;

}  // namespace deepgen
