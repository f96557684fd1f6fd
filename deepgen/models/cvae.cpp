#include "deepgen/models/cvae.h"

#include "deepgen/core/error.h"
#include "deepgen/parts/check_cells.h"

namespace deepgen {

Cvae::Cvae(const CvaeOptions& options, VaeLearning learning, std::shared_ptr<Likelihood> likelihood,
           std::int64_t classes)
    : LatentModel("cvae", options, std::move(learning), likelihood,
                  {.inputs = likelihood->columns() + classes,
                   .bounded = likelihood->bounded(),
                   .condition = classes,
                   .prior = options.prior,
                   .prior_components = options.prior_components}),
      options_(options),
      classes_(classes) {
  if (classes < 1)
    fail_data("cvae",
              "expected data with labels, which are its condition, got none; name their column with the "
              "data's option labels, or give the arrays train_labels, test_labels");
}

// ---------------------------------------------------------------- conditionals

Tensor Cvae::one_hot(const Tensor& y, std::int64_t rows) const {
  check_labels(y, rows, classes_, "cvae");
  return at::one_hot(y, classes_).to(at::kFloat);
}

Tensor Cvae::encoder_input(const Batch& rows) const {
  return at::cat({likelihood_->input_of(rows.x), one_hot(rows.y, rows.x.size(0))}, 1);
}

Tensor Cvae::encode_given(const Tensor& x, const Tensor& y) {
  NoGradGuard no_graph;
  return posterior_of({x, y}).mean;
}

Tensor Cvae::decode_given(const Tensor& code, const Tensor& y) {
  NoGradGuard no_graph;
  const Tensor condition = one_hot(y, code.size(0));
  if (code.size(0) == 0) return at::empty({0, likelihood_->columns()});
  return likelihood_->mean(decoded(code, condition));
}

// ---------------------------------------------------------------- sampling

Tensor Cvae::sample_given(const Tensor& y, Rng& rng) {
  NoGradGuard no_graph;
  if (y.size(0) == 0) return at::empty({0, likelihood_->columns()});
  const Tensor condition = one_hot(y, y.size(0)), z = sample_code(y.size(0), rng);
  return likelihood_->sample(decoded(z, condition), rng);
}

Tensor Cvae::complete_given(const Tensor& x, const Tensor& y, Rng& rng) {
  NoGradGuard no_graph;
  return completed({x, y}, options_.completion_steps, rng);
}

// ---------------------------------------------------------------- scores

Tensor Cvae::conditional_bound(const Tensor& x, const Tensor& y, std::int64_t samples, Rng& rng) {
  return bound_of({x, y}, samples, rng);
}

}  // namespace deepgen
