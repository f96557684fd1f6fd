#include "deepgen/parts/pixels/pixel_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {
namespace {

constexpr double least_log_scale = -7;  // sharper than any bin of 256 levels; of more levels, as much sharper

double sigmoid(double a) { return 1 / (1 + std::exp(-a)); }
double softplus(double a) { return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a))); }

double log_sum_exp(const std::vector<double>& logs) {
  const double largest = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (const double each : logs) sum += std::exp(each - largest);
  return largest + std::log(sum);
}

std::vector<double> doubles(const float* from, std::int64_t count) { return {from, from + count}; }

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

// ---------------------------------------------------------------- levels

std::int64_t LevelPixels::level(float value) const {
  const long k = std::lround(static_cast<double>(value) * static_cast<double>(levels_ - 1));
  return std::clamp<std::int64_t>(k, 0, levels_ - 1);
}

void LevelPixels::check(const Tensor& x, const std::string& who, const std::string& what,
                        std::int64_t first_row) const {
  const Tensor k = x.to(at::kDouble) * static_cast<double>(levels_ - 1);
  const Tensor rounding =
      k * 1.5e-7 + 1e-3;  // of a level: what a float32 of its size may be off by, and more
  const Tensor bad = at::logical_and(
      at::logical_or(at::logical_or(x<0, x> 1), (k - k.round()).abs() > rounding), x.isnan().logical_not());
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.nonzero()[0];
  const std::int64_t row = first[0].item<std::int64_t>(), column = first[1].item<std::int64_t>();
  fail_data(what, fmt::format("expected one of {} grey levels from 0 to 1, got {} at row {}, column {} ({})",
                              levels_, x[row][column].item<double>(), first_row + row, column, who));
}

double CategoricalPixels::log_prob(const float* outputs, float value) const {
  return static_cast<double>(outputs[level(value)]) - log_sum_exp(doubles(outputs, levels_));
}

void CategoricalPixels::gradient(const float* outputs, float value, float* gradient) const {
  const double log_z = log_sum_exp(doubles(outputs, levels_));
  for (std::int64_t k = 0; k < levels_; ++k) gradient[k] = static_cast<float>(std::exp(outputs[k] - log_z));
  gradient[level(value)] -= 1;
}

float CategoricalPixels::quantile(const float* outputs, float u) const {
  const double log_z = log_sum_exp(doubles(outputs, levels_));
  return value(pick_category(levels_, u, [&](std::int64_t k) { return std::exp(outputs[k] - log_z); }));
}

float CategoricalPixels::mean(const float* outputs) const {
  const double log_z = log_sum_exp(doubles(outputs, levels_));
  double sum = 0;
  for (std::int64_t k = 0; k < levels_; ++k) sum += std::exp(outputs[k] - log_z) * value(k);
  return static_cast<float>(sum);
}

// As if every level had been seen once more.
Tensor CategoricalPixels::base_outputs(const Tensor& values) const {
  const Tensor levels = (values * static_cast<double>(levels_ - 1)).round().to(at::kLong);
  return (label_counts(levels, levels_, "pixels") + 1).div(values.numel()).log().to(at::kFloat);
}

// ---------------------------------------------------------------- logistic mixtures

// One component's bin between a = (upper - mean) / scale and b = (lower - mean) / scale:
//   sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)).
struct LogisticPixels::Bin {
  double a, b, inverse_scale;
  bool first, last, at_least_scale;  // at_least_scale: the scale is the least, and does not move

  double log_prob() const {
    if (first && last) return 0;
    if (first) return -softplus(-a);
    if (last) return -softplus(b);
    return -softplus(-a) - softplus(b) + std::log(-std::expm1(b - a));
  }
  double by_mean() const { return inverse_scale * ((first ? 0 : sigmoid(b)) - (last ? 0 : sigmoid(-a))); }
  double by_log_scale() const {
    if (at_least_scale) return 0;
    const double width = first || last ? 0 : (a - b) / std::expm1(a - b);
    return (first ? 0 : b * sigmoid(b)) - (last ? 0 : a * sigmoid(-a)) - width;
  }
};

LogisticPixels::Bin LogisticPixels::bin(const float* outputs, std::int64_t component,
                                        std::int64_t level) const {
  const double half = 1 / static_cast<double>(levels_ - 1),
               centre = 2 * half * static_cast<double>(level) - 1;
  const double mean = outputs[components_ + component], log_scale = outputs[2 * components_ + component];
  const double least = least_log_scale - std::log(std::max(1.0, static_cast<double>(levels_ - 1) / 255));
  const double inverse = std::exp(-std::max(log_scale, least));
  return {(centre + half - mean) * inverse,
          (centre - half - mean) * inverse,
          inverse,
          level == 0,
          level == levels_ - 1,
          log_scale < least};
}

double LogisticPixels::log_prob(const float* outputs, float value) const {
  std::vector<double> joint = doubles(outputs, components_);
  const double log_z = log_sum_exp(joint);
  for (std::int64_t j = 0; j < components_; ++j)
    joint[static_cast<std::size_t>(j)] += bin(outputs, j, level(value)).log_prob() - log_z;
  return log_sum_exp(joint);
}

void LogisticPixels::gradient(const float* outputs, float value, float* gradient) const {
  std::vector<double> prior = doubles(outputs, components_), joint = prior;
  const double log_z = log_sum_exp(prior);
  for (std::int64_t j = 0; j < components_; ++j)
    joint[static_cast<std::size_t>(j)] += bin(outputs, j, level(value)).log_prob();
  const double log_joint = log_sum_exp(joint);
  for (std::int64_t j = 0; j < components_; ++j) {
    const Bin own = bin(outputs, j, level(value));
    const double share = std::exp(joint[static_cast<std::size_t>(j)] - log_joint);
    gradient[j] = static_cast<float>(std::exp(prior[static_cast<std::size_t>(j)] - log_z) - share);
    gradient[components_ + j] = static_cast<float>(-share * own.by_mean());
    gradient[2 * components_ + j] = static_cast<float>(-share * own.by_log_scale());
  }
}

double LogisticPixels::at_most(const float* outputs, std::int64_t level) const {
  if (level == levels_ - 1) return 1;
  const double log_z = log_sum_exp(doubles(outputs, components_));
  double sum = 0;
  for (std::int64_t j = 0; j < components_; ++j)
    sum += std::exp(outputs[j] - log_z) * sigmoid(bin(outputs, j, level).a);
  return sum;
}

float LogisticPixels::quantile(const float* outputs, float u) const {
  std::int64_t low = 0, high = levels_ - 1;  // the least level with P(level or less) > u is among these
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (at_most(outputs, middle) > u)
      high = middle;
    else
      low = middle + 1;
  }
  return value(low);
}

float LogisticPixels::mean(const float* outputs) const {
  double sum = 0;  // of P(level > k)
  for (std::int64_t k = 0; k + 1 < levels_; ++k) sum += 1 - at_most(outputs, k);
  return static_cast<float>(sum / static_cast<double>(levels_ - 1));
}

// Equal components at evenly spaced quantiles of the values, each as wide as the spread over their number.
Tensor LogisticPixels::base_outputs(const Tensor& values) const {
  const Tensor sorted = std::get<0>(values.sort());
  Tensor outputs = at::zeros({3 * components_});
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < sorted.numel(); ++i) {
    const double x = input(sorted.data_ptr<float>()[i]);
    sum += x, squares += x * x;
  }
  const double n = static_cast<double>(sorted.numel()), count = static_cast<double>(components_);
  const double deviation = std::sqrt(std::max(0.0, squares / n - sum / n * sum / n));
  for (std::int64_t j = 0; j < components_; ++j) {
    const auto place = static_cast<std::int64_t>((static_cast<double>(j) + 0.5) / count * n);
    outputs[components_ + j] = input(sorted.data_ptr<float>()[std::min(place, sorted.numel() - 1)]);
    outputs[2 * components_ + j] = std::max(std::log(deviation / count + 1e-3), -5.0);
  }
  return outputs;
}

std::unique_ptr<PixelOutput> pixel_output(const std::string& kind, ValueKind values, std::int64_t levels,
                                          std::int64_t components) {
  const bool chosen = kind != "auto";
  if (kind == "binary" || (!chosen && values == ValueKind::binary))
    return std::make_unique<BernoulliPixels>();
  if (kind == "categorical") return std::make_unique<CategoricalPixels>(levels);
  if (kind == "logistic" || (!chosen && values == ValueKind::grey))
    return std::make_unique<LogisticPixels>(levels, components);
  fail_data("model.pixels", fmt::format("expected binary or grey values, got {} values", name_of(values)));
}

}  // namespace deepgen
