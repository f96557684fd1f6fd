// Pooling, upsampling and normalisation of pictures [B, height, width, channels] (convolution.h),
// differentiable, whose bits, values and gradients alike, do not depend on the number of threads.
#pragma once

#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// Rows [B, channels * height * width], as data sets have them, to pictures [B, height, width, channels] and
// back. Shape {height, width} or {D}: one channel, {D} being one line of pixels.
Tensor to_pictures(const Tensor& rows, const std::vector<std::int64_t>& shape);
Tensor to_rows(const Tensor& pictures);

// The largest value of each 2 x 2 cell of pixels, channel by channel; a last odd row or column is left out.
struct Pooled {
  Tensor values;  // [B, H / 2, W / 2, C]
  Tensor places;  // likewise, uint8: 0 to 3, the place in the cell, row by row; of equal values the first
};
Pooled max_pool(const Tensor& x);

// Values put back at their places in pictures of height x width, zero elsewhere: [B, H / 2, W / 2, C] ->
// [B, height, width, C]; heights of 2 h or 2 h + 1 fit h rows. Gradients flow to the values.
Tensor max_unpool(const Tensor& values, const Tensor& places, std::int64_t height, std::int64_t width);

// Each pixel repeated `times` x `times`: [B, H, W, C] -> [B, H times, W times, C].
Tensor upsample(const Tensor& x, std::int64_t times = 2);

// Mean and variance (divided by the count) of each channel over all pixels, [C] float64, summed in a fixed
// order. No gradients.
struct ChannelMoments {
  Tensor mean, variance;
};
ChannelMoments channel_moments(const Tensor& x);

// gain (x - mean) / sqrt(variance + epsilon) + shift with the moments of x itself (Ioffe and Szegedy 2015,
// algorithm 1), x [.., C], gain and shift [C]. Gradients flow through the moments too.
Tensor normalise_batch(const Tensor& x, const ChannelMoments& moments, const Tensor& gain,
                       const Tensor& shift, double epsilon);
// The same with moments that are constants.
Tensor normalise_with(const Tensor& x, const ChannelMoments& moments, const Tensor& gain, const Tensor& shift,
                      double epsilon);

namespace composed {
Pooled max_pool(const Tensor& x);
Tensor upsample(const Tensor& x, std::int64_t times = 2);
Tensor normalise_batch(const Tensor& x, const Tensor& gain, const Tensor& shift, double epsilon);
}  // namespace composed

}  // namespace deepgen
