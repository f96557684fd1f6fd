#include "deepgen/models/belief/dbn.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"

namespace deepgen {
namespace {

std::string layer_name(std::size_t l) { return fmt::format("layer{}", l + 1); }

// An option with an item for each layer, or for fewer where the last one counts for the rest.
void refuse_items(const std::string& option, std::size_t items, std::size_t layers, bool fewer) {
  if (items == layers || (fewer && items < layers)) return;
  fail_usage(option,
             fmt::format("expected {} items, one for each layer of model.layers, got {}", layers, items));
}

}  // namespace

// ---------------------------------------------------------------- construction

Dbn::Dbn(DbnOptions options, DbnLearning learning, const DataShape& data)
    : options_(std::move(options)), learning_(std::move(learning)) {
  options_.check();
  learning_.check();
  const std::size_t layers = options_.sizes().size(),
                    shares = parse_sizes("training.shares", learning_.shares).size();
  refuse_items("model.hidden_units", layer_items(options_.hidden_units).size(), layers, true);
  refuse_items("training.gibbs_steps", layer_items(learning_.gibbs_steps).size(), layers, true);
  if (shares > 0) refuse_items("training.shares", shares, layers, false);
  for (std::size_t l = 0; l < layers; ++l) {
    const UnitLayer below = l == 0 ? visible_layer_of(options_, data) : machines_.back()->hidden_layer();
    machines_.push_back(register_module(
        layer_name(l), std::make_shared<Rbm>(options_.machine(l), learning_.machine(l), below)));
  }
  depth_ = register_buffer("depth", at::full({1}, static_cast<double>(layers)));
}

std::size_t Dbn::depth() const {
  const float begun = depth_.data_ptr<float>()[0];  // of a file, so it may be anything
  return begun >= 1 ? static_cast<std::size_t>(std::min(begun, static_cast<float>(machines_.size()))) : 1;
}

void Dbn::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  machine(0).visible_layer().check(x, "dbn", what, first_row, "choose other units (model.visible_units)");
  likelihood_checks::refuse(x, x.isnan(), what, {first_row, 0},
                            "a value in every cell (rbm trains with gaps; or fill them first)");
}

void Dbn::check_optimiser(const std::string& name, int stage) const {
  machine(static_cast<std::size_t>(stage)).check_optimiser(name, 0);
}

bool Dbn::decays(const std::string& name, const Tensor& parameter) const {
  return machine(0).decays(name.substr(name.find('.') + 1), parameter);
}

Tensor Dbn::filters() const { return machine(0).filters(); }

// ---------------------------------------------------------------- training

std::vector<Stage> Dbn::stages() {
  const std::vector<std::int64_t> shares = parse_sizes("training.shares", learning_.shares);
  std::vector<Stage> all;
  for (std::size_t l = 0; l < machines_.size(); ++l)
    all.push_back({.name = layer_name(l),
                   .share = shares.empty() ? 1 : static_cast<double>(shares[l]),
                   .phases = {{.name = layer_name(l), .parameters = machines_[l]->parameters()}}});
  return all;
}

void Dbn::initialise(const Rows& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  for (std::size_t l = 0; l < machines_.size(); ++l) begin_layer(l, sample.x, rng);
  depth_.fill_(static_cast<double>(machines_.size()));
}

void Dbn::begin_stage(const Turn& turn, const Rows& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  const auto l = static_cast<std::size_t>(turn.stage);
  if (l > 0) begin_layer(l, sample.x, rng);  // the machines below are no longer those it was initialised on
  depth_.fill_(static_cast<double>(l + 1));
}

void Dbn::begin_layer(std::size_t l, const Tensor& x, Rng& rng) {
  machines_[l]->initialise({inputs_of(x, l, rng)}, rng);
  if (transposes(l)) transpose_below(l, rng);
}

// Units that both machines have are then the same ones, and their energies too: the layer between, visible
// now, must have no variances of its own.
bool Dbn::transposes(std::size_t l) const {
  return options_.start == "transpose" && l > 0 && machine(l - 1).visible_layer().all(UnitKind::binary) &&
         machine(l).hidden_layer().all(UnitKind::binary) && !machine(l).has_moments() &&
         machine(l).hidden() >= machine(l - 1).visible();
}

void Dbn::transpose_below(std::size_t l, Rng& rng) {
  const Rbm& below = machine(l - 1);
  Rbm& above = *machines_[l];
  const std::int64_t shared = below.visible();
  above.weights.narrow(1, 0, shared).copy_(below.weights.t());
  above.visible_bias.copy_(below.hidden_bias);
  above.hidden_bias.narrow(0, 0, shared).copy_(below.visible_bias);
  if (above.hidden_offset.defined()) above.hidden_offset.narrow(0, 0, shared).copy_(below.data_mean);
  if (above.chains.defined())
    above.chains.copy_(above.sample_h_given_v(above.chain_start(above.chains.size(0), rng), rng));
}

Metrics Dbn::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  torch::NoGradGuard no_graph;
  const auto l = static_cast<std::size_t>(turn.stage);
  return machines_.at(l)->gradients({inputs_of(batch.x, l, rng)}, turn, rng);
}

void Dbn::project(const Turn& turn) { machines_.at(static_cast<std::size_t>(turn.stage))->project(turn); }

Metrics Dbn::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  torch::NoGradGuard no_graph;
  const std::size_t l = depth() - 1;
  const Rows probe = valid.size() > 0 ? Rows(inputs_of(valid.x, l, rng)) : Rows();
  return machines_[l]->diagnose({inputs_of(train.x, l, rng)}, probe, rng);
}

std::string Dbn::diverged(const Metrics& diagnosis) const { return top().diverged(diagnosis); }

Tensor Dbn::inputs_of(const Tensor& x, std::size_t level, Rng& rng) const {
  const bool means = learning_.inputs == "means";
  Tensor h = x;
  for (std::size_t l = 0; l < level; ++l)
    h = means ? machine(l).mean_h_given_v(h) : machine(l).sample_h_given_v(h, rng);
  return h;
}

template std::shared_ptr<Model> create<DbnCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
