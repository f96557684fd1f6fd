// What all likelihoods refuse.
#pragma once

#include <string>

#include "deepgen/core/torch.h"

namespace deepgen::likelihood_checks {

// A data error unless x is [N, wanted].
void columns(const Tensor& x, std::int64_t wanted, const std::string& what);
// Where the first cell of x stands in the data.
struct Corner {
  std::int64_t row, column;
};
// A data error with row and column, counted from there, of the first cell of x where `bad` is true.
void refuse(const Tensor& x, const Tensor& bad, const std::string& what, const Corner& from,
            const std::string& expected);

}  // namespace deepgen::likelihood_checks
