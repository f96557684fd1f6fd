#include "deepgen/parts/latents/importance_weights.h"

#include <cmath>

namespace deepgen {

Tensor importance_bound(const Tensor& log_weights) {
  return at::logsumexp(log_weights, 1) - std::log(static_cast<double>(log_weights.size(1)));
}

Tensor normalised_weights(const Tensor& log_weights) { return at::softmax(log_weights.detach(), 1); }

void RunningBound::add(const Tensor& log_weights) {
  const Tensor more = at::logsumexp(log_weights, 1);
  log_sum_ = log_sum_.defined() ? at::logaddexp(log_sum_, more) : more;
  count_ += log_weights.size(1);
}

Tensor RunningBound::value() const { return log_sum_ - std::log(static_cast<double>(count_)); }

Tensor with_gradient_factors(const Tensor& z, std::shared_ptr<Tensor> factors) {
  Tensor same = z.view(z.sizes());
  same.register_hook(
      [factors](const Tensor& gradient) { return gradient * factors->to(at::kFloat).unsqueeze(1); });
  return same;
}

}  // namespace deepgen
