// The one door to torch: tensors, autograd and modules, and nothing that is slow to compile.
//
// Precompiled for the library (8 s instead of 26 s a unit with <torch/torch.h>).
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/nn/module.h>
#include <torch/version.h>

namespace deepgen {

using at::Tensor;
using torch::NoGradGuard;

}  // namespace deepgen
