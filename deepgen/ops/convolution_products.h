// The three products of which convolutions and their gradients are made, over raw pictures.
//
// A window says which pixels of an input each output reads. With A the matrix of gathered input pixels, one
// row an output pixel [B H' W', T C], they are A w (convolution), the adjoint of gathering applied to g w^T
// (transposed convolution), and A^T g (gradient of the weights).
#pragma once

#include <vector>

#include "deepgen/ops/convolution.h"

namespace deepgen {

// Output (r, c) reads inputs (stride r + down, stride c + right) of each offset, zero outside.
struct Window {
  std::int64_t height = 0, width = 0, out_height = 0, out_width = 0, stride = 1;
  std::vector<Offset> offsets;

  std::int64_t pixels() const { return height * width; }
  std::int64_t out_pixels() const { return out_height * out_width; }
  std::int64_t taps() const { return static_cast<std::int64_t>(offsets.size()); }
  bool copies() const;  // each output reads the one input at its own place
};

// Lines [first, last) of outputs.
struct Lines {
  std::int64_t first, last;
};

// One picture x [height, width, C] -> rows [lines * W', T C], `stride` floats apart.
void gather_pixels(const Window& window, Lines lines, const float* x, std::int64_t channels, float* rows,
                   std::int64_t stride);
// Its adjoint over all lines: adds rows to x.
void scatter_pixels(const Window& window, const float* rows, std::int64_t stride, std::int64_t channels,
                    float* x);

// x [B, height, width, C], w [T C, N], b [N] or undefined -> [B, H', W', N].
Tensor window_product(const Window& window, const Tensor& x, const Tensor& w, const Tensor& b);
// g [B, H', W', N], w [T C, N], b [C] or undefined -> [B, height, width, C].
Tensor window_adjoint(const Window& window, const Tensor& g, const Tensor& w, const Tensor& b);
// x [B, height, width, C], g [B, H', W', N] -> [T C, N].
Tensor window_weights(const Window& window, const Tensor& x, const Tensor& g);
// Sums over all pixels, in a fixed order: g [.., N] -> [N] float64.
Tensor channel_sums(const Tensor& g);

}  // namespace deepgen
