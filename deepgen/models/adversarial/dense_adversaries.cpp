#include "deepgen/models/adversarial/dense_adversaries.h"

#include <algorithm>
#include <cmath>

#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

DenseAdversaries::DenseAdversaries(const std::string& model, const GanOptions& options,
                                   const GanLearning& learning, const DataShape& data, std::int64_t classes)
    : model_name_(model),
      options_(options),
      learning_(learning),
      columns_(data.columns),
      classes_(classes),
      cases_(model, data),
      hidden_(std::make_shared<Mlp>(options_.noise + classes,
                                    parse_sizes("model.generator", options_.generator),
                                    options_.generator_activation)),
      output_(std::make_shared<DenseLayer>(hidden_->out(), columns_, cases_.last_activation())),
      discriminator_(std::make_shared<Discriminator>(
          columns_ + classes, parse_sizes("model.discriminator", options_.discriminator),
          options_.discriminator_activation, options_.pieces)) {
  register_module("generator", hidden_);
  register_module("output", output_);
  register_module("discriminator", discriminator_);
}

Game DenseAdversaries::players() const {
  Game game;
  game.discriminator = discriminator_->parameters();
  game.generator = hidden_->parameters();
  for (const Tensor& each : output_->parameters()) game.generator.push_back(each);
  return game;
}

std::vector<Stage> DenseAdversaries::stages() { return adversary_stages(players(), learning_); }

void DenseAdversaries::initialise(const Rows& sample, Rng& rng) {
  one_hot(sample.y, sample.size());
  hidden_->initialise(rng);
  output_->initialise(rng);
  discriminator_->initialise(rng);
  NoGradGuard no_graph;
  output_->bias.copy_(cases_.bias_at(sample.x));
  if (classes_ == 0) return;
  // Every class begins with the means of all rows.
  const Tensor first = hidden_->layers().empty() ? output_->weight : hidden_->layers().front()->weight;
  first.narrow(0, options_.noise, classes_).zero_();
}

void DenseAdversaries::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  cases_.check(x, what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor DenseAdversaries::one_hot(const Tensor& y, std::int64_t rows) const {
  return classes_ > 0 ? one_hot_labels(y, rows, classes_, model_name_) : Tensor();
}

Tensor DenseAdversaries::noise(std::int64_t rows, Rng& rng) const {
  if (options_.noise_kind == "normal") return normal(rows, options_.noise, rng.next());
  const double width = std::sqrt(12.0);  // of the uniform distribution of variance 1
  return uniform(rows, options_.noise, rng.next()).sub_(0.5).mul_(width);
}

Tensor DenseAdversaries::numbers(const Tensor& z, const Tensor& label) const {
  return output_->forward(hidden_->forward(label.defined() ? at::cat({z, label}, 1) : z));
}

Tensor DenseAdversaries::generate(const Tensor& z, const Tensor& label) const {
  return cases_.mean(numbers(z, label));
}

Tensor DenseAdversaries::relaxed(const Tensor& z, const Tensor& label, Rng& rng) const {
  return cases_.relaxed(numbers(z, label), learning_.temperature, rng);
}

Tensor DenseAdversaries::logits(const Tensor& x, const Tensor& label) const {
  return discriminator_->forward(x, {}, false, label);
}

// ---------------------------------------------------------------- gradients

Metrics DenseAdversaries::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  const Tensor label = one_hot(batch.y, batch.size());
  const Dropout dropout{learning_.input_dropout, learning_.hidden_dropout, &rng};
  Game game = players();
  game.generate = [&] { return relaxed(noise(batch.size(), rng), label, rng); };
  game.logits = [&](const Tensor& x, bool frozen) {
    return discriminator_->forward(x, dropout, frozen, label);
  };
  return adversary_gradients(game, batch.x, turn, learning_);
}

// ---------------------------------------------------------------- sampling

Tensor DenseAdversaries::draw(std::int64_t rows, const Tensor& label, Rng& rng) const {
  NoGradGuard no_graph;
  return cases_.sample(numbers(noise(rows, rng), label), rng);
}

// ---------------------------------------------------------------- scores

Metrics DenseAdversaries::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor label = one_hot(train.y, train.size());
  const std::int64_t rows = label.defined() ? train.size() : std::max<std::int64_t>(2, train.size());
  const Tensor generated = relaxed(noise(rows, rng), label, rng);
  Metrics metrics = adversary_metrics(logits(train.x, label), logits(generated, label),
                                      relative_spread(generated, train.x));
  if (valid.size() > 0 && (classes_ == 0 || all_labelled(valid)))
    metrics.emplace_back("valid_called_real", called_real(logits(valid.x, one_hot(valid.y, valid.size()))));
  return metrics;
}

}  // namespace deepgen
