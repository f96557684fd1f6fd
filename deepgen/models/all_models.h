// Every model: its card, and one line here. Torch-free.
#pragma once

#include "deepgen/models/adversarial/conditional_dcgan_options.h"
#include "deepgen/models/adversarial/conditional_gan_options.h"
#include "deepgen/models/adversarial/gan_options.h"
#include "deepgen/models/autoregressive/fvbn_options.h"
#include "deepgen/models/autoregressive/made_options.h"
#include "deepgen/models/autoregressive/nade_options.h"
#include "deepgen/models/autoregressive/orderless_nade_options.h"
#include "deepgen/models/autoregressive/pixelcnn_options.h"
#include "deepgen/models/autoregressive/rnade_options.h"
#include "deepgen/models/belief/dbn_options.h"
#include "deepgen/models/boltzmann/boltzmann_machine_options.h"
#include "deepgen/models/boltzmann/dbm_options.h"
#include "deepgen/models/boltzmann/discriminative_rbm_options.h"
#include "deepgen/models/boltzmann/rbm_options.h"
#include "deepgen/models/mixtures/mixture_options.h"
#include "deepgen/models/variational/vae_options.h"

namespace deepgen {

template <class... Cards>
struct CardList {};

// In the order in which people are shown them.
using AllModels =
    CardList<RbmCard, DiscriminativeRbmCard, BoltzmannMachineCard, DbnCard, DbmCard, BernoulliMixtureCard,
             GaussianMixtureCard, LatentClassCard, NaiveBayesCard, FvbnCard, NadeCard, MadeCard,
             OrderlessNadeCard, RnadeCard, VaeCard, CvaeCard, StructuredVaeCard, GanCard, ConditionalGanCard,
             ConditionalDcganCard, PixelCnnCard, ConditionalPixelCnnCard>;

}  // namespace deepgen
