// Rows as pictures.
#pragma once

#include "deepgen/core/image.h"
#include "deepgen/core/torch.h"

namespace deepgen {

struct PictureShape {
  std::int64_t channels, height, width;
};
// Of cases of this shape, {channels, height, width} with 1 or 3 channels; any other becomes one row of
// pixels.
PictureShape picture_shape(const std::vector<std::int64_t>& shape, std::int64_t columns);

// Pictures of rows x [N, D] of this case shape; a shape that is no image becomes one row of pixels a case.
Image picture_of(const Tensor& x, const std::vector<std::int64_t>& shape, const Grid& grid);
Image picture_of_filters(const Tensor& filters, const std::vector<std::int64_t>& shape, const Grid& grid);

}  // namespace deepgen
