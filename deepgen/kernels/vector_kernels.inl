// The kernels on vectors, written once; avx2.cpp and avx512.cpp include it after their lanes header.
//
// Everything is in an anonymous namespace and no std template is used: a function with external linkage
// compiled here would hold instructions that not every processor has, and the linker could pick it for all.
#include <math.h>

#include "deepgen/kernels/sparse_passes.h"
#include "deepgen/kernels/vector_math.inl"

namespace deepgen {
namespace {

// Whole vectors when `full`; else the `left` elements that remain, and nothing beyond them.
template <bool full>
inline Float read(const float* from, int left) {
  return full ? load(from) : load_some(from, left);
}
template <bool full>
inline Float read_bytes(const std::uint8_t* from, int left) {
  return full ? load_bytes(from) : load_some_bytes(from, left);
}
template <bool full>
inline void write(float* to, Float x, int left) {
  if (full) {
    store(to, x);
  } else {
    store_some(to, x, left);
  }
}

// Adds body<full>(column, count) over the groups of a row; `Body` is a kernel's work on one group.
template <class Body>
inline Double over_groups(std::int64_t columns, const Body& body) {
  Double sum = all(0.0);
  std::int64_t column = 0;
  for (; column + group <= columns; column += group) sum += body.template work<true>(column, group);
  if (column < columns) sum += body.template work<false>(column, static_cast<int>(columns - column));
  return sum;
}

struct BinaryRow {
  const BinaryLayer layer;
  const RandomKeys& keys;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float u[parts] = {};
    if (layer.sample) random_group(keys, row, column, layer.columns, u);
    Float weighted = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const std::int64_t j = column + part * width, at = row * layer.columns + j;
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float bias = layer.bias ? read<full>(layer.bias + j, left) : all(0.0F);
      const Float mean = sigmoid(fused(all(layer.scale), read<full>(layer.input + at, left), bias));
      if (layer.mean) write<full>(layer.mean + at, mean, left);
      if (!layer.sample) continue;
      const Float sample = one_where_less(u[part], mean);
      write<full>(layer.sample + at, sample, left);
      if (layer.weight) weighted = fused(sample, read<full>(layer.weight + j, left), weighted);
    }
    return widened_sum(weighted);
  }
};

void binary_layer(const BinaryLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const Double sum = over_groups(layer.columns, BinaryRow{layer, keys, row});
    if (layer.sample && layer.weight) layer.row_sum[row] += sum_of_lanes(sum);
  }
}

// With y = -|x| and 0 <= low <= high (the two temperatures), ea = exp(low y), eb = exp(high y):
//   softplus(high x) - softplus(low x) = ln((1 + eb) / (1 + ea)) + (high - low) max(x, 0),
// and the logarithm is 2 artanh of (eb - ea) / (2 + ea + eb), whose numerator is ea * expm1((high - low) y):
// no large numbers meet, whatever the sign or size of x.
struct AnnealFactors {
  Factor low, difference;
  bool to_is_low;
};

inline AnnealFactors anneal_factors(const AnnealLayer& layer) {
  const bool to_is_low = layer.to < layer.from;
  const double low = to_is_low ? layer.to : layer.from, high = to_is_low ? layer.from : layer.to;
  return {factor(low), factor(high - low), to_is_low};
}

struct AnnealRow {
  const AnnealLayer layer;
  const AnnealFactors factors;
  const RandomKeys& keys;
  const std::int64_t row;

  // The increase of softplus from the low to the high temperature; `mean` is sigmoid(to * x).
  inline Float increase(Float x, Float& mean) const {
    const Float y = -magnitude(x), one = all(1.0F);
    const ScaledExp a = exp_parts(factors.low, y), d = exp_parts(factors.difference, y);
    const Float ea = fused(a.power, a.less_one, a.power), ed = fused(d.power, d.less_one, d.power);
    const Float eb = ea * ed, rise = ea * fused(d.power, d.less_one, d.power - one);
    const Float logarithm = twice_artanh(rise / (all(2.0F) + (ea + eb)));
    const Float t = factors.to_is_low ? ea : eb;
    const Float e = zero_where_less(t, all(2.4e-38F), t);  // where exp_parts stopped at its least
    mean = where_less(x, all(0.0F), e, one) / (one + e);
    const Float positive = at_least(all(0.0F), x);
    return fused(factors.difference.upper, positive, fused(factors.difference.lower, positive, logarithm));
  }

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float u[parts] = {};
    if (layer.sample) random_group(keys, row, column, layer.columns, u);
    Float sum = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const std::int64_t j = column + part * width, at = row * layer.columns + j;
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float x = read<full>(layer.input + at, left) + read<full>(layer.bias + j, left);
      Float mean;
      sum += increase(x, mean);  // exactly zero at the x = 0 of absent lanes
      if (layer.sample) write<full>(layer.sample + at, one_where_less(u[part], mean), left);
    }
    return widened_sum(sum);
  }
};

void anneal_layer(const AnnealLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  const AnnealFactors factors = anneal_factors(layer);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const double sum = sum_of_lanes(over_groups(layer.columns, AnnealRow{layer, factors, keys, row}));
    layer.row_sum[row] += factors.to_is_low ? -sum : sum;
  }
}

struct SoftplusRow {
  const SoftplusSum layer;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float sum = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const std::int64_t j = column + part * width;
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float bias = layer.bias ? read<full>(layer.bias + j, left) : all(0.0F);
      const Float input = read<full>(layer.input + row * layer.columns + j, left);
      const Float value = softplus(fused(all(layer.scale), input, bias));
      sum += full ? value : keep_some(value, left);
    }
    return widened_sum(sum);
  }
};

void softplus_sum(const SoftplusSum& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row)
    layer.row_sum[row] = sum_of_lanes(over_groups(layer.columns, SoftplusRow{layer, row}));
}

// sum of max(x, 0) + ln(1 + exp(-|x|)) over at most 960 elements, as one logarithm of the product of all
// 1 + exp(-|x|): each is at most 2, so the product stays below 2^960.
constexpr std::int64_t factors_per_log = 960;

inline double softplus_sum_of_few(const double* x, std::int64_t count) {
  constexpr int lanes = width / 2;
  Double product = all(1.0), positive = all(0.0);
  for (std::int64_t i = 0; i < count; i += lanes) {
    const std::int64_t left = count - i;
    const Double v = left >= lanes ? load(x + i) : load_some(x + i, static_cast<int>(left), -1e300);
    product = fused(product, exp_nonpositive(-magnitude(v)), product);
    positive += at_least(all(0.0), v);
  }
  return sum_of_lanes(positive) + ::log(product_of_lanes(product));
}

void softplus_sum64(const SoftplusSum64& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const double* x = layer.input + row * layer.columns;
    double sum = 0;
    for (std::int64_t j = 0; j < layer.columns; j += factors_per_log) {
      const std::int64_t left = layer.columns - j;
      sum += softplus_sum_of_few(x + j, left < factors_per_log ? left : factors_per_log);
    }
    layer.row_sum[row] = sum;
  }
}

struct GatherRow {
  const GatherBytes layer;
  const RandomKeys& keys;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float u[parts] = {};
    if (layer.binarise) random_group(keys, row, column, layer.columns, u);
    const std::uint8_t* bytes = layer.bytes + (layer.index ? layer.index[row] : row) * layer.columns + column;
    float* output = layer.output + row * layer.columns + column;
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const int left = count - part * width;
      if (!full && left <= 0) break;
      Float value = all(layer.scale) * read_bytes<full>(bytes + part * width, left);
      if (layer.binarise) value = one_where_less(u[part], value);
      write<full>(output + part * width, value, left);
    }
    return all(0.0);
  }
};

void gather_bytes(const GatherBytes& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  for (std::int64_t row = row_begin; row < row_end; ++row)
    over_groups(layer.columns, GatherRow{layer, keys, row});
}

}  // namespace
}  // namespace deepgen

#include "deepgen/kernels/vector_column_passes.inl"
#include "deepgen/kernels/vector_networks.inl"
#include "deepgen/kernels/vector_passes.inl"
#include "deepgen/kernels/vector_softmax.inl"
#include "deepgen/kernels/vector_sparse.inl"
#include "deepgen/kernels/vector_units.inl"
