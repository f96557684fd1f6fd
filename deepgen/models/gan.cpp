#include "deepgen/models/gan.h"

#include <cmath>

#include "deepgen/models/adversaries.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/check_cells.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Gan::Gan(GanOptions options, GanLearning learning, std::int64_t columns, std::string values)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      columns_(columns),
      values_(std::move(values)),
      hidden_(std::make_shared<Mlp>(options_.noise, parse_sizes("model.generator", options_.generator),
                                    options_.generator_activation)),
      output_(std::make_shared<DenseLayer>(hidden_->out(), columns,
                                           values_ == "real" ? Activation::identity : Activation::sigmoid)),
      discriminator_(
          std::make_shared<Discriminator>(columns, parse_sizes("model.discriminator", options_.discriminator),
                                          options_.discriminator_activation, options_.pieces)) {
  register_module("generator", hidden_);
  register_module("output", output_);
  register_module("discriminator", discriminator_);
}

std::vector<Stage> Gan::stages() {
  std::vector<Tensor> generator = hidden_->parameters();
  for (const Tensor& each : output_->parameters()) generator.push_back(each);
  return adversary_stages(
      discriminator_->parameters(), generator,
      {learning_.discriminator_updates, learning_.discriminator_rate, learning_.generator_rate});
}

void Gan::initialise(const Batch& sample, Rng& rng) {
  hidden_->initialise(rng);
  output_->initialise(rng);
  discriminator_->initialise(rng);
  NoGradGuard no_graph;
  const Tensor mean = sample.x.to(at::kDouble).mean(0);
  // A hundredth: a column that is hardly ever on begins within reach of a gradient.
  output_->bias.copy_(values_ == "real" ? mean : mean.clamp(0.01, 0.99).logit());
}

void Gan::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, columns_, values_ != "real", "gan", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor Gan::noise(std::int64_t rows, Rng& rng) const {
  if (options_.noise_kind == "normal") return normal(rows, options_.noise, rng.next());
  const double width = std::sqrt(12.0);  // of the uniform distribution of variance 1
  return uniform(rows, options_.noise, rng.next()).sub_(0.5).mul_(width);
}

Tensor Gan::generate(const Tensor& z) const { return output_->forward(hidden_->forward(z)); }

Tensor Gan::logits(const Tensor& x) const { return discriminator_->forward(x); }

// ---------------------------------------------------------------- gradients

Metrics Gan::gradients(const Batch& batch, const Turn& turn, Rng& rng) {
  const std::int64_t rows = batch.x.size(0);
  const std::vector<Stage> all = stages();
  const std::vector<Tensor>& mine = all[0].phases[static_cast<std::size_t>(turn.phase)].parameters;
  const Dropout dropout{learning_.input_dropout, learning_.hidden_dropout, &rng};
  if (turn.phase == 0) {
    Tensor generated;
    {
      NoGradGuard no_graph;
      generated = generate(noise(rows, rng));
    }
    const Tensor real = discriminator_->forward(batch.x, dropout);
    const Tensor cost =
        discriminator_cost(real, discriminator_->forward(generated, dropout), learning_.label_smoothing);
    fill_gradients(cost, mine);
    return {{"discriminator_cost", cost.item<double>()}};
  }
  const Tensor judged = discriminator_->forward(generate(noise(rows, rng)), dropout, true);
  const Tensor cost = generator_cost(judged, learning_.generator_cost);
  fill_gradients(cost, mine);
  return {{"generator_cost", cost.item<double>()}};
}

// ---------------------------------------------------------------- sampling

Tensor Gan::sample(std::int64_t count, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor x = generate(noise(count, rng));
  return values_ == "binary" ? (x >= 0.5).to(at::kFloat) : x;
}

// ---------------------------------------------------------------- scores

Metrics Gan::diagnose(const Batch& train, const Batch& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor generated = generate(noise(std::max<std::int64_t>(2, train.x.size(0)), rng));
  Metrics metrics =
      adversary_metrics(logits(train.x), logits(generated), relative_spread(generated, train.x));
  if (valid.x.defined())
    metrics.emplace_back("valid_called_real", (logits(valid.x) > 0).to(at::kDouble).mean().item<double>());
  return metrics;
}

}  // namespace deepgen
