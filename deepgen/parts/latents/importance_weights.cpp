#include "deepgen/parts/latents/importance_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "deepgen/core/error.h"

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

Tensor bound_in_pieces(
    const std::string& who, std::int64_t rows, std::int64_t samples, std::int64_t at_once,
    const std::function<Tensor(std::int64_t first, std::int64_t count, std::int64_t draws)>& weights) {
  if (samples < 1) fail_usage(who, fmt::format("expected 1 sample or more, got {}", samples));
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows; first += at_once) {
    const std::int64_t count = std::min(at_once, rows - first);
    const std::int64_t most = std::max<std::int64_t>(1, at_once / count);
    RunningBound bound;
    for (std::int64_t done = 0; done < samples; done += most)
      bound.add(weights(first, count, std::min(most, samples - done)));
    parts.push_back(bound.value());
  }
  return parts.empty() ? at::empty({0}, at::kDouble) : at::cat(parts);
}

Tensor with_gradient_factors(const Tensor& z, std::shared_ptr<Tensor> factors) {
  Tensor same = z.view(z.sizes());
  same.register_hook(
      [factors](const Tensor& gradient) { return gradient * factors->to(at::kFloat).unsqueeze(1); });
  return same;
}

}  // namespace deepgen
