// The kernels written plainly: the specification of the others, and what runs where there is no other.
#include <cmath>

#include "deepgen/kernels/variants.h"

namespace deepgen {
namespace {

// The random number of element (row, column); see kernels.h.
float uniform(const Stream& stream, std::int64_t row, std::int64_t column, std::int64_t columns) {
  const std::int64_t groups = (columns + 63) / 64, lane = column % 64;
  const std::int64_t block = (row * groups + column / 64) * 16 + lane % 16;
  return unit_float(stream.block(static_cast<std::uint64_t>(block))[static_cast<std::size_t>(lane / 16)]);
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

}  // namespace

const KernelTable reference_kernels = {"reference",  binary_layer, anneal_layer, softplus_sum, softplus_sum64,
                                       gather_bytes, sgd_pass,     adam_pass,    column_sums};

}  // namespace deepgen
