#include "deepgen/models/autoregressive/conditional_pixelcnn.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

// Of training rows; the labels that are known are checked where they are used.
void refuse_unlabelled(const Rows& rows) {
  if (all_labelled(rows)) return;
  const std::int64_t known = rows.y.defined() ? (rows.y >= 0).sum().item<std::int64_t>() : 0;
  fail_data("conditional_pixelcnn",
            fmt::format("expected a label for every training row, got {} of {} rows without one; leave these "
                        "rows out, or use pixelcnn, which needs no labels",
                        rows.size() - known, rows.size()));
}

}  // namespace

ConditionalPixelCnn::ConditionalPixelCnn(PixelCnnOptions options, PixelCnnLearning learning,
                                         const DataShape& data)
    : PixelCnn(std::move(options), std::move(learning), data,
               required_classes("conditional_pixelcnn", data.classes, "pixelcnn")),
      log_prior_(register_buffer(
          "log_prior", at::full({classes()}, -std::log(static_cast<double>(classes())), at::kDouble))) {}

void ConditionalPixelCnn::initialise(const Rows& sample, Rng& rng) {
  refuse_unlabelled(sample);
  PixelCnn::initialise(sample, rng);
  const Tensor counts = label_counts(sample.y, classes(), "conditional_pixelcnn") + 1;
  log_prior_.copy_((counts / static_cast<double>(sample.size() + classes())).log());
}

// ---------------------------------------------------------------- gradients

Metrics ConditionalPixelCnn::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  refuse_unlabelled(batch);
  return PixelCnn::gradients(batch, turn, rng);
}

// ---------------------------------------------------------------- sampling

Tensor ConditionalPixelCnn::sample(std::int64_t count, Rng& rng) const {
  return draw_all(count, draw_categories(log_prior_.unsqueeze(0).expand({count, -1}), rng), rng);
}

Tensor ConditionalPixelCnn::clamped_steps(const Tensor& start, std::int64_t steps, const Tensor& known,
                                          Rng& rng) const {
  NoGradGuard no_graph;
  if (steps < 1) return start;
  Tensor x = start.contiguous(), fixed = known.contiguous();
  const RasterGaps gaps(fixed);
  Tensor counted = at::ones(fixed.sizes(), at::kBool);  // rows whose gaps are at the end: what is known alone
  for (std::int64_t i = 0; i < x.size(0); ++i)
    if (gaps.at_the_end[static_cast<std::size_t>(i)]) counted[i].copy_(fixed[i]);
  for (std::int64_t step = 0; step < (gaps.all_at_the_end() ? 1 : steps); ++step)
    x = move(x, draw_categories(log_joint(x, counted), rng), 1, fixed, rng);
  return x;
}

Tensor ConditionalPixelCnn::chain_mean(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  return mean_given(x, draw_categories(log_joint(x, {}), rng));
}

// ---------------------------------------------------------------- scores

Tensor ConditionalPixelCnn::log_joint(const Tensor& x, const Tensor& counted) const {
  std::vector<Tensor> all;
  for (std::int64_t y = 0; y < classes(); ++y)
    all.push_back(log_prob_of(x, at::full({x.size(0)}, y, at::kLong), counted) + log_prior_[y]);
  return at::stack(all, 1);
}

Tensor ConditionalPixelCnn::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return at::logsumexp(log_joint(rows.x, {}), 1);
}

Tensor ConditionalPixelCnn::log_class_probs(const Rows& rows) const {
  NoGradGuard no_graph;
  const Tensor joint = log_joint(rows.x, {});
  return joint - at::logsumexp(joint, 1, /*keepdim=*/true);
}

template std::shared_ptr<Model> create<ConditionalPixelCnnCard>(const Options&, const Options&,
                                                                const DataShape&);

}  // namespace deepgen
