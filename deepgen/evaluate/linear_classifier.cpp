#include "deepgen/evaluate/linear_classifier.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

std::size_t index_of(std::int64_t n) { return static_cast<std::size_t>(n); }

// logits [classes, B] = weights x^T + biases: rows lie side by side, so that `multiply` shares them out.
void fill_logits(Tensor& logits, const Tensor& weights, const float* biases, const Tensor& x) {
  float* out = logits.data_ptr<float>();
  for (std::int64_t c = 0; c < logits.size(0); ++c)
    std::fill_n(out + c * logits.size(1), logits.size(1), biases[c]);
  multiply(logits, weights, x.t(), 1, 1);
}

}  // namespace

Standardiser::Standardiser(const Tensor& rows) {
  const std::int64_t n = rows.size(0), columns = rows.size(1);
  const float* x = rows.data_ptr<float>();
  std::vector<double> sum(index_of(columns)), squares(index_of(columns));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < columns; ++j) sum[index_of(j)] += static_cast<double>(x[i * columns + j]);
  for (double& s : sum) s /= static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const double distance = static_cast<double>(x[i * columns + j]) - sum[index_of(j)];
      squares[index_of(j)] += distance * distance;
    }
  for (std::int64_t j = 0; j < columns; ++j) {
    const double mean = sum[index_of(j)];
    const double deviation = std::sqrt(squares[index_of(j)] / static_cast<double>(n));
    // A constant column may seem to vary by the rounding of its mean.
    const bool varies = deviation > 1e-7 * std::abs(mean);
    mean_.push_back(static_cast<float>(mean));
    scale_.push_back(varies ? static_cast<float>(1 / deviation) : 1.0F);
  }
}

void Standardiser::apply(Tensor& rows) const {
  const std::int64_t columns = rows.size(1);
  float* x = rows.data_ptr<float>();
  parallel_ranges(rows.size(0), 0.5 * static_cast<double>(columns), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i)
                      for (std::int64_t j = 0; j < columns; ++j) {
                        float& value = x[i * columns + j];
                        value = (value - mean_[index_of(j)]) * scale_[index_of(j)];
                      }
                  });
}

SoftmaxObjective::SoftmaxObjective(const Tensor& x, std::vector<std::int64_t> labels, std::int64_t classes,
                                   double penalty)
    : x_(x),
      logits_(at::empty({classes, x.size(0)})),
      weights_(at::empty({classes, x.size(1)})),
      weight_gradient_(at::empty({classes, x.size(1)})),
      labels_(std::move(labels)),
      losses_(labels_.size()),
      classes_(classes),
      penalty_(penalty) {}

double SoftmaxObjective::residuals() {
  const std::int64_t rows = x_.size(0);
  float* logits = logits_.data_ptr<float>();
  parallel_ranges(rows, 8.0 * static_cast<double>(classes_), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> exponentials(index_of(classes_));
    for (std::int64_t n = begin; n < end; ++n) {
      float largest = logits[n];
      for (std::int64_t c = 1; c < classes_; ++c) largest = std::max(largest, logits[c * rows + n]);
      double sum = 0;
      for (std::int64_t c = 0; c < classes_; ++c)
        sum += exponentials[index_of(c)] = std::exp(static_cast<double>(logits[c * rows + n] - largest));
      const std::int64_t label = labels_[index_of(n)];
      losses_[index_of(n)] = std::log(sum) - static_cast<double>(logits[label * rows + n] - largest);
      for (std::int64_t c = 0; c < classes_; ++c)
        logits[c * rows + n] = static_cast<float>(exponentials[index_of(c)] / sum - (c == label ? 1 : 0));
    }
  });
  return std::accumulate(losses_.begin(), losses_.end(), 0.0) / static_cast<double>(rows);
}

double SoftmaxObjective::operator()(const std::vector<double>& parameters, std::vector<double>& gradient) {
  const std::int64_t rows = x_.size(0), count = weights_.numel();
  const std::vector<float> biases(parameters.begin() + count, parameters.end());
  float* weights = weights_.data_ptr<float>();
  std::transform(parameters.begin(), parameters.begin() + count, weights,
                 [](double w) { return static_cast<float>(w); });
  fill_logits(logits_, weights_, biases.data(), x_);
  double value = residuals();
  multiply(weight_gradient_, logits_, x_, 1.0 / static_cast<double>(rows), 0);
  const float* slopes = weight_gradient_.data_ptr<float>();
  const float* residual = logits_.data_ptr<float>();
  for (std::int64_t i = 0; i < count; ++i) {
    const double w = parameters[index_of(i)];
    gradient[index_of(i)] = static_cast<double>(slopes[i]) + penalty_ * w;
    value += penalty_ / 2 * w * w;
  }
  for (std::int64_t c = 0; c < classes_; ++c)
    gradient[index_of(count + c)] =
        std::accumulate(residual + c * rows, residual + (c + 1) * rows, 0.0) / static_cast<double>(rows);
  return value;
}

Tensor LinearClassifier::predict(const Tensor& x) const {
  const std::int64_t rows = x.size(0), classes = weights.size(0);
  Tensor logits = at::empty({classes, rows}), chosen = at::zeros({rows}, at::kLong);
  fill_logits(logits, weights, biases.data_ptr<float>(), x);
  const float* values = logits.data_ptr<float>();
  std::int64_t* best = chosen.data_ptr<std::int64_t>();
  for (std::int64_t c = 1; c < classes; ++c)
    for (std::int64_t n = 0; n < rows; ++n)
      if (values[c * rows + n] > values[best[n] * rows + n]) best[n] = c;
  return chosen;
}

LinearClassifier fit_linear_classifier(const Tensor& x, const std::vector<std::int64_t>& labels,
                                       std::int64_t classes, double penalty, const MinimisePlan& plan,
                                       const LinearClassifier* start) {
  const std::int64_t weights = classes * x.size(1);
  std::vector<double> parameters(index_of(weights + classes));
  if (start) {
    std::copy_n(start->weights.data_ptr<float>(), weights, parameters.begin());
    std::copy_n(start->biases.data_ptr<float>(), classes, parameters.begin() + weights);
  }
  Minimum minimum = minimise(SoftmaxObjective(x, labels, classes, penalty), std::move(parameters), plan);
  const Tensor all = at::from_blob(minimum.x.data(), {weights + classes}, at::kDouble).to(at::kFloat);
  return {all.narrow(0, 0, weights).view({classes, x.size(1)}), all.narrow(0, weights, classes), penalty,
          minimum.steps, minimum.converged};
}

}  // namespace deepgen
