#include "deepgen/models/adversarial/gan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

// binary, grey or real: one kind for all columns, as the generator ends in one function.
ValueKind values_of(const DataShape& data) {
  const auto all = [&](std::initializer_list<ColumnKind> kinds) {
    return std::all_of(data.groups.begin(), data.groups.end(), [&](const ColumnGroup& group) {
      return std::find(kinds.begin(), kinds.end(), group.kind) != kinds.end();
    });
  };
  if (!data.groups.empty()) {
    if (all({ColumnKind::binary})) return ValueKind::binary;
    if (all({ColumnKind::gaussian, ColumnKind::mean_field})) return ValueKind::real;
    fail_data("gan", "expected columns that are all binary or all real, got a table with several kinds");
  }
  if (data.values == ValueKind::binary || data.values == ValueKind::grey || data.values == ValueKind::real)
    return data.values;
  fail_data("gan", fmt::format("expected binary, grey or real values, got {} ones", name_of(data.values)));
}

}  // namespace

// ---------------------------------------------------------------- construction

Gan::Gan(const GanOptions& options, const GanLearning& learning, const DataShape& data)
    : options_(options),
      learning_(learning),
      columns_(data.columns),
      values_(values_of(data)),
      hidden_(std::make_shared<Mlp>(options_.noise, parse_sizes("model.generator", options_.generator),
                                    options_.generator_activation)),
      output_(std::make_shared<DenseLayer>(
          hidden_->out(), columns_, values_ == ValueKind::real ? Activation::identity : Activation::sigmoid)),
      discriminator_(std::make_shared<Discriminator>(
          columns_, parse_sizes("model.discriminator", options_.discriminator),
          options_.discriminator_activation, options_.pieces)) {
  register_module("generator", hidden_);
  register_module("output", output_);
  register_module("discriminator", discriminator_);
}

Game Gan::players() const {
  Game game;
  game.discriminator = discriminator_->parameters();
  game.generator = hidden_->parameters();
  for (const Tensor& each : output_->parameters()) game.generator.push_back(each);
  return game;
}

std::vector<Stage> Gan::stages() { return adversary_stages(players(), learning_); }

void Gan::initialise(const Rows& sample, Rng& rng) {
  hidden_->initialise(rng);
  output_->initialise(rng);
  discriminator_->initialise(rng);
  NoGradGuard no_graph;
  const Tensor mean = sample.x.to(at::kDouble).mean(0);
  // A hundredth: a column that is hardly ever on begins within reach of a gradient.
  output_->bias.copy_(values_ == ValueKind::real ? mean : mean.clamp(0.01, 0.99).logit());
}

void Gan::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, columns_, values_ != ValueKind::real, "gan", what, first_row);
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

Metrics Gan::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  const Dropout dropout{learning_.input_dropout, learning_.hidden_dropout, &rng};
  Game game = players();
  game.generate = [&] { return generate(noise(batch.size(), rng)); };
  game.logits = [&](const Tensor& x, bool frozen) { return discriminator_->forward(x, dropout, frozen); };
  return adversary_gradients(game, batch.x, turn, learning_);
}

// ---------------------------------------------------------------- sampling

Tensor Gan::sample(std::int64_t count, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor x = generate(noise(count, rng));
  return values_ == ValueKind::binary ? (x >= 0.5).to(at::kFloat) : x;
}

// ---------------------------------------------------------------- scores

Metrics Gan::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor generated = generate(noise(std::max<std::int64_t>(2, train.size()), rng));
  Metrics metrics =
      adversary_metrics(logits(train.x), logits(generated), relative_spread(generated, train.x));
  if (valid.size() > 0) metrics.emplace_back("valid_called_real", called_real(logits(valid.x)));
  return metrics;
}

template std::shared_ptr<Model> create<GanCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
