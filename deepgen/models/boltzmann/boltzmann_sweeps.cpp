#include "deepgen/models/boltzmann/boltzmann_sweeps.h"

#include <cmath>
#include <utility>

#include "deepgen/core/interruption.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products64.h"

namespace deepgen {

BoltzmannRows::BoltzmannRows(const Tensor& weights, const Tensor& biases, Tensor states)
    : weights_(weights.to(at::kDouble).contiguous()), states_(std::move(states)) {
  received_ = biases.to(at::kDouble).repeat({states_.size(0), 1});
  multiply64(received_, states_.to(at::kDouble), weights_, 1, 1);
}

void BoltzmannRows::sweep(const UnitSweep& how, Rng& rng) {
  interruption_point();
  const Stream stream = rng.next();
  parallel_ranges(states_.size(0), nanoseconds_a_row(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) sweep_row(how, stream, row);
  });
}

void BoltzmannRows::put_last(const Tensor& values) {
  const std::int64_t count = values.size(1), first = states_.size(1) - count;
  if (count == 0) return;
  const float* wanted = values.data_ptr<float>();
  parallel_ranges(states_.size(0), nanoseconds_a_row(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t j = 0; j < count; ++j) set_unit(row, first + j, wanted[row * count + j]);
  });
}

void BoltzmannRows::sweep_row(const UnitSweep& how, const Stream& stream, std::int64_t row) {
  const std::int64_t units = states_.size(1), blocks = (units + 3) / 4;
  const double* received = received_.data_ptr<double>() + row * units;
  const float* state = states_.data_ptr<float>() + row * units;
  const double* base = how.base.defined() ? how.base.data_ptr<double>() : nullptr;
  float* mean = how.mean.defined() ? how.mean.data_ptr<float>() + row * units : nullptr;
  const std::int64_t visible = how.known.defined() ? how.known.size(1) : 0;
  const bool* known = visible > 0 ? how.known.data_ptr<bool>() + row * visible : nullptr;
  PhiloxBlock words{};
  for (std::int64_t j = how.first; j < units; ++j) {
    if (j == how.first || j % 4 == 0) words = stream.block(static_cast<std::uint64_t>(row * blocks + j / 4));
    if (j < visible && known[j]) {
      if (mean) mean[j] = state[j];
      continue;
    }
    const double a = how.beta * received[j] + (base ? (1 - how.beta) * base[j] : 0);
    const double on = 1 / (1 + std::exp(-a));
    if (mean) mean[j] = static_cast<float>(on);
    set_unit(row, j, unit_float(words[static_cast<std::size_t>(j % 4)]) < on ? 1.0F : 0.0F);
  }
}

void BoltzmannRows::set_unit(std::int64_t row, std::int64_t unit, float value) {
  const std::int64_t units = states_.size(1);
  float& state = states_.data_ptr<float>()[row * units + unit];
  if (state == value) return;
  const double change = static_cast<double>(value) - static_cast<double>(state);
  double* received = received_.data_ptr<double>() + row * units;
  const double* weights = weights_.data_ptr<double>() + unit * units;
  for (std::int64_t k = 0; k < units; ++k) received[k] += change * weights[k];
  state = value;
}

// A tenth of the units flip, by experience.
double BoltzmannRows::nanoseconds_a_row() const {
  const double units = static_cast<double>(states_.size(1));
  return 20 * units + 0.1 * units * units * 0.3;
}

}  // namespace deepgen
