#include "deepgen/models/belief/labelled_dbn.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

constexpr const char* labelled_dbn_name = "labelled_dbn";

std::string labelled_layer_name(std::size_t l) { return fmt::format("layer{}", l + 1); }

}  // namespace

// ---------------------------------------------------------------- construction

LabelledDbn::LabelledDbn(LabelledDbnOptions options, LabelledDbnLearning learning, const DataShape& data)
    : options_(std::move(options)), learning_(std::move(learning)) {
  options_.check();
  learning_.check();
  required_classes(labelled_dbn_name, data.classes, "dbn");
  UnitLayer below = choice_layer_of(labelled_dbn_name, options_.visible_units, data);
  const std::vector<std::int64_t> sizes = options_.sizes();
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    machines_.push_back(register_module(labelled_layer_name(l),
                                        std::make_shared<Rbm>(options_.lower(l), learning_.lower(), below)));
    below = machines_.back()->hidden_layer();
  }
  DataShape joined = data;  // what the uppermost machine sees: the cells, or the units of the layer below
  if (!machines_.empty()) joined = {below.size(), {below.size()}, data.classes, ValueKind::binary, {}};
  top_ = register_module("top", std::make_shared<DiscriminativeRbm>(options_.top(), learning_.top(), joined));
  if (learning_.up_down > 0)
    for (std::size_t l = 0; l < levels(); ++l)
      generative_.push_back(register_parameter(labelled_layer_name(l) + "_generative",
                                               at::zeros_like(machine(l).weights), false));
  begun_ = register_buffer("begun", at::full({1}, static_cast<double>(stages().size())));
}

std::size_t LabelledDbn::begun() const {
  const auto most = static_cast<float>(levels() + 2);
  const float stages = begun_.data_ptr<float>()[0];  // of a file, so it may be anything
  return stages >= 1 ? static_cast<std::size_t>(std::min(stages, most)) : 1;
}

void LabelledDbn::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  const UnitLayer& cells = machines_.empty() ? top_->cells() : machine(0).visible_layer();
  const bool bits = options_.visible_units == "expected_bits";
  check_cells(x, cells.size(), bits, labelled_dbn_name, what, first_row);
  if (!bits) cells.check(x, labelled_dbn_name, what, first_row);
}

Tensor LabelledDbn::filters() const { return machines_.empty() ? top_->filters() : machine(0).filters(); }

// ---------------------------------------------------------------- training

std::vector<Stage> LabelledDbn::stages() {
  const double layers = static_cast<double>(levels() + 1), each = (1 - learning_.up_down) / layers;
  std::vector<Stage> all;
  auto add = [&](const std::string& name, double share, const std::vector<Tensor>& trained) {
    all.push_back({.name = name, .share = share, .phases = {{.name = name, .parameters = trained}}});
  };
  for (std::size_t l = 0; l < levels(); ++l) {
    add(labelled_layer_name(l), each, machines_[l]->parameters());
    all.back().training = {{"patience", "0"}};  // classes are not told apart yet
  }
  add("top", each, top_->parameters());
  if (learning_.up_down == 0) return all;
  add("up_down", learning_.up_down, parameters());
  if (learning_.up_down_rate > 0) all.back().training = {{"rate", fmt::format("{}", learning_.up_down_rate)}};
  return all;
}

void LabelledDbn::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  if (sample.y.defined()) label_counts(sample.y, classes(), labelled_dbn_name);  // refuses others
  if (!sample.y.defined() || !(sample.y >= 0).any().item<bool>())
    fail_data(labelled_dbn_name,
              fmt::format("expected a label for some training rows at least, got none among {}; name their "
                          "column with the data's option labels, or use dbn",
                          sample.size()));
  for (std::size_t l = 0; l <= levels(); ++l) begin_layer(l, sample, rng);
  untie();
  begun_.fill_(static_cast<double>(stages().size()));
}

void LabelledDbn::begin_stage(const Turn& turn, const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  const auto stage = static_cast<std::size_t>(turn.stage);
  begun_.fill_(static_cast<double>(stage + 1));
  if (stage > levels())
    untie();
  else if (stage > 0)  // the machines below are no longer those it was initialised on
    begin_layer(stage, sample, rng);
}

void LabelledDbn::begin_layer(std::size_t l, const Rows& sample, Rng& rng) {
  const Tensor inputs = inputs_of(sample.x, l, rng);
  if (l < levels())
    machines_[l]->initialise(inputs, rng);
  else
    top_->initialise({inputs, sample.y}, rng);
}

void LabelledDbn::untie() {
  for (std::size_t l = 0; l < generative_.size(); ++l) generative_[l].copy_(machine(l).weights);
}

Metrics LabelledDbn::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  NoGradGuard no_graph;
  const auto stage = static_cast<std::size_t>(turn.stage);
  if (stage < levels()) return machines_[stage]->gradients(inputs_of(batch.x, stage, rng), turn, rng);
  if (stage == levels()) return top_->gradients({inputs_of(batch.x, stage, rng), batch.y}, turn, rng);
  const std::vector<std::int64_t> steps = learning_.steps();  // each for an equal part of the stage
  const auto parts = static_cast<std::int64_t>(steps.size());
  const std::int64_t part = parts * turn.step / std::max<std::int64_t>(turn.steps, 1);
  follow_up_down(draw_up_down(batch, steps[static_cast<std::size_t>(std::min(part, parts - 1))], rng));
  return {};
}

void LabelledDbn::project(const Turn& turn) {
  const auto stage = static_cast<std::size_t>(turn.stage);
  if (stage < levels())
    machines_[stage]->project(turn);
  else
    top_->project(turn);
}

Metrics LabelledDbn::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const std::size_t stage = begun() - 1;
  const bool lower = stage < levels();
  auto seen = [&](const Rows& rows) {
    if (rows.size() == 0) return Rows();
    return lower ? Rows(inputs_of(rows.x, stage, rng)) : Rows(top_means(rows.x), rows.y);
  };
  const Rows inputs = seen(train), probe = seen(valid);
  return lower ? machines_[stage]->diagnose(inputs, probe, rng) : top_->diagnose(inputs, probe, rng);
}

std::string LabelledDbn::diverged(const Metrics& diagnosis) const {
  const std::size_t stage = begun() - 1;
  return stage < levels() ? machine(stage).diverged(diagnosis) : "";
}

Tensor LabelledDbn::inputs_of(const Tensor& x, std::size_t level, Rng& rng) const {
  const bool means = learning_.inputs == "means";
  Tensor h = x;
  for (std::size_t l = 0; l < level; ++l)
    h = means ? machine(l).mean_h_given_v(h) : machine(l).sample_h_given_v(h, rng);
  return h;
}

Tensor LabelledDbn::top_means(const Tensor& x) const {
  Tensor h = x;
  for (const auto& machine : machines_) h = machine->mean_h_given_v(h);
  return h;
}

// ---------------------------------------------------------------- classes

Tensor LabelledDbn::log_class_probs(const Rows& rows) const {
  NoGradGuard no_graph;
  return top_->log_class_probs(top_means(rows.x));
}

template std::shared_ptr<Model> create<LabelledDbnCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
