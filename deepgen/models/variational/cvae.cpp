#include "deepgen/models/variational/cvae.h"

#include "deepgen/model/create.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

LatentShape shape_of(const CvaeOptions& options, const DataShape& data) {
  const std::int64_t classes = required_classes("cvae", data.classes, "vae");
  return {.beside = classes,
          .condition = classes,
          .prior = options.prior,
          .prior_components = options.prior_components,
          .gaps = gap_inputs(options.gap_inputs, data)};
}

}  // namespace

Cvae::Cvae(const CvaeOptions& options, const VaeLearning& learning, const DataShape& data)
    : LatentModel("cvae", options, learning, case_likelihood("cvae", options, data), shape_of(options, data)),
      options_(options),
      classes_(data.classes) {}

// ---------------------------------------------------------------- conditionals

Tensor Cvae::one_hot(const Tensor& y, std::int64_t rows) const {
  return one_hot_labels(y, rows, classes_, "cvae");
}

Tensor Cvae::encoder_input(const Cases& cases) const { return at::cat({shown(cases.x), cases.condition}, 1); }

Tensor Cvae::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  return posterior_of(cases_of(rows)).mean;
}

Tensor Cvae::decode(const Rows& codes) const {
  NoGradGuard no_graph;
  const Tensor condition = one_hot(codes.y, codes.size());
  if (codes.size() == 0) return at::empty({0, likelihood_->columns()});
  return likelihood_->mean(decoded(codes.x, condition));
}

// ---------------------------------------------------------------- sampling

Tensor Cvae::sample_given(const Tensor& y, Rng& rng) const {
  NoGradGuard no_graph;
  const std::int64_t count = y.defined() ? y.size(0) : 0;
  const Tensor condition = one_hot(y, count);
  if (count == 0) return at::empty({0, likelihood_->columns()});
  const Tensor z = sample_code(count, rng);
  return likelihood_->sample(decoded(z, condition), rng);
}

Tensor Cvae::complete(const Rows& rows, Rng& rng) const {
  NoGradGuard no_graph;
  return completed(rows, options_.completion_steps, rng);
}

template std::shared_ptr<Model> create<CvaeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
