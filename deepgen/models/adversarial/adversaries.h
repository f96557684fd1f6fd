// What two adversaries share: their costs from logits, whose turn it is, and numbers that show how their game
// stands.
//
// The discriminator gives a logit a(x), D(x) = sigmoid(a(x)) the probability that x is real. With t = 1 -
// label smoothing (one-sided: Salimans et al. 2016, section 3.4) and x from the data:
//
//   discriminator             -mean [t log D(x) + (1 - t) log(1 - D(x))] - mean log(1 - D(G(z)))
//   generator, non-saturating  -mean log D(G(z))
//   generator, minimax          mean log(1 - D(G(z)))
//
// (Goodfellow et al. 2014, algorithm 1 and section 3.) Neither cost falls as training goes well: each depends
// on the other player. At the optimum of the discriminator D = p / (p + q), and where q = p the costs are
// 2 log 2 and log 2.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "deepgen/model/model.h"
#include "deepgen/models/adversarial/gan_options.h"

namespace deepgen {

// Logits [B, 1] of real and of generated rows; both costs are scalars in float64.
Tensor discriminator_cost(const Tensor& real, const Tensor& generated, double label_smoothing);
Tensor generator_cost(const Tensor& generated, const std::string& kind);

// The two players as a turn sees them.
struct Game {
  std::vector<Tensor> discriminator, generator;  // their parameters
  std::function<Tensor()> generate;              // as many rows as the batch has, of fresh noise
  // The logits of rows. `frozen`: gradients flow to the rows alone.
  std::function<Tensor(const Tensor& x, bool frozen)> logits;
};

// One stage of two phases, "discriminator" and "generator", numbers 0 and 1 of a turn.
std::vector<Stage> adversary_stages(const Game& game, const AdversaryLearning& learning);

// What HasGradients::gradients owes: fills the gradients of the player whose turn it is and returns its cost,
// "discriminator_cost" or "generator_cost".
Metrics adversary_gradients(const Game& game, const Tensor& real, const Turn& turn,
                            const AdversaryLearning& learning);

// The mean distance of two samples over the mean distance of two rows of data: near 1 when the generator
// varies as the data do, near 0 when it has collapsed. Neighbouring rows are compared, so both sets must be
// in random order and have at least two rows. NaN never: data without any spread give 1.
double relative_spread(const Tensor& samples, const Tensor& data);

// discriminator_accuracy and its parts (real rows called real, generated ones called generated), and
// sample_spread, from logits.
Metrics adversary_metrics(const Tensor& real, const Tensor& generated, double spread);
// The share of rows with these logits that the discriminator takes for real.
double called_real(const Tensor& logits);

}  // namespace deepgen
