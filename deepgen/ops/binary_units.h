// Layers of binary units as tensor functions: fused kernels on the CPU, composed torch operations elsewhere.
//
// Each function has a composed twin (`composed::`) that is its specification in tensor language, its fallback
// on other devices and its oracle in the tests. All tensors are float32, dense and two-dimensional unless
// said.
#pragma once

#include "deepgen/core/philox.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// What a layer's input turns into; undefined tensors are not wanted.
struct UnitOutputs {
  Tensor mean = {};    // [B, N]
  Tensor sample = {};  // [B, N] of 0 and 1
  Tensor weight = {};  // [N]: row_sum [B] float64 += sample . weight
  Tensor row_sum = {};
};

// a = scale * input + bias; mean = sigmoid(a), sample ~ Bernoulli(mean). Outputs may be the input itself.
void binary_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream, UnitOutputs outputs);

// sum_j softplus(scale * input + bias), [B] float64.
Tensor softplus_row_sum(const Tensor& input, const Tensor& bias, double scale = 1);

// row_sum += sum_j softplus(to * (input + bias)) - softplus(from * (input + bias));
// sample ~ Bernoulli(sigmoid(to * (input + bias))).
void anneal_layer(const Tensor& input, const Tensor& bias, double from, double to, Stream stream,
                  Tensor& row_sum, Tensor& sample);

// log sum_j over softplus in float64 for enumeration: sum_j softplus(input), input [B, N] float64 -> [B].
Tensor softplus_row_sum64(const Tensor& input);

// log(1 + e^input) and 1 / (1 + e^-input), element by element in float64. at::softplus and at::sigmoid round
// the last elements of a thread's share in a way of their own; here no bit depends on the number of threads.
Tensor softplus64(const Tensor& input);
Tensor sigmoid64(const Tensor& input);

// sums [N] = (accumulate ? sums : 0) + scale * sum over rows of input. The order of addition is fixed.
void column_sums(const Tensor& input, double scale, bool accumulate, Tensor& sums);
// The same of float32 rows as a new tensor.
Tensor column_sums(const Tensor& input, double scale = 1);

// Uniform numbers in [0, 1), the ones that `binary_layer` compares with under the same stream; of a part of its
// rows, from first_row on (on the CPU: elsewhere a part has numbers of its own).
Tensor uniform(std::int64_t rows, std::int64_t columns, Stream stream, at::Device device = at::kCPU,
               std::int64_t first_row = 0);

namespace composed {
void binary_layer(const Tensor& input, const Tensor& bias, double scale, Stream stream, UnitOutputs outputs);
Tensor softplus_row_sum(const Tensor& input, const Tensor& bias, double scale = 1);
void anneal_layer(const Tensor& input, const Tensor& bias, double from, double to, Stream stream,
                  Tensor& row_sum, Tensor& sample);
}  // namespace composed

}  // namespace deepgen
