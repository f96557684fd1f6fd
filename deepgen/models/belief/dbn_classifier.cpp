#include "deepgen/models/belief/dbn_classifier.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/model/class_metrics.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

constexpr const char* dbn_classifier_name = "dbn_classifier";

// log p(y | x) of the labels, [B] float64, a graph with it.
Tensor label_log_probs(const Tensor& logits, const Tensor& y) {
  const std::int64_t classes = logits.size(1);
  const Tensor all = at::tensor({std::int64_t{0}, classes}, at::kLong);
  return categorical_log_prob(logits, one_hot_labels(y, logits.size(0), classes, dbn_classifier_name), all);
}

// Weights [in, out] whose vectors into the units are at most so long.
void shorten_columns(Tensor weights, double most) {
  Tensor squares = at::empty({weights.size(1)});
  column_sums(weights.square(), 1, false, squares);
  weights.mul_((most / squares.sqrt()).clamp_max(1));
}

}  // namespace

DbnClassifier::DbnClassifier(DbnClassifierOptions options, DbnClassifierLearning learning,
                             const DataShape& data)
    : FineTunedDbn(dbn_classifier_name, options, learning, data),
      options_(std::move(options)),
      learning_(std::move(learning)) {
  options_.check();
  const std::int64_t labels = required_classes(dbn_classifier_name, data.classes, "dbn");
  softmax_ = register_module("softmax", std::make_shared<DenseLayer>(machine(layers() - 1).hidden(), labels));
}

void DbnClassifier::initialise(const Rows& sample, Rng& rng) {
  const Tensor known = labelled_places(sample);
  if (known.size(0) == 0)
    fail_data(dbn_classifier_name,
              fmt::format("expected a label for some training rows at least, got none among {}; name their "
                          "column with the data's option labels, or use dbn",
                          sample.size()));
  label_counts(sample.y, classes(), dbn_classifier_name);  // refuses others
  FineTunedDbn::initialise(sample, rng);
  NoGradGuard no_graph;
  softmax_->weight.zero_(), softmax_->bias.zero_();
}

void DbnClassifier::begin_fine_tune(const Rows& sample) {
  const Tensor counts = label_counts(sample.y, classes(), dbn_classifier_name) + 0.5;
  softmax_->weight.zero_();
  softmax_->bias.copy_((counts / counts.sum()).log());
}

// ---------------------------------------------------------------- classes

Tensor DbnClassifier::logits(const Tensor& x, const Dropout& dropout) const {
  const Tensor h = upwards(x, dropout);
  return softmax_->forward(dropout.rng ? dropped(h, dropout.hidden, *dropout.rng) : h);
}

Tensor DbnClassifier::log_class_probs(const Rows& rows) const {
  NoGradGuard no_graph;
  return at::log_softmax(logits(rows.x).to(at::kDouble), 1);
}

// ---------------------------------------------------------------- training

Tensor DbnClassifier::fine_loss(const Rows& batch, Rng& rng, Metrics& metrics) const {
  const Tensor known = labelled_places(batch);
  if (known.size(0) == 0) return softmax_->bias.sum() * 0;
  const Dropout dropout{learning_.dropout_visible, learning_.dropout, &rng};
  const Rows rows = known.size(0) == batch.size() ? batch : batch.select(known);
  const Tensor loss = -ordered_mean(label_log_probs(logits(rows.x, dropout), rows.y));
  metrics.emplace_back("classification_log_loss", loss.item<double>());
  return loss * (static_cast<double>(rows.size()) / static_cast<double>(batch.size()));
}

void DbnClassifier::project_fine() {
  if (learning_.max_norm == 0) return;
  for (const Tensor& each : fine_parameters())
    if (each.dim() == 2) shorten_columns(each, learning_.max_norm);
}

Metrics DbnClassifier::diagnose_fine(const Rows& train, const Rows& valid) const {
  Metrics metrics;
  add_class_metrics(*this, train, "train", metrics);
  add_class_metrics(*this, valid, "valid", metrics);
  return metrics;
}

template std::shared_ptr<Model> create<DbnClassifierCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
