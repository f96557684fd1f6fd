#include "deepgen/ops/unit_layers.h"

#include <fmt/format.h>

#include <map>
#include <numbers>

#include "deepgen/core/error.h"
#include "deepgen/ops/kernel_rows.h"

namespace deepgen {
namespace {

// The kernels take dense rows in host memory, of the right type and size; all else goes the composed way,
// which reads it as it is or refuses it.
bool fits(const Tensor& x, at::ScalarType type, at::IntArrayRef shape) {
  return !x.defined() ||
         (x.device().is_cpu() && x.scalar_type() == type && x.sizes() == shape && x.is_contiguous());
}
bool fused(const Tensor& input, const Tensor& bias, const UnitOutputs& outputs) {
  if (!input.device().is_cpu() || input.scalar_type() != at::kFloat || input.dim() != 2) return false;
  const auto rows = input.size(0), columns = input.size(1);
  return input.is_contiguous() && fits(bias, at::kFloat, {columns}) &&
         fits(outputs.mean, at::kFloat, {rows, columns}) &&
         fits(outputs.sample, at::kFloat, {rows, columns}) && fits(outputs.weight, at::kFloat, {columns}) &&
         fits(outputs.row_sum, at::kDouble, {rows}) && outputs.weight.defined() == outputs.row_sum.defined();
}

template <class Layer>
Layer described(const Tensor& input, const Tensor& bias, double scale, Stream stream,
                const UnitOutputs& outputs) {
  Layer layer{};
  layer.input = floats(input);
  layer.bias = floats(bias);
  layer.scale = static_cast<float>(scale);
  layer.columns = input.size(1);
  layer.mean = floats(outputs.mean);
  layer.sample = floats(outputs.sample);
  layer.weight = floats(outputs.weight);
  layer.row_sum = doubles(outputs.row_sum);
  layer.stream = stream;
  return layer;
}

template <class Kernel, class Layer>
void for_layer(Kernel kernel, const Layer& layer, std::int64_t rows, double cost_of_element_ns) {
  for_rows(kernel, layer, rows, cost_of_element_ns * static_cast<double>(layer.columns));
}

// A copy: dense, and checked, since the kernels trust it.
Tensor checked_offsets(const Tensor& offsets, std::int64_t columns) {
  const char* expected = "expected offsets [groups + 1] of int64 on the CPU that rise from 0";
  if (!offsets.defined() || !offsets.device().is_cpu() || offsets.scalar_type() != at::kLong ||
      offsets.dim() != 1 || offsets.size(0) < 1)
    fail_usage("softmax_layer", fmt::format("{} to {}, got another tensor", expected, columns));
  const Tensor dense = offsets.contiguous();
  const std::int64_t* offset = dense.data_ptr<std::int64_t>();
  const std::int64_t groups = dense.size(0) - 1;
  for (std::int64_t g = 0; g < groups; ++g) {
    if (offset[g] >= offset[g + 1])
      fail_usage("softmax_layer", fmt::format("{} to {}, got {} followed by {}; no group may be empty",
                                              expected, columns, offset[g], offset[g + 1]));
  }
  if (offset[0] != 0 || offset[groups] != columns)
    fail_usage("softmax_layer", fmt::format("{} to {}, got {} to {}; groups must cover all columns", expected,
                                            columns, offset[0], offset[groups]));
  return dense;
}

Tensor activation(const Tensor& input, const Tensor& bias, double scale) {
  const Tensor scaled = input * scale;
  return bias.defined() ? scaled + bias : scaled;
}

void put_sample(const Tensor& sample, const UnitOutputs& outputs) {
  outputs.sample.copy_(sample);
  if (outputs.row_sum.defined())
    outputs.row_sum.add_(outputs.sample.to(at::kDouble).mv(outputs.weight.to(at::kDouble)));
}

}  // namespace

Tensor normal(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device) {
  if (!device.is_cpu()) return composed::normal(rows, columns, stream, device);
  Tensor result = at::empty({rows, columns});
  const NormalLayer layer{.columns = columns, .sample = floats(result), .stream = stream};
  for_layer(kernels().normal_layer, layer, rows, 0.8);
  return result;
}

void normal_layer(const Tensor& input, const Tensor& bias, const NormalShape& shape, double scale,
                  Stream stream, UnitOutputs outputs) {
  if (!fused(input, bias, outputs) || !fits(shape.gain, at::kFloat, {input.size(1)}) ||
      !fits(shape.deviation, at::kFloat, {input.size(1)}))
    return composed::normal_layer(input, bias, shape, scale, stream, outputs);
  auto layer = described<NormalLayer>(input, bias, scale, stream, outputs);
  layer.gain = floats(shape.gain);
  layer.deviation = floats(shape.deviation);
  for_layer(kernels().normal_layer, layer, input.size(0), layer.sample ? 1 : 0.2);
}

void rectified_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream,
                     UnitOutputs outputs) {
  if (!fused(input, bias, outputs)) return composed::rectified_layer(input, bias, scale, stream, outputs);
  const auto layer = described<RectifiedLayer>(input, bias, scale, stream, outputs);
  for_layer(kernels().rectified_layer, layer, input.size(0), layer.sample ? 1.2 : 0.2);
}

void softmax_layer(const Tensor& input, const Tensor& bias, const Tensor& offsets, double scale,
                   Stream stream, UnitOutputs outputs, Tensor log_sum_exp) {
  const Tensor dense = checked_offsets(offsets, input.size(1));
  if (!fused(input, bias, outputs) || !fits(log_sum_exp, at::kDouble, {input.size(0)}))
    return composed::softmax_layer(input, bias, dense, scale, stream, outputs, log_sum_exp);
  auto layer = described<SoftmaxLayer>(input, bias, scale, stream, outputs);
  layer.offsets = dense.data_ptr<std::int64_t>();
  layer.groups = dense.size(0) - 1;
  layer.log_sum_exp = doubles(log_sum_exp);
  for_layer(kernels().softmax_layer, layer, input.size(0), 1.5);
}

namespace composed {

// Words 0 to 3 of a block are sixteen columns apart, and 64 columns share a group of blocks (kernels.h).
Tensor normal(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device) {
  const std::int64_t groups = (columns + 63) / 64;
  const Tensor u = uniform(rows, 64 * groups, stream, device).view({rows, groups, 2, 2, 16}).to(at::kDouble);
  const Tensor radius = (-2 * at::log1p(-u.select(3, 0))).sqrt(),
               angle = 2 * std::numbers::pi * u.select(3, 1);
  const Tensor n = at::stack({radius * angle.cos(), radius * angle.sin()}, 3);
  return n.reshape({rows, 64 * groups}).narrow(1, 0, columns).to(at::kFloat).contiguous();
}

void normal_layer(const Tensor& input, const Tensor& bias, const NormalShape& shape, double scale,
                  Stream stream, UnitOutputs outputs) {
  const Tensor mean = activation(shape.gain.defined() ? input * shape.gain : input, bias, scale);
  if (outputs.mean.defined()) outputs.mean.copy_(mean);
  if (!outputs.sample.defined()) return;
  const Tensor noise = composed::normal(input.size(0), input.size(1), stream, input.device());
  put_sample(mean + (shape.deviation.defined() ? noise * shape.deviation : noise), outputs);
}

void rectified_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream,
                     UnitOutputs outputs) {
  const Tensor x = activation(input, bias, scale);
  if (outputs.mean.defined()) outputs.mean.copy_(x.clamp_min(0));
  if (!outputs.sample.defined()) return;
  const Tensor noise = composed::normal(input.size(0), input.size(1), stream, input.device());
  put_sample((x + x.sigmoid().sqrt() * noise).clamp_min(0), outputs);
}

// Groups of one size are one tensor [B, groups, size].
void softmax_layer(const Tensor& input, const Tensor& bias, const Tensor& offsets, double scale,
                   Stream stream, UnitOutputs outputs, Tensor log_sum_exp) {
  const std::int64_t rows = input.size(0);
  const Tensor starts = offsets.slice(0, 0, -1), sizes = offsets.slice(0, 1) - starts;
  std::map<std::int64_t, std::vector<std::int64_t>> starts_of_size;
  for (std::int64_t g = 0; g < sizes.size(0); ++g)
    starts_of_size[sizes[g].item<std::int64_t>()].push_back(starts[g].item<std::int64_t>());
  const Tensor a = activation(input, bias, scale);
  const Tensor u = uniform(rows, input.size(1), stream, input.device());
  Tensor mean = at::empty_like(a), sample = at::empty_like(a);
  if (log_sum_exp.defined()) log_sum_exp.zero_();
  for (const auto& [size, begins] : starts_of_size) {
    const Tensor first = at::tensor(begins).to(input.device());
    const Tensor columns = (first.view({-1, 1}) + at::arange(size, first.options())).view(-1);
    const Tensor part = a.index_select(1, columns).view({rows, first.size(0), size}).to(at::kDouble);
    const Tensor p = part.softmax(2);
    const Tensor below = p.cumsum(2) <= u.index_select(1, first).unsqueeze(2);
    const Tensor on = below.sum(2, true).clamp_max(size - 1);
    const Tensor one_hot = at::zeros_like(p).scatter_(2, on, 1.0);
    mean.index_copy_(1, columns, p.flatten(1).to(mean.scalar_type()));
    sample.index_copy_(1, columns, one_hot.flatten(1).to(sample.scalar_type()));
    if (log_sum_exp.defined()) log_sum_exp.add_(part.logsumexp(2).sum(1));
  }
  if (outputs.mean.defined()) outputs.mean.copy_(mean);
  if (outputs.sample.defined()) put_sample(sample, outputs);
}

}  // namespace composed
}  // namespace deepgen
