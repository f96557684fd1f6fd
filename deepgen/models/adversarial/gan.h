// Generative adversarial network of dense layers: a generator makes cases from noise, a discriminator learns
// to tell them from the data, and the generator learns from what the discriminator would rather see.
//
//   x = G(z),   z of independent numbers with mean 0 and variance 1
//   D(x) = sigmoid(a(x))
//
//   min over G, max over D of   E_data [log D(x)] + E_z [log(1 - D(G(z)))]
//
// Each step is `discriminator_updates` updates of D and one of G, on the same batch and with fresh noise,
// each by automatic differentiation of its own cost (adversaries.h). G ends in a sigmoid for binary and grey
// data and is linear for real ones; its last bias begins at the data's means. Samples of binary data are G's
// output cut at one half.
//
// Tables of several kinds of columns, or of categories: G's last layer is linear and gives log-probabilities
// of categories, log odds of bits and the values of numbers. D sees draws of the categories and bits that are
// nearly discrete and let gradients through (training.temperature; generated_cases.h has the equations);
// samples are exact draws. A number in bins (numbers=bins) is a category: its shape is right from the start,
// which that of a standardised number with a heap of equal values never is. Training rows must be complete.
//
// There is no likelihood, bound or code. Samples are judged by tests on samples (docs/sample-tests.md). The
// learning curve shows the discriminator's accuracy (0.5: it is fooled; 1: it is not, and G learns little)
// and sample_spread (adversaries.h), which falls towards 0 when G collapses to few cases. The average of the
// weights (training.average) is that of both networks; samples use it.
//
// Differs from the source: D's updates within a step see the same rows; Adam in place of momentum with a
// rising coefficient is what the defaults suggest; glorot's initial weights.
//
// Known to fail: the game need not converge, and its costs do not tell whether it does; G may leave out a
// part of the data (all of it but one mode, at worst) or learn training rows by heart. With many categories D
// may learn to tell draws that are nearly discrete from rows that are.
//
// Sources: Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio 2014, "Generative
// adversarial nets", algorithm 1; Heusel et al. 2017, "GANs trained by a two time-scale update rule" (two
// rates); Yazici et al. 2019, "The unusual effectiveness of averaging in GAN training"; of categories:
// generated_cases.h.
#pragma once

#include "deepgen/models/adversarial/dense_adversaries.h"

namespace deepgen {

class Gan : public DenseAdversaries, public CanSample {
 public:
  Gan(const GanOptions& options, const GanLearning& learning, const DataShape& data);

  Tensor sample(std::int64_t count, Rng& rng) const override;
};

}  // namespace deepgen
