#include "deepgen/models/adversarial/adversaries.h"

#include "deepgen/ops/layers.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

// The mean over rows of log D (target 1), of log(1 - D) (target 0) or between.
Tensor mean_log(const Tensor& logits, double target) {
  return ordered_mean(bernoulli_log_prob(logits, at::full_like(logits, target).detach()));
}

// The mean distance of rows to those one, two and three places further on.
double mean_distance(const Tensor& rows) {
  const std::int64_t count = rows.size(0);
  double sum = 0;
  std::int64_t pairs = 0;
  for (const std::int64_t shift : {1, 2, 3}) {
    if (shift >= count) break;
    const Tensor difference = rows.narrow(0, shift, count - shift) - rows.narrow(0, 0, count - shift);
    sum += difference.to(at::kDouble).square().sum(1).sqrt().sum().item<double>();
    pairs += count - shift;
  }
  return pairs > 0 ? sum / static_cast<double>(pairs) : 0;
}

double share(const Tensor& yes) { return yes.to(at::kDouble).mean().item<double>(); }

}  // namespace

Tensor discriminator_cost(const Tensor& real, const Tensor& generated, double label_smoothing) {
  return -mean_log(real, 1 - label_smoothing) - mean_log(generated, 0);
}

Tensor generator_cost(const Tensor& generated, const std::string& kind) {
  return kind == "minimax" ? mean_log(generated, 0) : -mean_log(generated, 1);
}

std::vector<Stage> adversary_stages(const Game& game, const AdversaryLearning& learning) {
  return {{"all",
           1,
           {{"discriminator", game.discriminator, static_cast<int>(learning.discriminator_updates),
             learning.discriminator_rate},
            {"generator", game.generator, 1, learning.generator_rate}}}};
}

Metrics adversary_gradients(const Game& game, const Tensor& real, const Turn& turn,
                            const AdversaryLearning& learning) {
  if (turn.phase == 0) {
    Tensor generated;
    {
      NoGradGuard no_graph;
      generated = game.generate();
    }
    const Tensor of_real = game.logits(real, false), of_generated = game.logits(generated, false);
    const Tensor cost = discriminator_cost(of_real, of_generated, learning.label_smoothing);
    fill_gradients(cost, game.discriminator);
    return {{"discriminator_cost", cost.item<double>()}};
  }
  const Tensor cost = generator_cost(game.logits(game.generate(), true), learning.generator_cost);
  fill_gradients(cost, game.generator);
  return {{"generator_cost", cost.item<double>()}};
}

double relative_spread(const Tensor& samples, const Tensor& data) {
  const double of_data = mean_distance(data);
  return of_data > 0 ? mean_distance(samples) / of_data : 1;
}

double called_real(const Tensor& logits) { return share(logits > 0); }

Metrics adversary_metrics(const Tensor& real, const Tensor& generated, double spread) {
  const double right_of_real = called_real(real), right_of_generated = share(generated < 0);
  return {{"discriminator_accuracy", (right_of_real + right_of_generated) / 2},
          {"real_called_real", right_of_real},
          {"generated_called_generated", right_of_generated},
          {"sample_spread", spread}};
}

}  // namespace deepgen
