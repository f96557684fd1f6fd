// Convolutions of pictures, differentiable, whose bits, values and gradients alike, do not depend on the
// number of threads.
//
// Pictures are [B, height, width, channels], channels last, dense float32: one pixel's channels lie side by
// side, so that a convolution is a matrix product over gathered pixels, and sums over channels are column
// sums.
// (`to_pictures` in picture_layers.h makes them of rows.) A block of whole pictures is gathered into a
// scratch matrix that stays in the cache and multiplied on one thread; blocks are cut by size alone and
// shared out. Each function has a composed twin of plain torch operations (`composed::`), its oracle in the
// tests. The gradients themselves have no gradients.
#pragma once

#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// How a kernel moves over a picture. output_padding: rows and columns that a transposed convolution adds at
// the lower and right edge, below stride; it tells apart the sizes that a convolution rounds to the same.
struct KernelSteps {
  std::int64_t stride = 1, padding = 0, output_padding = 0;
};

// x [B, H, W, C], w [height, width, C, N], b [N] or undefined -> [B, H', W', N] with
// H' = (H + 2 padding - height) / stride + 1. Kernels larger than the padded picture are a usage error.
Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps = {});

// The adjoint of a convolution from N to C channels: x [B, H, W, C], w [height, width, N, C], b [N] or
// undefined -> [B, H', W', N] with H' = (H - 1) stride - 2 padding + height + output_padding.
Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                              const KernelSteps& steps = {});

// A place relative to the pixel that is computed.
struct Offset {
  std::int64_t down = 0, right = 0;
};

// y(r, c) = sum_t x(r + down_t, c + right_t) w_t + b, zero outside the picture: a kernel of any form, of
// which nothing is computed that is not there. x [B, H, W, C], w [T, C, N], b [N] or undefined -> [B, H, W,
// N].
Tensor offset_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                          const std::vector<Offset>& offsets);

namespace composed {
Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& b, const KernelSteps& steps = {});
Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                              const KernelSteps& steps = {});
Tensor offset_convolution(const Tensor& x, const Tensor& w, const Tensor& b,
                          const std::vector<Offset>& offsets);
}  // namespace composed

}  // namespace deepgen
