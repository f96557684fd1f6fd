// The network of gated PixelCNNs: from a picture to what is said of each pixel given those before it.
//
// Two stacks of features a pixel, p channels each: vertical v, which sees all rows above, and horizontal u,
// which sees v and the pixels to the left in the row. In block l, with * a convolution over the taps given,
//
//   a       = v_l * V_l + b            taps: rows -k/2 .. 0 (block 0: .. -1), columns -k/2 .. k/2     [2p]
//   v'      = tanh(a_1) sigmoid(a_2)
//   v_(l+1) = v' (+ v_l, l > 0)
//   c       = u_l * H_l + a X_l + d    taps: the pixel itself (not in block 0) and the k/2 left of it  [2p]
//   u'      = (tanh(c_1) sigmoid(c_2)) O_l + o
//   u_(l+1) = u' (+ u_l, l > 0)
//   outputs = relu(relu(u) A + e) B + f,   at each pixel alone
//
// No tap looks at a pixel that comes later in raster order, so there is no mask, and no blind spot: v reaches
// all rows above, to k/2 more columns with every block. A class adds its own biases to a and c.
//
// Forward and backward are written by hand, one picture at a time, so that the features stay in the cache;
// pictures are shared out among threads in groups whose number is fixed. `composed::pixel_outputs` is the
// same in plain torch operations.
//
// Source: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu 2016, "Conditional image
// generation with PixelCNN decoders", section 2 and figure 2.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/ops/convolution_products.h"

namespace deepgen {

struct PixelNetSizes {
  std::int64_t height = 1, width = 1;
  std::int64_t inputs = 1;  // numbers that stand for a pixel
  std::int64_t channels = 16, blocks = 8;
  std::int64_t first_kernel = 7, kernel = 3;  // odd, 3 or more
  std::int64_t head = 32, outputs = 1;        // outputs: numbers that are said of a pixel
  std::int64_t classes = 0;                   // of pictures; 0: none
  double dropout = 0;  // share of the gated horizontal features that training sets to zero

  std::int64_t pixels() const { return height * width; }
};

// One block's parameters.
class PixelBlock : public torch::nn::Module {
 public:
  PixelBlock(const PixelNetSizes& sizes, bool first);
  void initialise(Rng& rng);

  Window vertical, horizontal;
  std::int64_t in;                            // channels of u and v that come in
  Tensor vertical_weight, vertical_bias;      // [taps, in, 2p], [2p]
  Tensor horizontal_weight, horizontal_bias;  // [taps * in + 2p, 2p]: H, and below it X; [2p]
  Tensor out_weight, out_bias;                // [p, p], [p]
  Tensor class_bias;                          // [classes, 4p] of a and c, or undefined
};

class PixelNet : public torch::nn::Module {
 public:
  explicit PixelNet(const PixelNetSizes& sizes);
  void initialise(Rng& rng);  // the weights anew, biases zero

  // [B, pixels, outputs] of pictures [B, pixels, inputs]; labels [B] int64 where there are classes.
  Tensor outputs(const Tensor& pictures, const Tensor& labels) const;

  // Of picture `row`: the objective of its outputs [pixels, outputs], and their gradient likewise.
  using Objective = std::function<double(std::int64_t row, const float* outputs, float* gradient)>;
  // Fills .grad of every parameter with the gradient of the batch mean of the objective, and returns that
  // mean.
  double gradients(const Tensor& pictures, const Tensor& labels, const Objective& objective, Rng& rng);

  // A data error where there are classes and the labels are not one of them for each picture.
  void expect_labels(const Tensor& labels, std::int64_t pictures) const;
  const PixelNetSizes& sizes() const { return sizes_; }
  const std::vector<std::shared_ptr<PixelBlock>>& blocks() const { return blocks_; }
  Tensor head_weight, head_bias, output_weight, output_bias;  // [p, head], [head], [head, outputs], [outputs]

 private:
  PixelNetSizes sizes_;
  std::vector<std::shared_ptr<PixelBlock>> blocks_;
};

// gates [n, 2p] = (tanh(a_1) | sigmoid(a_2)) of a [n, 2p], rows `stride` apart: what a gated unit multiplies.
void open_gates(const float* a, std::int64_t stride, std::int64_t n, std::int64_t p, float* gates);
// y [n, p] (+)= tanh(a_1) sigmoid(a_2) of these gates.
void gated_product(const float* gates, std::int64_t n, std::int64_t p, bool add, float* y);

namespace composed {
Tensor pixel_outputs(const PixelNet& net, const Tensor& pictures, const Tensor& labels);
}  // namespace composed

}  // namespace deepgen
