// Layers of normal, rectified and softmax units as tensor functions: fused kernels on the CPU, composed torch
// operations elsewhere. Binary units and the rules of this file are in binary_units.h.
//
// Outputs may be the input itself. The random numbers of an element depend on its place and the stream alone.
#pragma once

#include "deepgen/ops/binary_units.h"

namespace deepgen {

// Standard normal numbers [rows, columns], the ones that the layers below use under the same stream.
Tensor normal(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device = at::kCPU);

// What a normal layer has besides its bias; undefined tensors count as ones.
struct NormalShape {
  Tensor gain = {};       // [N]
  Tensor deviation = {};  // [N]
};

// mean = gain * scale * input + bias; sample ~ normal with this mean and standard deviation.
void normal_layer(const Tensor& input, const Tensor& bias, const NormalShape& shape, double scale,
                  Stream stream, UnitOutputs outputs);

// x = scale * input + bias; mean = max(0, x), sample = max(0, x + sqrt(sigmoid(x)) * n) with standard normal
// n. (Nair and Hinton 2010. So `mean` is the activity without noise and not the expectation of the sample.)
void rectified_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream,
                     UnitOutputs outputs);

// Groups of columns, one unit of which is on in each: mean = softmax of scale * input + bias within the
// group, sample one-hot. offsets [G + 1] int64 on the CPU: group g is columns offsets[g] up to offsets[g +
// 1]; the groups cover all columns and none is empty, else a usage error. log_sum_exp [B] float64, if
// defined, becomes the sum over groups of the logarithm of their partition function.
void softmax_layer(const Tensor& input, const Tensor& bias, const Tensor& offsets, double scale,
                   Stream stream, UnitOutputs outputs, Tensor log_sum_exp = {});

namespace composed {
Tensor normal(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device = at::kCPU);
void normal_layer(const Tensor& input, const Tensor& bias, const NormalShape& shape, double scale,
                  Stream stream, UnitOutputs outputs);
void rectified_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream,
                     UnitOutputs outputs);
void softmax_layer(const Tensor& input, const Tensor& bias, const Tensor& offsets, double scale,
                   Stream stream, UnitOutputs outputs, Tensor log_sum_exp = {});
}  // namespace composed

}  // namespace deepgen
