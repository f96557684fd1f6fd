#include "deepgen/models/conditional_pixelcnn.h"

#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

std::int64_t known_classes(std::int64_t classes) {
  if (classes < 1)
    fail_data("conditional_pixelcnn",
              "expected data with labels, got none; give train_labels in an .npz, or use pixelcnn");
  return classes;
}

// A label a row, in proportion to exp(log_joint) [B, classes].
Tensor draw_labels(const Tensor& log_joint, Rng& rng) {
  const Tensor shares = at::softmax(log_joint, 1).contiguous();
  const std::int64_t n = shares.size(0), classes = shares.size(1);
  Tensor labels = at::empty({n}, at::kLong);
  for (std::int64_t i = 0; i < n; ++i) {
    double left = rng.uniform();
    std::int64_t chosen = 0;
    for (; chosen + 1 < classes; ++chosen) {
      const double share = shares.data_ptr<double>()[i * classes + chosen];
      if (left < share) break;
      left -= share;
    }
    labels.data_ptr<std::int64_t>()[i] = chosen;
  }
  return labels;
}

}  // namespace

ConditionalPixelCnn::ConditionalPixelCnn(PixelCnnOptions options, PixelCnnLearning learning,
                                         const std::vector<std::int64_t>& shape, const std::string& values,
                                         std::int64_t classes)
    : PixelCnn(std::move(options), std::move(learning), shape, values, known_classes(classes)),
      log_prior_(register_buffer(
          "log_prior",
          at::full({classes}, -std::log(static_cast<double>(known_classes(classes))), at::kDouble))) {}

// Shares as if every label had been seen once more.
void ConditionalPixelCnn::initialise(const Batch& sample, Rng& rng) {
  PixelCnn::initialise(sample, rng);
  if (!sample.y.defined())
    fail_data("conditional_pixelcnn", "expected a label for every training row, got none");
  const Tensor counts = at::bincount(sample.y, {}, log_prior_.size(0)).to(at::kDouble) + 1;
  if (counts.size(0) != log_prior_.size(0))
    fail_data("conditional_pixelcnn", "expected labels below the number of classes");
  log_prior_.copy_((counts / static_cast<double>(sample.y.size(0) + log_prior_.size(0))).log());
}

// ---------------------------------------------------------------- sampling

Tensor ConditionalPixelCnn::sample(std::int64_t count, Rng& rng) {
  const Tensor labels = draw_labels(log_prior_.unsqueeze(0).expand({count, -1}), rng);
  return draw_all(count, labels, rng);
}

Tensor ConditionalPixelCnn::chain_steps(const Tensor& start, std::int64_t steps, const Tensor& known,
                                        Rng& rng) {
  NoGradGuard no_graph;
  if (steps < 1) return start;
  if (!known.defined()) return sample(start.size(0), rng);
  Tensor x = start.contiguous(), fixed = known.contiguous();
  const RasterGaps gaps(fixed);
  Tensor counted = at::ones(fixed.sizes(), at::kBool);  // rows whose gaps are at the end: what is known alone
  for (std::int64_t i = 0; i < x.size(0); ++i)
    if (gaps.at_the_end[static_cast<std::size_t>(i)]) counted[i].copy_(fixed[i]);
  for (std::int64_t step = 0; step < (gaps.all_at_the_end() ? 1 : steps); ++step)
    x = move(x, draw_labels(log_joint(x, counted), rng), 1, fixed, rng);
  return x;
}

Tensor ConditionalPixelCnn::chain_mean(const Tensor& x, Rng& rng) {
  NoGradGuard no_graph;
  return mean_given(x, draw_labels(log_joint(x, {}), rng));
}

// ---------------------------------------------------------------- scores

Tensor ConditionalPixelCnn::log_joint(const Tensor& x, const Tensor& counted) const {
  std::vector<Tensor> all;
  for (std::int64_t y = 0; y < log_prior_.size(0); ++y)
    all.push_back(log_prob_of(x, at::full({x.size(0)}, y, at::kLong), counted) + log_prior_[y]);
  return at::stack(all, 1);
}

Tensor ConditionalPixelCnn::log_prob(const Tensor& x) {
  NoGradGuard no_graph;
  return at::logsumexp(log_joint(x, {}), 1);
}

Tensor ConditionalPixelCnn::encode(const Tensor& x) {
  NoGradGuard no_graph;
  return at::softmax(log_joint(x, {}), 1).to(at::kFloat);
}

}  // namespace deepgen
