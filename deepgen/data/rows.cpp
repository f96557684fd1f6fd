#include "deepgen/data/rows.h"

namespace deepgen {

Rows Rows::narrow(std::int64_t first, std::int64_t count) const {
  Rows some(x.narrow(0, first, count));
  if (y.defined()) some.y = y.narrow(0, first, count);
  if (weights.defined()) some.weights = weights.narrow(0, first, count);
  if (densities.defined()) some.densities = densities.narrow(0, first, count);
  return some;
}

Rows Rows::select(const Tensor& index) const {
  Rows some(x.index_select(0, index));
  if (y.defined()) some.y = y.index_select(0, index);
  if (weights.defined()) some.weights = weights.index_select(0, index);
  if (densities.defined()) some.densities = densities.index_select(0, index);
  return some;
}

bool all_labelled(const Rows& rows) {
  return rows.y.defined() && rows.y.size(0) == rows.size() && !(rows.y < 0).any().item<bool>();
}

Tensor case_lengths(const Tensor& starts, std::int64_t rows) {
  return at::cat({starts.narrow(0, 1, starts.size(0) - 1), at::full({1}, rows, at::kLong)}) - starts;
}

Tensor case_sums(const Tensor& values, const Tensor& starts) {
  const Tensor wide = values.to(at::kDouble);
  if (!starts.defined()) return wide;
  const Tensor cases = at::arange(starts.size(0), at::kLong);
  const Tensor case_of_row = cases.repeat_interleave(case_lengths(starts, values.size(0)));
  return at::zeros({starts.size(0)}, at::kDouble).index_add_(0, case_of_row, wide);
}

}  // namespace deepgen
