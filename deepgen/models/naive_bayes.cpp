#include "deepgen/models/naive_bayes.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/parts/check_cells.h"

namespace deepgen {
namespace {

std::int64_t known_classes(std::int64_t classes) {
  if (classes < 1)
    fail_data("naive_bayes",
              "expected data with labels, got none; give train_labels in an .npz, or use "
              "bernoulli_mixture or gaussian_mixture");
  return classes;
}

std::shared_ptr<Components> components_of(const NaiveBayesLearning& learning, std::int64_t columns,
                                          std::int64_t classes, const std::string& values,
                                          std::vector<ColumnGroup> groups) {
  if (groups.empty()) groups = {{values == "binary" ? "binary" : "gaussian", 0, columns}};
  std::vector<std::int64_t> bits, reals;
  for (const ColumnGroup& group : groups) {
    const bool binary = group.kind == "binary", real = group.kind == "gaussian" || group.kind == "mean_field";
    if (!binary && !real)
      fail_data("naive_bayes", fmt::format("expected binary and real columns, got {} columns from column {}",
                                           group.kind, group.first));
    for (std::int64_t j = 0; j < group.size; ++j) (binary ? bits : reals).push_back(group.first + j);
  }
  std::vector<JoinedComponents::Block> blocks;
  const auto size = [](const std::vector<std::int64_t>& list) {
    return static_cast<std::int64_t>(list.size());
  };
  if (!bits.empty())
    blocks.push_back(
        {std::make_shared<BernoulliComponents>(classes, size(bits), learning.pseudo_count), bits});
  if (!reals.empty())
    blocks.push_back(
        {std::make_shared<DiagonalComponents>(
             classes, size(reals), GaussianPrior{learning.pseudo_count, learning.smallest_deviation}),
         reals});
  return std::make_shared<JoinedComponents>(columns, std::move(blocks));
}

}  // namespace

NaiveBayes::NaiveBayes(NoOptions options, NaiveBayesLearning learning, std::int64_t columns,
                       std::int64_t classes, const std::string& values,
                       const std::vector<ColumnGroup>& groups)
    : Mixture("naive_bayes", known_classes(classes),
              components_of(learning, columns, known_classes(classes), values, groups)),
      options_(std::move(options)),
      learning_(std::move(learning)) {}

void NaiveBayes::initialise(const Batch& sample, Rng& rng) {
  check_labels(sample.y, sample.x.size(0), count(), "naive_bayes");
  Mixture::initialise(sample, rng);
}

// All classes begin at the mean: the labels part them in the first pass.
Tensor NaiveBayes::centres(const Tensor& rows, const ColumnMoments& moments, Rng&) const {
  return moments.mean.to(at::kFloat).unsqueeze(0).expand({count(), rows.size(1)});
}

Tensor NaiveBayes::responsibilities(const Batch& rows, const Tensor& log_joint, Tensor& log_prob) const {
  check_labels(rows.y, rows.x.size(0), count(), "naive_bayes");
  const Tensor index = rows.y.unsqueeze(1);
  log_prob = log_joint.gather(1, index).squeeze(1).contiguous();
  return at::zeros(log_joint.sizes()).scatter_(1, index, 1.0F);
}

}  // namespace deepgen
