// Convolutional networks between pictures and rows of features. For each entry of `channels`:
//
//   down, strided   a 4 x 4 convolution of stride 2, which halves the picture
//   down, pooled    a 3 x 3 convolution and the largest value of each 2 x 2 cell
//   up, strided     a transposed 4 x 4 convolution of stride 2
//   up, unpooled    each value in the upper left of a 2 x 2 cell of zeros (Dosovitskiy et al. 2015) and a
//                   3 x 3 convolution
//
// Up has the sizes of down in reverse. Pictures come and go as rows [B, C * H * W], the channels of a case
// one after the other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/parts/nets/conv_nets.h"

namespace deepgen {

struct PictureNetShape {
  std::vector<std::int64_t> shape;     // [C, H, W]
  std::vector<std::int64_t> channels;  // of the convolutions, from the picture on
  std::string activation = "relu";
  bool pooled = false;  // and unpooled
};

// A usage error that names `option` where the shape is no picture, or too small for so many halvings.
void check_pictures(const std::string& option, const PictureNetShape& shape);

class PicturesDown : public torch::nn::Module {
 public:
  explicit PicturesDown(const PictureNetShape& shape);
  void initialise(Rng& rng);
  Tensor forward(const Tensor& x) const;  // rows [B, C * H * W] -> [B, out()]
  std::int64_t out() const { return out_; }

 private:
  PictureNetShape shape_;
  std::vector<std::shared_ptr<ConvLayer>> layers_;
  std::int64_t out_ = 0;
};

class PicturesUp : public torch::nn::Module {
 public:
  // `planes`: channels of the result; with the shape's own C, pictures of the same kind.
  PicturesUp(const PictureNetShape& shape, std::int64_t planes);
  void initialise(Rng& rng);
  Tensor forward(const Tensor& x) const;  // [B, in()] -> rows [B, planes * H * W]
  std::int64_t in() const;

 private:
  struct Size {
    std::int64_t height, width;
  };
  PictureNetShape shape_;
  std::vector<Size> sizes_;  // of the pictures from the result inwards
  std::vector<std::shared_ptr<TransposedConvLayer>> growing_;
  std::vector<std::shared_ptr<ConvLayer>> unpooling_;
};

}  // namespace deepgen
