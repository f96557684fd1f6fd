// What all likelihoods refuse.
#pragma once

#include <string>

#include "deepgen/core/torch.h"

namespace deepgen::likelihood_checks {

// A data error unless x is [N, wanted].
void columns(const Tensor& x, std::int64_t wanted, const std::string& what);
// A data error with row (counted from first_row) and column of the first cell of x where `bad` is true.
void refuse(const Tensor& x, const Tensor& bad, const std::string& what, std::int64_t first_row,
            const std::string& expected);

}  // namespace deepgen::likelihood_checks
