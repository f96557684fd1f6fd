// Which arrays of a .npz file are the data: those of the house's names, or one matrix under any name.
#pragma once

#include <string>

#include "deepgen/data/files/array.h"

namespace deepgen {

// train, valid and test, each with NAME_labels and NAME_lengths where they are there; without a train the one
// matrix is it: `matrix` when that is not "", an array named data (data_labels, data_lengths), or the only
// array of two dimensions or more (the only array at all). Whole numbers beside such a matrix that are called
// y, label(s) or target(s), one a row, are its labels. Other arrays are passed over unread. Throws a data error
// that lists what was found when the matrix is not plain, and for texts where labels should be.
NamedArrays read_npz_set(const std::string& path, const std::string& matrix = "");

}  // namespace deepgen
