// The pixels of several pictures one after the other through a PixelNet (pixel_net.h), each computed once.
//
// What later pixels need is kept: the vertical features, computed a row at a time when the rows above are
// known, and the horizontal ones of the row. So all pixels cost as many multiplications as one pass over
// whole pictures, and not one pass each.
#pragma once

#include <vector>

#include "deepgen/parts/pixels/picture_forward_backward.h"

namespace deepgen {

class CachedRasterScan {
 public:
  // For this many pictures; labels: of each where the net has classes, else nullptr. Works in the memory of
  // one thread, within share_items.
  CachedRasterScan(const PixelNet& net, std::int64_t count, const std::int64_t* labels);

  // What the net says of the next pixel, [count, outputs]; then `accept` the pixel itself, [count, inputs].
  const float* outputs();
  void accept(const float* inputs);
  std::int64_t place() const { return place_; }  // of the next pixel, in raster order

 private:
  struct Block {
    std::int64_t in, columns, cross, mix_columns;
    std::vector<float> v;               // [count, height, width, in] that come in
    std::vector<float> u;               // [count, width, in] that come in, of this row
    std::vector<float> a;               // [count, width, 2p] of this row
    std::vector<float> a_bias, c_bias;  // [count, 2p]
  };
  void begin_row();
  void vertical_row(std::size_t l);
  void horizontal_pixel(std::size_t l);

  const PixelNet& net_;
  const PixelNetSizes sizes_;
  const std::int64_t count_, p_;
  NetPlaces weights_;
  std::vector<Block> blocks_;
  std::vector<float> gathered_, gates_, mix_, gated_, c_, u_, head_, outputs_;
  std::int64_t place_ = 0;
};

}  // namespace deepgen
