#include "deepgen/parts/pixel_output.h"

#include <algorithm>
#include <cmath>

#include "deepgen/parts/unit_layer.h"

namespace deepgen {
namespace {

double softplus(double a) { return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a))); }

}  // namespace

double BernoulliPixels::log_prob(const float* outputs, float value) const {
  return -softplus(value > 0.5F ? -outputs[0] : outputs[0]);
}

void BernoulliPixels::gradient(const float* outputs, float value, float* gradient) const {
  gradient[0] = mean(outputs) - value;
}

float BernoulliPixels::mean(const float* outputs) const {
  return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(outputs[0]))));
}

// As if one more pixel were on and one more off: finite for values that are all the same.
Tensor BernoulliPixels::base_outputs(const Tensor& values) const {
  const double ones = values.to(at::kDouble).sum().item<double>(), all = static_cast<double>(values.numel());
  return at::full({1}, std::log(ones + 1) - std::log(all - ones + 1));
}

void BernoulliPixels::check(const Tensor& x, const std::string& who, const std::string& what,
                            std::int64_t first_row) const {
  UnitLayer::of(UnitKind::binary, x.size(1)).check(x, who, what, first_row);
}

}  // namespace deepgen
