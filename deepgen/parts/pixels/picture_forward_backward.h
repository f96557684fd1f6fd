// One picture forward and backward through a PixelNet (pixel_net.h), by hand, in memory of one thread.
#pragma once

#include <vector>

#include "deepgen/parts/pixels/pixel_net.h"

namespace deepgen {

// Where the parameters of a net lie, or their gradients.
struct BlockPlaces {
  float *vertical_weight, *vertical_bias, *horizontal_weight, *horizontal_bias, *out_weight, *out_bias;
  float* class_bias;  // nullptr: none
};
struct NetPlaces {
  std::vector<BlockPlaces> blocks;
  float *head_weight, *head_bias, *output_weight, *output_bias;
};
// All parameters in the order of NetPlaces, and the places of as many floats from `flat` on.
std::vector<Tensor> parameter_list(const PixelNet& net);
NetPlaces places_of(const PixelNet& net);
NetPlaces places_in(const PixelNet& net, float* flat);

// rows [n, columns] of one vector each, rows `stride` apart.
void fill_rows(float* rows, std::int64_t n, std::int64_t columns, std::int64_t stride, const float* vector);
// b + the class's part: of [classes, 4p] the first or second half of its row. Written to sum [2p].
void add_class_bias(const float* b, const float* class_bias, std::int64_t p, std::int64_t half,
                    std::int64_t label, float* sum);

class PictureForwardBackward {
 public:
  explicit PictureForwardBackward(const PixelNet& net);

  // Outputs [pixels, outputs] of a picture [pixels, inputs]; label: its class, or -1. masks: what each
  // block's gated features are multiplied by, [pixels, p] each, or nothing.
  const float* forward(const float* picture, std::int64_t label, const std::vector<const float*>& masks);
  // Adds the gradient of sum(outputs * g) to `sums`, for the picture that went forward last.
  void backward(const float* g, const NetPlaces& sums);

 private:
  struct Block {
    std::int64_t in, columns, mix_columns, cross;         // vertical taps * in, taps * in + 2p, taps * in
    std::vector<float> mix;                               // [P, mix_columns]: gathered u, then a
    std::vector<float> vertical_gates, horizontal_gates;  // [P, 2p]
    std::vector<float> u, v;                              // [P, in] that come in
  };
  void forward_block(std::size_t l);
  void backward_block(std::size_t l, const NetPlaces& sums);
  void backward_head(const float* g, const NetPlaces& sums);
  void add_bias_sums(const float* g, std::int64_t half, const BlockPlaces& sums, float* bias);

  const PixelNet& net_;
  const PixelNetSizes sizes_;
  const std::int64_t pixels_, p_;
  NetPlaces weights_;
  std::vector<Block> blocks_;
  std::vector<float> u_, rectified_, head_, outputs_;   // after the last block
  std::vector<float> gathered_, gated_, bias_, a_, c_;  // scratch
  std::vector<float> du_, dv_, dmix_, dgathered_, dhead_;
  std::int64_t label_ = -1;
  std::vector<const float*> masks_;
};

}  // namespace deepgen
