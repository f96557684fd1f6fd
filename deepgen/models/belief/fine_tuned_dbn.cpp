#include "deepgen/models/belief/fine_tuned_dbn.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/parts/likelihoods/likelihood_checks.h"

namespace deepgen {
namespace {

DataShape with_grey_as_bits(DataShape data) {
  if (data.values == ValueKind::grey) data.values = ValueKind::binary;
  for (ColumnGroup& group : data.groups)
    if (group.kind == ColumnKind::mean_field) group.kind = ColumnKind::binary;
  return data;
}

}  // namespace

FineTunedDbn::FineTunedDbn(std::string name, const DbnOptions& options, const FineTuneLearning& learning,
                           const DataShape& data)
    : name_(std::move(name)),
      learning_(learning),
      layers_(options.sizes().size()),
      cells_(visible_layer_of(options, data)) {
  stack_ = register_module("stack", std::make_shared<Dbn>(options, learning, with_grey_as_bits(data)));
  fine_tune_ = register_buffer("fine_tune", at::zeros({1}));
  for (std::size_t l = 0; l < layers_; ++l)  // machines themselves have no need of a graph
    machine(l).weights.requires_grad_(true), machine(l).hidden_bias.requires_grad_(true);
}

bool FineTunedDbn::fine_tune_has_begun() const { return fine_tune_.data_ptr<float>()[0] > 0; }

void FineTunedDbn::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  cells_.check(x, name_, what, first_row, "choose other units (model.visible_units)");
  likelihood_checks::refuse(x, x.isnan(), what, {first_row, 0}, "a value in every cell (fill them first)");
}

void FineTunedDbn::check_optimiser(const std::string& name, int stage) const {
  if (!fine_tunes({.stage = stage})) stack_->check_optimiser(name, stage);
}

bool FineTunedDbn::decays(const std::string& name, const Tensor& parameter) const {
  const std::string part = "stack.";
  return name.starts_with(part) ? stack_->decays(name.substr(part.size()), parameter)
                                : Model::decays(name, parameter);
}

// ---------------------------------------------------------------- the way up

Activation FineTunedDbn::activation(std::size_t l) const {
  const UnitLayer& units = machine(l).hidden_layer();
  if (units.all(UnitKind::gaussian)) return Activation::identity;
  if (units.all(UnitKind::binary)) return Activation::sigmoid;
  return l + 1 == layers_ ? Activation::relu : Activation::softplus;
}

Tensor FineTunedDbn::upwards(const Tensor& x, const Dropout& dropout) const {
  Tensor h = x;
  for (std::size_t l = 0; l < layers_; ++l) {
    if (dropout.rng) h = dropped(h, l == 0 ? dropout.input : dropout.hidden, *dropout.rng);
    h = dense(machine(l).coupled(h), machine(l).weights, machine(l).hidden_bias, activation(l));
  }
  return h;
}

Tensor FineTunedDbn::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  return fine_tune_has_begun() ? upwards(rows.x) : stack_->encode(rows);
}

// ---------------------------------------------------------------- training

std::vector<Tensor> FineTunedDbn::fine_parameters() const {
  std::vector<Tensor> all;
  for (std::size_t l = 0; l < layers_; ++l)
    all.push_back(machine(l).weights), all.push_back(machine(l).hidden_bias);
  for (const Tensor& own : own_parameters()) all.push_back(own);
  return all;
}

std::vector<Stage> FineTunedDbn::stages() {
  std::vector<Stage> all;
  if (learning_.pretrain) all = stack_->stages();
  for (Stage& stage : all) stage.training["patience"] = "0";  // what is judged comes with fine_tune
  all.push_back({.name = "fine_tune",
                 .share = learning_.fine_share,
                 .phases = {{.name = "fine_tune", .parameters = fine_parameters()}},
                 .training = {{"optimiser", learning_.fine_optimiser},
                              {"rate", fmt::format("{}", learning_.fine_rate)},
                              {"momentum", fmt::format("{}", learning_.fine_momentum)},
                              {"schedule", learning_.fine_schedule},
                              {"rate_final", fmt::format("{}", learning_.fine_rate_final)},
                              {"decay", fmt::format("{}", learning_.fine_decay)}},
                 .labelled = learns_from_labels()});
  return all;
}

bool FineTunedDbn::fine_tunes(const Turn& turn) const {
  return turn.stage == (learning_.pretrain ? static_cast<int>(layers_) : 0);
}

void FineTunedDbn::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  stack_->initialise(sample, rng);
  if (!learning_.pretrain) begin_at_random(sample, rng);
  fine_tune_.zero_();
}

void FineTunedDbn::begin_at_random(const Rows& sample, Rng& rng) {
  bool upper_moments = false;
  for (std::size_t l = 1; l < layers_; ++l) upper_moments |= machine(l).has_moments();
  for (std::size_t l = 0; l < layers_; ++l) {
    // Moments are those of the units below under the weights that these have now.
    if (l > 0 && upper_moments) stack_->begin_stage({.stage = static_cast<int>(l)}, sample, rng);
    Tensor weights = machine(l).weights, bias = machine(l).hidden_bias;
    fill_uniform(weights, std::sqrt(6.0 / static_cast<double>(weights.size(0) + weights.size(1))), rng);
    bias.zero_();
  }
}

void FineTunedDbn::begin_stage(const Turn& turn, const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  if (!fine_tunes(turn)) return stack_->begin_stage(turn, sample, rng);
  begin_fine_tune(sample);
  fine_tune_.fill_(1);
}

Metrics FineTunedDbn::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  if (!fine_tunes(turn)) return stack_->gradients(batch, turn, rng);
  Metrics metrics;
  fill_gradients(fine_loss(batch, rng, metrics), fine_parameters());
  return metrics;
}

void FineTunedDbn::project(const Turn& turn) {
  NoGradGuard no_graph;
  if (fine_tunes(turn))
    project_fine();
  else
    stack_->project(turn);
}

Metrics FineTunedDbn::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  return fine_tune_has_begun() ? diagnose_fine(train, valid) : stack_->diagnose(train, valid, rng);
}

std::string FineTunedDbn::diverged(const Metrics& diagnosis) const {
  return fine_tune_has_begun() ? "" : stack_->diverged(diagnosis);
}

}  // namespace deepgen
