// Recorded motion as an .npz: frames of joints and the columns of them that move.
#pragma once

#include <string>

#include "deepgen/data/files/array.h"

namespace deepgen {

// From `frames` [N, D] float32, the numbers of the columns that vary `columns49` [K] int32 and the `lengths`
// [sequences]: train [N, K] and train_lengths. Throws a data error naming the file for anything else.
NamedArrays read_motion(const std::string& path);

}  // namespace deepgen
