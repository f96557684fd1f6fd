// What two adversaries share: their costs from logits, and numbers that show how their game stands.
//
// The discriminator gives a logit a(x), D(x) = sigmoid(a(x)) the probability that x is real. With t = 1 -
// label smoothing (one-sided: Salimans et al. 2016, 3.4)
//
//   discriminator   -mean [t log D(x) + (1 - t) log(1 - D(x))] - mean log(1 - D(G(z)))
//   generator       -mean log D(G(z)) (non-saturating), or mean log(1 - D(G(z))) (minimax)
//
// (Goodfellow et al. 2014, algorithm 1 and section 3.) Neither cost falls as training goes well: each depends
// on the other player. At the optimum of the discriminator D = p / (p + q), and where q = p the costs are
// 2 log 2 and log 2.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/models/model.h"

namespace deepgen {

// Logits [B, 1] of real and of generated rows; both costs are scalars in float64.
Tensor discriminator_cost(const Tensor& real, const Tensor& generated, double label_smoothing);
Tensor generator_cost(const Tensor& generated, const std::string& kind);

// One stage of two phases, "discriminator" and "generator", numbers 0 and 1 of a turn.
struct AdversaryRates {
  std::int64_t discriminator_updates = 1;
  double discriminator_rate = 1, generator_rate = 1;
};
std::vector<Stage> adversary_stages(const std::vector<Tensor>& discriminator,
                                    const std::vector<Tensor>& generator, const AdversaryRates& rates);

// The mean distance of two samples over the mean distance of two rows of data: near 1 when the generator
// varies as the data do, near 0 when it has collapsed. Neighbouring rows are compared, so both sets must be
// in random order and have at least two rows. NaN never: data without any spread give 1.
double relative_spread(const Tensor& samples, const Tensor& data);

// discriminator_accuracy and its parts (real rows called real, generated ones called generated), both costs,
// and sample_spread.
Metrics adversary_metrics(const Tensor& real, const Tensor& generated, double spread);

}  // namespace deepgen
