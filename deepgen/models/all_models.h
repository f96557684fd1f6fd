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
#include "deepgen/models/belief/conv_dbn_options.h"
#include "deepgen/models/belief/dbn_classifier_options.h"
#include "deepgen/models/belief/dbn_options.h"
#include "deepgen/models/belief/deep_autoencoder_options.h"
#include "deepgen/models/belief/labelled_dbn_options.h"
#include "deepgen/models/boltzmann/boltzmann_machine_options.h"
#include "deepgen/models/boltzmann/conditional_rbm_options.h"
#include "deepgen/models/boltzmann/conv_rbm_options.h"
#include "deepgen/models/boltzmann/dbm_classifier_options.h"
#include "deepgen/models/boltzmann/dbm_options.h"
#include "deepgen/models/boltzmann/discriminative_rbm_options.h"
#include "deepgen/models/boltzmann/gated_rbm_options.h"
#include "deepgen/models/boltzmann/mean_covariance_options.h"
#include "deepgen/models/boltzmann/rbm_options.h"
#include "deepgen/models/boltzmann/spike_slab_rbm_options.h"
#include "deepgen/models/boltzmann/temporal_rbm_options.h"
#include "deepgen/models/mixtures/mixture_options.h"
#include "deepgen/models/sequences/rnn_nade_options.h"
#include "deepgen/models/sequences/rnn_rbm_options.h"
#include "deepgen/models/variational/vae_options.h"

namespace deepgen {

template <class... Cards>
struct CardList {};

// In the order in which people are shown them.
using AllModels =
    CardList<RbmCard, DiscriminativeRbmCard, ConditionalRbmCard, TemporalRbmCard, BoltzmannMachineCard,
             DbnCard, DbnClassifierCard, DeepAutoencoderCard, LabelledDbnCard, DbmCard, ConvRbmCard,
             ConvDbnCard, DbmClassifierCard, SpikeSlabRbmCard, McrbmCard, MpotCard, GatedRbmCard,
             BernoulliMixtureCard, GaussianMixtureCard, LatentClassCard, NaiveBayesCard, FvbnCard, NadeCard,
             MadeCard, OrderlessNadeCard, RnadeCard, VaeCard, CvaeCard, StructuredVaeCard, GanCard,
             ConditionalGanCard, ConditionalDcganCard, PixelCnnCard, ConditionalPixelCnnCard, RnnRbmCard,
             RtrbmCard, RnnNadeCard>;

}  // namespace deepgen
