#include "deepgen/ops/binary_units.h"

#include "deepgen/ops/kernel_rows.h"

namespace deepgen {
namespace {

// The fused kernels read dense float32 rows in host memory; everything else takes the composed way.
bool dense(const Tensor& x) { return !x.defined() || x.is_contiguous(); }
bool dense_on_host(const Tensor& input, const Tensor& bias = {}, const UnitOutputs& outputs = {}) {
  return input.device().is_cpu() && input.scalar_type() == at::kFloat && input.is_contiguous() &&
         dense(bias) && dense(outputs.mean) && dense(outputs.sample) && dense(outputs.weight) &&
         dense(outputs.row_sum);
}

}  // namespace

void binary_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream, UnitOutputs outputs) {
  if (!dense_on_host(input, bias, outputs))
    return composed::binary_layer(input, bias, scale, stream, outputs);
  BinaryLayer layer{.input = floats(input),
                    .bias = floats(bias),
                    .scale = static_cast<float>(scale),
                    .columns = input.size(1),
                    .mean = floats(outputs.mean),
                    .sample = floats(outputs.sample),
                    .weight = floats(outputs.weight),
                    .row_sum = doubles(outputs.row_sum),
                    .stream = stream};
  for_rows(kernels().binary_layer, layer, input.size(0), 0.7 * static_cast<double>(input.size(1)));
}

Tensor softplus_row_sum(const Tensor& input, const Tensor& bias, double scale) {
  if (!dense_on_host(input, bias)) return composed::softplus_row_sum(input, bias, scale);
  Tensor sums = at::empty({input.size(0)}, at::kDouble);
  SoftplusSum layer{.input = floats(input),
                    .bias = floats(bias),
                    .scale = static_cast<float>(scale),
                    .columns = input.size(1),
                    .row_sum = doubles(sums)};
  for_rows(kernels().softplus_sum, layer, input.size(0), static_cast<double>(input.size(1)));
  return sums;
}

void anneal_layer(const Tensor& input, const Tensor& bias, double from, double to, Stream stream,
                  Tensor& row_sum, Tensor& sample) {
  if (!dense_on_host(input, bias, {.sample = sample, .row_sum = row_sum}))
    return composed::anneal_layer(input, bias, from, to, stream, row_sum, sample);
  AnnealLayer layer{.input = floats(input),
                    .bias = floats(bias),
                    .from = from,
                    .to = to,
                    .columns = input.size(1),
                    .row_sum = doubles(row_sum),
                    .sample = floats(sample),
                    .stream = stream};
  for_rows(kernels().anneal_layer, layer, input.size(0), 1.5 * static_cast<double>(input.size(1)));
}

Tensor softplus_row_sum64(const Tensor& input) {
  const Tensor dense = input.to(at::kCPU, at::kDouble).contiguous();
  Tensor sums = at::empty({dense.size(0)}, at::kDouble);
  SoftplusSum64 layer{dense.data_ptr<double>(), dense.size(1), sums.data_ptr<double>()};
  for_rows(kernels().softplus_sum64, layer, dense.size(0), 1.5 * static_cast<double>(dense.size(1)));
  return sums;
}

// Of operations that torch computes alike for every element, whichever thread it falls to.
Tensor softplus64(const Tensor& input) {
  const Tensor x = input.to(at::kDouble);
  return x.clamp_min(0) + (-x.abs()).exp().log1p();
}

Tensor sigmoid64(const Tensor& input) { return ((-input.to(at::kDouble)).exp() + 1).reciprocal(); }

void column_sums(const Tensor& input, double scale, bool accumulate, Tensor& sums) {
  if (!dense_on_host(input, sums)) {
    const Tensor total = input.sum(0).mul_(scale);
    if (accumulate)
      sums.add_(total);
    else
      sums.copy_(total);
    return;
  }
  ColumnSums arguments{floats(input), input.size(0), input.size(1), static_cast<float>(scale),
                       accumulate,    floats(sums)};
  parallel_ranges(
      input.size(1), 0.2 * static_cast<double>(input.size(0)), 64,
      [&](std::int64_t begin, std::int64_t end) { kernels().column_sums(arguments, begin, end); });
}

Tensor column_sums(const Tensor& input, double scale) {
  Tensor sums = at::empty({input.size(1)}, input.options());
  column_sums(input.contiguous(), scale, false, sums);
  return sums;
}

Tensor uniform(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device,
               std::int64_t first_row) {
  interruption_point();
  if (!device.is_cpu()) {  // no counter-based kernel there: a generator seeded by the stream's place
    auto generator = at::globalContext().defaultGenerator(device);
    generator.set_current_seed(stream.key ^ (stream.call * 0x9E3779B97F4A7C15ULL));
    return at::rand({rows, columns}, generator, at::TensorOptions().device(device));
  }
  Tensor result = at::empty({rows, columns});
  float* out = result.data_ptr<float>();
  const std::int64_t groups = (columns + 63) / 64;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t lane = j % 64;
      const std::int64_t block = 16 * ((first_row + r) * groups + j / 64) + lane % 16;
      out[r * columns + j] =
          unit_float(stream.block(static_cast<std::uint64_t>(block))[static_cast<std::size_t>(lane / 16)]);
    }
  }
  return result;
}

namespace composed {

void binary_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream, UnitOutputs outputs) {
  Tensor activation = input * scale;
  if (bias.defined()) activation = activation + bias;
  const Tensor mean = activation.sigmoid();
  if (outputs.mean.defined()) outputs.mean.copy_(mean);
  if (!outputs.sample.defined()) return;
  outputs.sample.copy_(uniform(input.size(0), input.size(1), stream, input.device()) < mean);
  if (outputs.row_sum.defined())
    outputs.row_sum.add_(outputs.sample.to(at::kDouble).mv(outputs.weight.to(at::kDouble)));
}

Tensor softplus_row_sum(const Tensor& input, const Tensor& bias, double scale) {
  Tensor activation = input * scale;
  if (bias.defined()) activation = activation + bias;
  return at::softplus(activation.to(at::kDouble), 1, 40).sum(1);
}

void anneal_layer(const Tensor& input, const Tensor& bias, double from, double to, Stream stream,
                  Tensor& row_sum, Tensor& sample) {
  const Tensor x = (input + bias).to(at::kDouble);
  row_sum.add_((at::softplus(x * to, 1, 40) - at::softplus(x * from, 1, 40)).sum(1));
  if (sample.defined())
    sample.copy_(uniform(input.size(0), input.size(1), stream, input.device()) <
                 (x * to).sigmoid().to(at::kFloat));
}

}  // namespace composed
}  // namespace deepgen
