// Parts of a case by name: halves and quarters.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// The columns of these parts, [D] bool. Names: left, right, upper, lower (halves) and upper_left,
// upper_right, lower_left, lower_right (quarters of pictures [C, H, W]), with commas between them. Of a case
// that is no picture left is the first half of its columns and right the second. An unknown name, or nothing
// or everything chosen, is a usage error that names `option`.
Tensor region_mask(const std::string& option, const std::string& names,
                   const std::vector<std::int64_t>& shape, std::int64_t columns);

}  // namespace deepgen
