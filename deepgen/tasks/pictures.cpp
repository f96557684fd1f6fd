#include "deepgen/tasks/pictures.h"

namespace deepgen {
namespace {

// [N, C*H*W] to pixels last: [N, H, W, C].
Tensor pixels_last(const Tensor& x, const PictureShape& s) {
  return x.to(at::kCPU, at::kFloat)
      .view({x.size(0), s.channels, s.height, s.width})
      .permute({0, 2, 3, 1})
      .contiguous();
}

}  // namespace

PictureShape picture_shape(const std::vector<std::int64_t>& shape, std::int64_t columns) {
  if (shape.size() == 3 && shape[0] * shape[1] * shape[2] == columns && (shape[0] == 1 || shape[0] == 3))
    return {shape[0], shape[1], shape[2]};
  return {1, 1, columns};
}

Image picture_of(const Tensor& x, const std::vector<std::int64_t>& shape, const Grid& grid) {
  const PictureShape s = picture_shape(shape, x.size(1));
  const Tensor pixels = pixels_last(at::nan_to_num(x, 0.5), s);
  return image_grid(pixels.data_ptr<float>(), x.size(0), s.height, s.width, s.channels, grid);
}

Image picture_of_filters(const Tensor& filters, const std::vector<std::int64_t>& shape, const Grid& grid) {
  const PictureShape s = picture_shape(shape, filters.size(1));
  const Tensor pixels = pixels_last(filters, s);
  return filter_grid(pixels.data_ptr<float>(), filters.size(0), s.height, s.width, s.channels, grid);
}

}  // namespace deepgen
