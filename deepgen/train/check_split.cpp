#include "deepgen/train/check_split.h"

#include <algorithm>

namespace deepgen {
namespace {

constexpr std::int64_t checked_cells = std::int64_t{1} << 20;  // at a time, about: 4 MB as floats

}  // namespace

void check_split(const Model& model, const Split& split, const std::string& name,
                 const std::function<Tensor(const Tensor&)>& cells) {
  if (split.rows() == 0) return;
  const std::int64_t rows = std::max<std::int64_t>(1, checked_cells / split.columns());
  const std::int64_t cases = std::max<std::int64_t>(1, rows * split.cases() / split.rows());
  std::int64_t row = 0;
  for (std::int64_t first = 0; first < split.cases(); first += cases) {
    // What is drawn where a part is binarised anew for each batch does not matter: a bit is a bit.
    const Tensor x = Dataset::rows(split, first, std::min(cases, split.cases() - first), Rng(0)).x;
    model.check_data(cells ? cells(x) : x, name, row);
    row += x.size(0);
  }
}

}  // namespace deepgen
