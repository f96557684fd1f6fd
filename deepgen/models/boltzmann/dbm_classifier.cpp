#include "deepgen/models/boltzmann/dbm_classifier.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/model/class_metrics.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/layers.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

constexpr const char* dbm_classifier_name = "dbm_classifier";

}  // namespace

// ---------------------------------------------------------------- construction

DbmClassifier::DbmClassifier(DbmOptions options, DbmClassifierLearning learning, const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      classes_(required_classes(dbm_classifier_name, data.classes, "dbm")) {
  machine_ = register_module("machine", std::make_shared<Dbm>(options_, learning_, data));
  const std::size_t uppermost = machine_->layers() - 1;
  for (std::size_t l = 1; l <= uppermost; ++l) {
    const std::int64_t above = l < uppermost ? machine_->units(l + 1) : 0;
    layers_.push_back(register_module(fmt::format("layer{}", l),
                                      std::make_shared<DenseLayer>(machine_->units(l - 1) + above,
                                                                   machine_->units(l), Activation::sigmoid)));
  }
  output_ = register_module("output", std::make_shared<DenseLayer>(machine_->units(uppermost), classes_));
}

void DbmClassifier::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  machine_->check_data(x, what, first_row);
}

void DbmClassifier::check_optimiser(const std::string& name, int stage) const {
  if (stage < machine_stages()) machine_->check_optimiser(name, stage);
}

// ---------------------------------------------------------------- stages

int DbmClassifier::machine_stages() const {
  return learning_.train_machine ? static_cast<int>(machine_->stages().size()) : 0;
}

std::vector<Tensor> DbmClassifier::network_parameters() const {
  std::vector<Tensor> all;
  for (const auto& layer : layers_) all.insert(all.end(), {layer->weight, layer->bias});
  all.insert(all.end(), {output_->weight, output_->bias});
  return all;
}

std::vector<Stage> DbmClassifier::stages() {
  std::vector<Stage> all;
  if (learning_.train_machine) all = machine_->stages();
  for (Stage& stage : all) {
    if (all.size() == 1) stage.name = "machine";
    stage.training["patience"] = "0";  // classes are not told apart yet
  }
  all.push_back({.name = "fine_tune",
                 .share = learning_.fine_tune_share,
                 .phases = {{.name = "fine_tune", .parameters = network_parameters()}},
                 .training = {{"rate", fmt::format("{}", learning_.fine_tune_rate)},
                              {"momentum", fmt::format("{}", learning_.fine_tune_momentum)},
                              {"decay", fmt::format("{}", learning_.fine_tune_decay)}},
                 .labelled = true});
  return all;
}

void DbmClassifier::initialise(const Rows& sample, Rng& rng) {
  if (sample.y.defined()) label_counts(sample.y, classes_, dbm_classifier_name);  // refuses others
  if (!sample.y.defined() || !(sample.y >= 0).any().item<bool>())
    fail_data(dbm_classifier_name,
              fmt::format("expected a label for some training rows at least, got none among {}; name their "
                          "column with the data's option labels, or use dbm",
                          sample.size()));
  machine_->initialise(sample, rng);
  // Nothing moves the machine from small weights, at which a network of sigmoid units hardly learns.
  if (!learning_.train_machine)
    for (Tensor& weights : machine_->weights)
      fill_uniform(weights, std::sqrt(6.0 / static_cast<double>(weights.size(0) + weights.size(1))), rng);
  start_network();
}

void DbmClassifier::begin_stage(const Turn& turn, const Rows& sample, Rng& rng) {
  if (turn.stage < machine_stages())
    machine_->begin_stage(turn, sample, rng);
  else
    start_network();
}

void DbmClassifier::start_network() {
  torch::NoGradGuard no_graph;
  for (std::size_t l = 1; l <= layers_.size(); ++l) {
    DenseLayer& layer = *layers_[l - 1];
    const Tensor& below = machine_->weights[l - 1];
    layer.weight.narrow(0, 0, below.size(0)).copy_(below);
    if (l < layers_.size()) {
      const Tensor& above = machine_->weights[l];
      layer.weight.narrow(0, below.size(0), above.size(1)).copy_(above.t());
    }
    layer.bias.copy_(machine_->biases[l]);
  }
  output_->weight.zero_();
  output_->bias.zero_();
}

void DbmClassifier::project(const Turn& turn) {
  if (turn.stage < machine_stages()) machine_->project(turn);
}

Metrics DbmClassifier::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  Metrics metrics = machine_->diagnose(train, valid, rng);
  add_class_metrics(*this, train, "train", metrics);
  add_class_metrics(*this, valid, "valid", metrics);
  return metrics;
}

// ---------------------------------------------------------------- the network

Tensor DbmClassifier::last_hidden(const Tensor& x, const DbmLayers& q, const Dropout& dropout) const {
  Tensor h = x.contiguous();
  for (std::size_t l = 1; l <= layers_.size(); ++l) {
    if (l < layers_.size()) h = at::cat({h, q[l + 1]}, 1);
    if (dropout.rng) h = dropped(h, l == 1 ? dropout.input : dropout.hidden, *dropout.rng);
    h = layers_[l - 1]->forward(h);
  }
  return dropout.rng ? dropped(h, dropout.hidden, *dropout.rng) : h;
}

Tensor DbmClassifier::last_hidden(const Tensor& x) const {
  torch::NoGradGuard no_graph;
  return last_hidden(x, machine_->mean_field(x).means, {});
}

Tensor DbmClassifier::log_class_probs(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  return at::log_softmax(output_->forward(last_hidden(rows.x)).to(at::kDouble), 1);
}

Metrics DbmClassifier::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  if (turn.stage < machine_stages()) return machine_->gradients(batch, turn, rng);
  return fine_tune(batch, rng);
}

Metrics DbmClassifier::fine_tune(const Rows& batch, Rng& rng) {
  const Tensor y = batch.y.defined() ? batch.y : at::full({batch.size()}, -1, at::kLong);
  const Tensor known = (y >= 0).nonzero().squeeze(1);
  if (known.size(0) == 0) {  // nothing to learn from
    fill_gradients(0 * output_->bias.sum(), network_parameters());
    return {};
  }
  const Tensor x = batch.x.index_select(0, known);
  const Tensor labels = one_hot_labels(y.index_select(0, known), x.size(0), classes_, dbm_classifier_name);
  const DbmLayers q = machine_->mean_field(x).means;
  const Tensor logits =
      output_->forward(last_hidden(x, q, {learning_.input_dropout, learning_.hidden_dropout, &rng}));
  const Tensor all = at::tensor({std::int64_t{0}, classes_}, at::kLong);
  const Tensor loss = -ordered_mean(categorical_log_prob(logits, labels, all));
  fill_gradients(loss, network_parameters());
  return {{"log_class_prob", -loss.item<double>()}};
}

template std::shared_ptr<Model> create<DbmClassifierCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
