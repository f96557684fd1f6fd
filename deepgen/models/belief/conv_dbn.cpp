#include "deepgen/models/belief/conv_dbn.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"

namespace deepgen {
namespace {

std::string conv_layer_name(std::size_t l) { return fmt::format("layer{}", l + 1); }

// What the pooling units of a machine are for the next.
DataShape pooled_shape(const ConvRbm& below) {
  DataShape shape;
  shape.shape = below.pooled_picture();
  shape.columns = shape.shape[0] * shape.shape[1] * shape.shape[2];
  return shape;
}

}  // namespace

// ---------------------------------------------------------------- construction

ConvDbn::ConvDbn(ConvDbnOptions options, ConvDbnLearning learning, const DataShape& data)
    : options_(std::move(options)), learning_(std::move(learning)) {
  options_.check();
  options_.check_layers();
  learning_.check();
  const std::size_t layers = options_.sizes().size(),
                    shares = parse_sizes("training.shares", learning_.shares).size();
  if (shares > 0 && shares != layers)
    fail_usage(
        "training.shares",
        fmt::format("expected {} numbers, one for each layer of model.layers, got {}", layers, shares));
  for (std::size_t l = 0; l < layers; ++l) {
    const DataShape below = l == 0 ? data : pooled_shape(*machines_.back());
    const ConvRbmOptions own = options_.machine(l, learning_.inputs == "means");
    machines_.push_back(
        register_module(conv_layer_name(l), std::make_shared<ConvRbm>(own, learning_, below)));
  }
  depth_ = register_buffer("depth", at::full({1}, static_cast<double>(layers)));
}

std::size_t ConvDbn::depth() const {
  const float begun = depth_.data_ptr<float>()[0];  // of a file, so it may be anything
  return begun >= 1 ? static_cast<std::size_t>(std::min(begun, static_cast<float>(machines_.size()))) : 1;
}

void ConvDbn::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  machine(0).check_data(x, what, first_row);
  likelihood_checks::refuse(x, x.isnan(), what, {first_row, 0},
                            "a value in every cell (conv_rbm trains with gaps; or fill them first)");
}

// ---------------------------------------------------------------- training

std::vector<Stage> ConvDbn::stages() {
  const std::vector<std::int64_t> shares = parse_sizes("training.shares", learning_.shares);
  std::vector<Stage> all;
  for (std::size_t l = 0; l < machines_.size(); ++l)
    all.push_back({.name = conv_layer_name(l),
                   .share = shares.empty() ? 1 : static_cast<double>(shares[l]),
                   .phases = {{.name = conv_layer_name(l), .parameters = machines_[l]->parameters()}}});
  return all;
}

void ConvDbn::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  for (std::size_t l = 0; l < machines_.size(); ++l)
    machines_[l]->initialise({inputs_of(sample.x, l, rng)}, rng);
  depth_.fill_(static_cast<double>(machines_.size()));
}

void ConvDbn::begin_stage(const Turn& turn, const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  const auto l = static_cast<std::size_t>(turn.stage);
  // The machines below are no longer those that it was initialised on.
  if (l > 0) machines_.at(l)->initialise({inputs_of(sample.x, l, rng)}, rng);
  depth_.fill_(static_cast<double>(l + 1));
}

Metrics ConvDbn::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  NoGradGuard no_graph;
  const auto l = static_cast<std::size_t>(turn.stage);
  return machines_.at(l)->gradients({inputs_of(batch.x, l, rng)}, turn, rng);
}

Metrics ConvDbn::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const std::size_t l = depth() - 1;
  const Rows probe = valid.size() > 0 ? Rows(inputs_of(valid.x, l, rng)) : Rows();
  return machines_[l]->diagnose({inputs_of(train.x, l, rng)}, probe, rng);
}

Tensor ConvDbn::inputs_of(const Tensor& x, std::size_t level, Rng& rng) const {
  const bool means = learning_.inputs == "means";
  Tensor s = x;
  for (std::size_t l = 0; l < level; ++l)
    s = means ? machine(l).pooled_mean(s) : machine(l).pooled_sample(s, rng);
  return s;
}

template std::shared_ptr<Model> create<ConvDbnCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
