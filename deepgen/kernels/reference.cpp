// The kernels written plainly: the specification of the others, and what runs where there is no other.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "deepgen/kernels/variants.h"

namespace deepgen {
namespace {

// The random number of element (row, column); see kernels.h.
float uniform(const Stream& stream, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t groups = (columns + 63) / 64, lane = column % 64;
  const std::int64_t block = (row * groups + column / 64) * 16 + lane % 16;
  return unit_float(stream.block(static_cast<std::uint64_t>(block))[static_cast<std::size_t>(lane / 16)]);
}

// The standard normal number of element (row, column); see kernels.h.
float normal(const Stream& stream, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t groups = (columns + 63) / 64, lane = column % 64;
  const std::int64_t index = (row * groups + column / 64) * 16 + lane % 16;
  const PhiloxBlock words = stream.block(static_cast<std::uint64_t>(index));
  const auto word = static_cast<std::size_t>(lane / 16), pair = word - word % 2;
  const double radius = std::sqrt(-2 * std::log1p(-static_cast<double>(unit_float(words[pair]))));
  const double angle = 2 * std::numbers::pi * static_cast<double>(unit_float(words[pair + 1]));
  return static_cast<float>(radius * (word % 2 == 0 ? std::cos(angle) : std::sin(angle)));
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
// Written so that a NaN stays one (std::max would return the zero).
double softplus(double x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }

void binary_layer(const BinaryLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const std::int64_t at = row * layer.columns + j;
      // One rounding, as everywhere: at large |a| the mean would show a second one.
      const float a = std::fma(layer.scale, layer.input[at], layer.bias ? layer.bias[j] : 0);
      const float mean = static_cast<float>(sigmoid(a));
      if (layer.mean) layer.mean[at] = mean;
      if (!layer.sample) continue;
      const bool on = uniform(layer.stream, row, j, layer.columns) < mean;
      layer.sample[at] = on ? 1.0F : 0.0F;
      if (on && layer.weight) sum += layer.weight[j];
    }
    if (layer.sample && layer.weight) layer.row_sum[row] += sum;
  }
}

void normal_layer(const NormalLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const std::int64_t at = row * layer.columns + j;
      const float gain = layer.gain ? layer.gain[j] * layer.scale : layer.scale;
      const float mean = std::fma(gain, layer.input ? layer.input[at] : 0, layer.bias ? layer.bias[j] : 0);
      if (layer.mean) layer.mean[at] = mean;
      if (!layer.sample) continue;
      const float n = normal(layer.stream, row, j, layer.columns);
      const float sample = std::fma(layer.deviation ? layer.deviation[j] : 1, n, mean);
      layer.sample[at] = sample;
      if (layer.weight) sum += static_cast<double>(sample) * layer.weight[j];
    }
    if (layer.sample && layer.weight) layer.row_sum[row] += sum;
  }
}

void rectified_layer(const RectifiedLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const auto rectified = [](double x) { return static_cast<float>(x < 0 ? 0 : x); };  // a NaN stays one
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const std::int64_t at = row * layer.columns + j;
      const float x = std::fma(layer.scale, layer.input[at], layer.bias ? layer.bias[j] : 0);
      if (layer.mean) layer.mean[at] = rectified(x);
      if (!layer.sample) continue;
      const double n = normal(layer.stream, row, j, layer.columns);
      const float sample = rectified(x + std::sqrt(sigmoid(x)) * n);
      layer.sample[at] = sample;
      if (layer.weight) sum += static_cast<double>(sample) * layer.weight[j];
    }
    if (layer.sample && layer.weight) layer.row_sum[row] += sum;
  }
}

// One group of a row, from column `begin` on; `e` is room for its elements. Adds to the sums of the row.
void softmax_group(const SoftmaxLayer& layer, std::int64_t row, std::int64_t begin, std::vector<double>& e,
                   double& log_sum, double& weighted) {
  const auto count = static_cast<std::int64_t>(e.size()), at = row * layer.columns + begin;
  double top = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const float bias = layer.bias ? layer.bias[begin + k] : 0;
    e[static_cast<std::size_t>(k)] = std::fma(layer.scale, layer.input[at + k], bias);
    top = std::max(top, e[static_cast<std::size_t>(k)]);
  }
  for (double& x : e) total += x = std::exp(x - top);
  log_sum += top + std::log(total);
  for (std::int64_t k = 0; k < count && layer.mean; ++k)
    layer.mean[at + k] = static_cast<float>(e[static_cast<std::size_t>(k)] / total);
  if (!layer.sample) return;
  const double threshold = static_cast<double>(uniform(layer.stream, row, begin, layer.columns)) * total;
  std::int64_t on = 0;
  for (double sum = e[0]; !(sum > threshold) && on < count - 1; sum += e[static_cast<std::size_t>(on)]) ++on;
  for (std::int64_t k = 0; k < count; ++k) layer.sample[at + k] = k == on ? 1.0F : 0.0F;
  if (layer.weight) weighted += layer.weight[begin + on];
}

void softmax_layer(const SoftmaxLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  std::vector<double> e;
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double log_sum = 0, weighted = 0;
    for (std::int64_t g = 0; g < layer.groups; ++g) {
      e.resize(static_cast<std::size_t>(layer.offsets[g + 1] - layer.offsets[g]));
      softmax_group(layer, row, layer.offsets[g], e, log_sum, weighted);
    }
    if (layer.log_sum_exp) layer.log_sum_exp[row] = log_sum;
    if (layer.sample && layer.weight) layer.row_sum[row] += weighted;
  }
}

void anneal_layer(const AnnealLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const std::int64_t at = row * layer.columns + j;
      const double x = layer.input[at] + layer.bias[j];
      sum += softplus(layer.to * x) - softplus(layer.from * x);
      if (!layer.sample) continue;
      const float mean = static_cast<float>(sigmoid(layer.to * x));
      layer.sample[at] = uniform(layer.stream, row, j, layer.columns) < mean ? 1.0F : 0.0F;
    }
    layer.row_sum[row] += sum;
  }
}

void softplus_sum(const SoftplusSum& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const float input = layer.input[row * layer.columns + j];
      sum += softplus(std::fma(layer.scale, input, layer.bias ? layer.bias[j] : 0));
    }
    layer.row_sum[row] = sum;
  }
}

void softplus_sum64(const SoftplusSum64& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) sum += softplus(layer.input[row * layer.columns + j]);
    layer.row_sum[row] = sum;
  }
}

void gather_bytes(const GatherBytes& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const std::uint8_t* bytes = layer.bytes + (layer.index ? layer.index[row] : row) * layer.columns;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      float value = layer.scale * static_cast<float>(bytes[j]);
      if (layer.binarise) value = uniform(layer.stream, row, j, layer.columns) < value ? 1.0F : 0.0F;
      layer.output[row * layer.columns + j] = value;
    }
  }
}

void follow_average(float* average, float keep, std::int64_t i, float parameter) {
  if (average) average[i] += (1 - keep) * (parameter - average[i]);
}

void sgd_pass(const SgdPass& pass, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const float g = pass.gradient_scale * pass.gradient[i] + pass.decay * pass.parameter[i];
    float step = g;
    if (pass.momentum_buffer) {
      float& m = pass.momentum_buffer[i];
      m = pass.momentum * m + g;
      step = pass.nesterov ? g + pass.momentum * m : m;
    }
    pass.parameter[i] -= pass.rate * step;
    follow_average(pass.average, pass.keep, i, pass.parameter[i]);
  }
}

void adam_pass(const AdamPass& pass, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const float g = pass.gradient_scale * pass.gradient[i] + pass.decay * pass.parameter[i];
    float &m = pass.first[i], &v = pass.second[i];
    m = pass.beta1 * m + (1 - pass.beta1) * g;
    v = pass.beta2 * v + (1 - pass.beta2) * g * g;
    pass.parameter[i] -= pass.rate * m / (std::sqrt(v) + pass.epsilon);
    follow_average(pass.average, pass.keep, i, pass.parameter[i]);
  }
}

void column_sums(const ColumnSums& layer, std::int64_t column_begin, std::int64_t column_end) {
  for (std::int64_t j = column_begin; j < column_end; ++j) {
    double sum = 0;
    for (std::int64_t row = 0; row < layer.rows; ++row) sum += layer.input[row * layer.columns + j];
    const double before = layer.accumulate ? layer.sums[j] : 0;
    layer.sums[j] = static_cast<float>(std::fma(static_cast<double>(layer.scale), sum, before));
  }
}

void bernoulli_score(const BernoulliScore& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* x = layer.cases + row / layer.draws * layer.columns;
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; ++j) {
      const double a = layer.logits[row * layer.columns + j];
      sum += x[j] * a - softplus(a);
      if (layer.residual) layer.residual[row * layer.columns + j] = static_cast<float>(x[j] - sigmoid(a));
    }
    layer.row_sum[row] = sum;
  }
}

double activated(Activation f, double a) {
  switch (f) {
    case Activation::identity:
      return a;
    case Activation::relu:
      return a < 0 ? 0 : a;
    case Activation::leaky:
      return a < 0 ? static_cast<double>(leak) * a : a;
    case Activation::tanh:
      return std::tanh(a);
    case Activation::sigmoid:
      return sigmoid(a);
    case Activation::softplus:
      return softplus(a);
  }
  return a;
}

// f'(a), told from y = f(a).
double slope(Activation f, double y) {
  switch (f) {
    case Activation::identity:
      return 1;
    case Activation::relu:
      return y > 0 ? 1 : 0;
    case Activation::leaky:
      return y > 0 ? 1 : static_cast<double>(leak);
    case Activation::tanh:
      return 1 - y * y;
    case Activation::sigmoid:
      return y * (1 - y);
    case Activation::softplus:
      return -std::expm1(-y);
  }
  return 1;
}

void activation(const ActivationPass& pass, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i)
    pass.values[i] = static_cast<float>(activated(pass.function, pass.values[i]));
}

void activation_gradient(const ActivationGradient& pass, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i)
    pass.result[i] = static_cast<float>(pass.gradient[i] * slope(pass.function, pass.value[i]));
}

}  // namespace

const KernelTable reference_kernels = {"reference",     binary_layer, normal_layer,       rectified_layer,
                                       softmax_layer,   anneal_layer, softplus_sum,       softplus_sum64,
                                       gather_bytes,    sgd_pass,     adam_pass,          column_sums,
                                       bernoulli_score, activation,   activation_gradient};

}  // namespace deepgen
