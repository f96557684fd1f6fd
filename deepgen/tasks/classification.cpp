#include "deepgen/tasks/classification.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/tasks/blocks.h"
#include "deepgen/train/check_split.h"

namespace deepgen {
namespace {

// Shares as log p(y), [classes] float64.
Tensor log_prior(const Model& model, const Tensor& class_shares) {
  const std::int64_t classes = classified_classes(model);
  if (classes == 0) fail_usage("classify", "this model cannot classify; see `deepgen models`");
  if (!class_shares.defined())
    fail_usage("classify",
               "this model tells how probable a case is given its class: expected the shares of the classes "
               "beside it, got none");
  if (class_shares.dim() != 1 || class_shares.size(0) != classes)
    fail_usage("classify", fmt::format("expected the shares of {} classes, got {} numbers", classes,
                                       class_shares.numel()));
  const Tensor shares = class_shares.to(at::kDouble);
  return (shares / shares.sum()).log();
}

Tensor by_bayes(const HasLogProb& exact, const Tensor& x, const Tensor& prior) {
  std::vector<Tensor> joint;
  for (std::int64_t y = 0; y < prior.size(0); ++y)
    joint.push_back(exact.log_prob({x, at::full({x.size(0)}, y, at::kLong)}) + prior[y]);
  return at::log_softmax(at::stack(joint, 1), 1);
}

}  // namespace

std::int64_t classified_classes(const Model& model) {
  if (const auto* classifier = as<CanClassify>(model)) return classifier->classes();
  return as<HasLogProb>(model) ? needed_classes(model) : 0;
}

Tensor classify_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                     const Tensor& class_shares) {
  const auto* classifier = as<CanClassify>(model);
  const Tensor prior = classifier ? Tensor() : log_prior(model, class_shares);
  Split unlabelled = split;  // what is asked for is not told
  unlabelled.y = Tensor();
  check_split(model, unlabelled, split.name);
  return over_split(unlabelled, rng, observer, "classifying", [&](const Rows& rows) {
    return classifier ? classifier->log_class_probs(rows) : by_bayes(*as<HasLogProb>(model), rows.x, prior);
  });
}

}  // namespace deepgen
