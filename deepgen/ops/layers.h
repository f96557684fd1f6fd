// Differentiable layers of networks whose bits, values and gradients alike, do not depend on the number of
// threads.
//
// Each has a composed twin of plain torch operations (`composed::`): its specification and its oracle in the
// tests. All tensors are float32 and dense unless said.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/torch.h"
#include "deepgen/kernels/activation.h"

namespace deepgen {

Activation activation_of(const std::string& name);  // an unknown name is a usage error
std::vector<std::string> activation_names();

// f(x w + b): x [B, in], w [in, out], b [out] or undefined -> [B, out]. Gradients flow to all three.
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f = Activation::identity);

// sum_j x_j a_j - softplus(a_j), the log-probability of bits x [B, D] under logits a [B * draws, D], the
// draws of a row of x being neighbours: [B * draws] float64. Gradients flow to the logits alone.
Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x);

// f(a), element by element.
Tensor activate(const Tensor& a, Activation f);

// Groups of columns, one of which is on in each row of x [B, N]: sum_j x_j a_j - sum over groups of ln sum
// exp a_j, under logits a [B * draws, N] as above: [B * draws] float64. offsets as of softmax_layer.
// Gradients flow to the logits alone.
Tensor categorical_log_prob(const Tensor& logits, const Tensor& x, const Tensor& offsets);

// ln sum_j exp(a_j) of each row of a [B, N]: [B] float64.
Tensor log_sum_exp_rows(const Tensor& a);

namespace composed {
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f = Activation::identity);
Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x);
Tensor activate(const Tensor& a, Activation f);
Tensor categorical_log_prob(const Tensor& logits, const Tensor& x, const Tensor& offsets);
Tensor log_sum_exp_rows(const Tensor& a);
}  // namespace composed

}  // namespace deepgen
