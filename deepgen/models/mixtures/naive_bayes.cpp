#include "deepgen/models/mixtures/naive_bayes.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/likelihoods/mixture_products.h"

namespace deepgen {
namespace {

// Which rows have a known label, [B] bool.
Tensor labelled(const Rows& rows) {
  return rows.y.defined() ? rows.y >= 0 : at::zeros({rows.size()}, at::kBool);
}

}  // namespace

NaiveBayes::NaiveBayes(NoOptions options, NaiveBayesLearning learning, const DataShape& data)
    : Mixture("naive_bayes", required_classes("naive_bayes", data.classes, "latent_class"),
              product_components(data.classes, data.column_groups(),
                                 {learning.pseudo_count, learning.smallest_deviation})),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

void NaiveBayes::initialise(const Rows& sample, Rng& rng) {
  const Tensor known = labelled(sample).nonzero().squeeze(1);
  if (known.size(0) == 0)
    fail_data(name_, fmt::format("expected a label for some training rows at least, got none among {}; name "
                                 "their column with the data's option labels, or use latent_class",
                                 sample.size()));
  label_counts(sample.y, count(), name_);  // refuses others
  Mixture::initialise(sample, rng);
  if (known.size(0) < sample.size()) run_passes(sample.select(known), 1);
}

// All classes begin at the mean: the labels part them in the first pass.
Tensor NaiveBayes::centres(const Tensor& rows, const ColumnMoments& moments, Rng&) const {
  return moments.mean.to(at::kFloat).unsqueeze(0).expand({count(), rows.size(1)});
}

Tensor NaiveBayes::responsibilities(const Rows& rows, const Tensor& log_joint, Tensor& log_prob) const {
  const Tensor known = labelled(rows);
  Tensor marginal;
  const Tensor posterior = normalise_rows(log_joint, marginal);
  if (!known.any().item<bool>()) {
    log_prob = marginal;
    return posterior;
  }
  const Tensor y = rows.y.clamp_min(0), one_hot = one_hot_labels(y, rows.size(), count(), name_);
  log_prob = at::where(known, log_joint.gather(1, y.unsqueeze(1)).squeeze(1), marginal).contiguous();
  return at::where(known.unsqueeze(1), one_hot.to(at::kDouble), posterior);
}

// ---------------------------------------------------------------- scores

Tensor NaiveBayes::log_class_probs(const Rows& rows) const {
  const Tensor joint = log_joint(rows.x);
  Tensor marginal;
  normalise_rows(joint, marginal);
  return joint - marginal.unsqueeze(1);
}

template std::shared_ptr<Model> create<NaiveBayesCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
