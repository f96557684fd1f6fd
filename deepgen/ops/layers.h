// Differentiable layers of networks whose bits, values and gradients alike, do not depend on the number of
// threads.
//
// Each has a composed twin of plain torch operations (`composed::`): its specification and its oracle in the
// tests. All tensors are float32 and dense unless said.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// Elementwise functions between layers. leaky: slope 0.2 below zero. All have a derivative that can be told
// from their value.
enum class Activation { identity, relu, leaky, tanh, sigmoid, softplus };

Activation activation_of(const std::string& name);  // an unknown name is a usage error
std::vector<std::string> activation_names();

// f(x w + b): x [B, in], w [in, out], b [out] or undefined -> [B, out]. Gradients flow to all three.
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f = Activation::identity);

// f(a), element by element.
Tensor activate(const Tensor& a, Activation f);

// sum_j x_j a_j - softplus(a_j), the log-probability of bits x [B, D] under logits a [B, D]: [B] float64.
// Gradients flow to the logits alone.
Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x);

namespace composed {
Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f = Activation::identity);
Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x);
}  // namespace composed

}  // namespace deepgen
