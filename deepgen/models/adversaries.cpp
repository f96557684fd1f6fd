#include "deepgen/models/adversaries.h"

#include "deepgen/ops/layers.h"

namespace deepgen {
namespace {

// The mean over rows of log D (target 1), of log(1 - D) (target 0) or between.
Tensor mean_log(const Tensor& logits, double target) {
  return bernoulli_log_prob(logits, at::full_like(logits, target).detach()).mean();
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

std::vector<Stage> adversary_stages(const std::vector<Tensor>& discriminator,
                                    const std::vector<Tensor>& generator, const AdversaryRates& rates) {
  return {{"all",
           1,
           {{"discriminator", discriminator, static_cast<int>(rates.discriminator_updates),
             rates.discriminator_rate},
            {"generator", generator, 1, rates.generator_rate}}}};
}

double relative_spread(const Tensor& samples, const Tensor& data) {
  const double of_data = mean_distance(data);
  return of_data > 0 ? mean_distance(samples) / of_data : 1;
}

Metrics adversary_metrics(const Tensor& real, const Tensor& generated, double spread) {
  const double called_real = share(real > 0), called_generated = share(generated < 0);
  return {{"discriminator_accuracy", (called_real + called_generated) / 2},
          {"real_called_real", called_real},
          {"generated_called_generated", called_generated},
          {"discriminator_cost", discriminator_cost(real, generated, 0).item<double>()},
          {"generator_cost", generator_cost(generated, "non_saturating").item<double>()},
          {"sample_spread", spread}};
}

}  // namespace deepgen
